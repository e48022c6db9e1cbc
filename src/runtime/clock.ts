/** Time as the rest of the package sees it, so that tests can turn the hands themselves. */

/** A timer that has been set. */
export interface Timer {
  /** Lets the process end although the timer has not fired. */
  unref(): unknown;
  /** Cancels the timer; harmless afterwards. */
  close(): unknown;
}

/** A source of time. Durations are measured with `now`, which never jumps; only absolute expiry times use `time`. */
export interface Clock {
  /** Milliseconds on a monotonic clock, from an arbitrary start. */
  readonly now: () => number;
  /** Milliseconds since 1970 on the wall clock. */
  readonly time: () => number;
  /** Calls back once, not before `delay` milliseconds have passed. */
  setTimeout(callback: () => void, delay: number): Timer;
  /** Calls back after the event loop has looked for input once. */
  setImmediate(callback: () => void): void;
}

/** The machine's own clock, the default everywhere. */
export const systemClock: Clock = {
  now: () => performance.now(),
  time: () => Date.now(),
  setTimeout: (callback, delay) => setTimeout(callback, delay),
  setImmediate: (callback) => {
    setImmediate(callback);
  },
};
