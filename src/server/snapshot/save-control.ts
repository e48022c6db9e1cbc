/** Saving, as front ends use it: to save on demand, and to report. */
export interface SaveControl {
  /** Saves now; rejects with the reason when it cannot. */
  save(): Promise<void>;
  /** Unix seconds of the last finished save, or of the start. */
  readonly lastSave: number;
  /** Whether a save is under way. */
  readonly saving: boolean;
  /** Changes of the store since the last save. */
  readonly changes: number;
}
