/** What a client did, as its process tells it: one line of JSON each. */
export interface CallObservation {
  /** A call of the fault's, or a get that is made to see whether the client is in order. */
  readonly step: 'call' | 'next';
  readonly operation: string;
  readonly key: string;
  readonly came: 'right' | 'wrong' | 'nothing' | 'error' | 'pending';
  /** What was delivered or thrown, in short. */
  readonly shown: string;
  readonly milliseconds: number;
}

export type Observation = CallObservation | { readonly step: 'warm' } | { readonly step: 'closing' } | { readonly step: 'done' };

/** All that was seen of one cell. */
export interface Play {
  readonly observations: readonly Observation[];
  /** How the process ended; `killed` when it did not by itself in time. */
  readonly exit: { readonly code: number | null; readonly killed: boolean };
  /** What the process had to say at its end. */
  readonly stderr: string;
  /** Whether a real memcached lost its canary. */
  readonly flushed: boolean;
  /** How the key of the call went to a real memcached; undefined without one. */
  readonly sent: 'as it is' | 'under another key' | 'not at all' | undefined;
}

/** When a call counts as never settled, in milliseconds: nearly four timeouts, as one client tries three times by default. */
export const PATIENCE = 1500;
/** How long it is tried whether a client recovers. */
export const RECOVERY = 2500;
/** How long a process may take to end after close(). */
export const FAREWELL = 2000;
