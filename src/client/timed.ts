import type { ExecuteOptions } from './executor';

/** What has a deadline. */
export interface Timed {
  /** When its time-out is over, stalls not counted: on the monotonic clock, in milliseconds; `Infinity` for never. */
  readonly deadline: number;
  /** The length of all stalls of the process before it began, in milliseconds. */
  readonly stallsBefore: number;
  /** How many chances it was given. Nothing is added to the deadline of one. */
  readonly chances: number;
  giveChance(deadline: number): void;
}

/** The options of a call that has waited for something before it was made. */
export interface WaitedOptions extends ExecuteOptions {
  /** How much of its time is over; in place of `deadline`. */
  readonly begun?: Timed | undefined;
}
