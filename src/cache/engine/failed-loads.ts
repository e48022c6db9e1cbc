import type { Clock } from '../../runtime/clock';
import { RecentMap } from '../recent-map';
import type { Durations } from './durations';
import type { Flight } from './flight';

/** What is remembered of loads that failed, so that they are not repeated at once. */
export class FailedLoads {
  readonly #clock: Clock;
  readonly #durations: Durations;
  /** Keys whose load failed, and until when they are not loaded again. */
  readonly #errors = new RecentMap<string, { readonly error: unknown; readonly until: number }>();
  /** Keys whose refresh failed in this process, and until when it is left to others. */
  readonly #refreshes = new RecentMap<string, number>();

  constructor(clock: Clock, durations: Durations) {
    this.#clock = clock;
    this.#durations = durations;
  }

  add({ place, lead, claim, old, startedAt }: Flight, error: unknown): void {
    const { wireKey } = place;
    const { lease, errorPause } = lead.settings;
    const now = this.#clock.now();
    // Also when it was another process's turn, and this one has grown impatient: it need not try again at once.
    if (old !== undefined && (claim === 'token' || claim === 'guard')) this.#refreshes.set(wireKey, now + this.#durations.lease(wireKey, lease) * 1000);
    if (old === undefined && errorPause > 0 && startedAt >= 0) this.#errors.set(wireKey, { error, until: now + errorPause });
  }

  /** The error of the key's last load, while it is not to be loaded again. */
  pausing(wireKey: string, now = this.#clock.now()): { readonly error: unknown } | undefined {
    const failed = this.#errors.size === 0 ? undefined : this.#errors.get(wireKey);
    return failed !== undefined && failed.until > now ? failed : undefined;
  }

  /** Whether a refresh of the key has failed here not long ago. */
  hasRefreshFailed(wireKey: string): boolean {
    return (this.#refreshes.get(wireKey) ?? 0) > this.#clock.now();
  }

  /** The key was written: it may be loaded. */
  forget(wireKey: string): void {
    this.#errors.delete(wireKey);
  }
}
