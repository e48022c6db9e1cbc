import { MAX_RELATIVE_EXPTIME } from '../../protocol/limits';
import type { Clock } from '../../runtime/clock';

/**
 * The store's time begins here, in milliseconds, as memcached's does (`ITEM_UPDATE_INTERVAL` + 2 seconds): so there is
 * a past for what expires at once to lie in.
 */
const TIME_BEFORE_START = 62_000;

/** The deadline of what expires at once. */
const PAST = 1000;

/** Time as one store counts it: from a little before its start, and never backwards. */
export class StoreTime {
  readonly #clock: Clock;
  readonly #origin: number;
  /** On the wall clock. */
  readonly #startedAt: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#origin = clock.now() - TIME_BEFORE_START;
    this.#startedAt = clock.time() - TIME_BEFORE_START;
  }

  /** In whole milliseconds. */
  now(): number {
    return Math.floor(this.#clock.now() - this.#origin);
  }

  /** In whole seconds. */
  seconds(): number {
    return Math.floor(this.now() / 1000);
  }

  /** The beginning of the store's time, in milliseconds since 1970, by what the wall clock shows now. */
  epoch(): number {
    return Math.round(this.#clock.time()) - this.now();
  }

  /** Whole seconds until `deadline`, a part of one counted as one. */
  secondsUntil(deadline: number): number {
    return Math.ceil((deadline - this.now()) / 1000);
  }

  /** The deadline that an `exptime` in seconds means; 0 for never. */
  deadline(exptime: number): number {
    if (exptime === 0) return 0;
    if (exptime < 0) return PAST;
    if (exptime <= MAX_RELATIVE_EXPTIME) return this.now() + exptime * 1000;
    if (exptime * 1000 <= this.#startedAt) return PAST;
    return Math.max(PAST, Math.floor(this.now() + exptime * 1000 - this.#clock.time()));
  }
}
