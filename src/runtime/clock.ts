/** Time as the rest of the package sees it, so that tests can control it. */
// eslint-disable-next-line no-restricted-imports -- the clock is where the timers of the system are
import * as timers from 'node:timers';

/** A timer that has been set. */
export interface Timer {
  /** Lets the process end although the timer has not fired. */
  unref(): unknown;
  /** Cancels the timer; harmless afterwards. */
  close(): unknown;
  /** Whether it may never fire, because the process's timers were replaced after it was set: faked, or restored. */
  readonly isLost?: boolean;
}

/** A source of time. Durations are measured with `now`, which never jumps; only absolute expiry times use `time`. */
export interface Clock {
  /** Milliseconds on a monotonic clock, from an arbitrary start. */
  now(): number;
  /** Milliseconds since 1970 on the wall clock. */
  time(): number;
  /** Calls back once, not before `delay` milliseconds have passed; never when that is more than 2^31 - 1. */
  setTimeout(callback: () => void, delay: number): Timer;
  /** Calls back after the event loop has looked for input once. */
  setImmediate(callback: () => void): void;
  /** Whether a test moves it: then the process has not stood still when time passes within a tick. */
  readonly isDriven?: boolean;
}

/** The longest delay that Node's timers take, in milliseconds; they would fire at once for a longer one. */
export const LONGEST_TIMER = 2 ** 31 - 1;

/**
 * Replies are passed on by the `setImmediate` of the time when this module was loaded, so that they arrive while a test's fake
 * timers stand still. The module's function is the real one even where the global has been faked already.
 */
const { setImmediate: realSetImmediate } = timers;
const realNextTick = process.nextTick.bind(process);

/** Calls back when the current tick, with all its microtasks, is over. Fake timers do not hold it up. */
export function nextTick(callback: () => void): void {
  realNextTick(callback);
}

/** A timer of the process. It relies on no method of what `setTimeout` returns: other run-times return a number. */
class SystemTimer implements Timer {
  readonly #setTimeout = globalThis.setTimeout;
  /** The one that belongs to the `setTimeout` in use: fake timers complain about timers that they did not make. */
  readonly #clearTimeout = globalThis.clearTimeout;
  readonly #handle: unknown;

  constructor(callback: () => void, delay: number) {
    if (delay <= LONGEST_TIMER) this.#handle = this.#setTimeout.call(undefined, callback, delay);
  }

  get isLost(): boolean {
    return this.#setTimeout !== globalThis.setTimeout;
  }

  unref(): void {
    // Fake timers may give a number.
    (this.#handle as Partial<NodeJS.Timeout> | undefined)?.unref?.();
  }

  close(): void {
    this.#clearTimeout.call(undefined, this.#handle as NodeJS.Timeout | undefined);
  }
}

const RealDate = globalThis.Date;
const setTimeoutAtLoad = globalThis.setTimeout;
/** What the wall clock showed when the monotonic one began, in whole milliseconds as tests count them. */
const EPOCH = Math.round(Date.now() - performance.now());

/**
 * Milliseconds on the monotonic clock. A test that fakes `Date` expects durations to follow, whether or not it fakes
 * `performance` too, and also when it sets the time instead of letting it pass.
 */
function now(): number {
  return globalThis.Date === RealDate ? performance.now() : Date.now() - EPOCH;
}

/**
 * The machine's own clock, the default everywhere. Time and timers are looked up at each call, so that fake timers control
 * them; `setImmediate`, which passes replies on, is not.
 */
export const systemClock: Clock = {
  now,
  time: () => Date.now(),
  setTimeout: (callback, delay) => new SystemTimer(callback, delay),
  setImmediate: (callback) => {
    realSetImmediate(callback);
  },
  get isDriven() {
    return globalThis.setTimeout !== setTimeoutAtLoad;
  },
};
