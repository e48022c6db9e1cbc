import { systemClock, type Clock, type Timer } from './clock';

interface Pending extends Timer {
  readonly at: number;
  readonly callback: () => void;
}

/**
 * A clock for tests: it stands still until it is advanced, and its timers fire in order, each at its own time.
 *
 * ```ts
 * const clock = new ManualClock();
 * const server = await MemcachedServer.start({ clock });
 * …
 * clock.advance(60_000); // what was stored for a minute is gone
 * ```
 */
export class ManualClock implements Clock {
  readonly isDriven = true;
  #now = 0;
  readonly #startedAt: number;
  readonly #timers = new Set<Pending>();
  readonly #held = new Set<Pending>();

  /** @param startedAt what the wall clock shows at first, in milliseconds since 1970; the present time by default */
  constructor(startedAt: number = systemClock.time()) {
    this.#startedAt = startedAt;
  }

  now(): number {
    return this.#now;
  }

  time(): number {
    return this.#startedAt + this.#now;
  }

  setTimeout(callback: () => void, delay: number): Timer {
    const timer: Pending = {
      at: this.#now + delay,
      callback,
      unref: () => this.#held.delete(timer),
      close: () => {
        this.#forget(timer);
      },
    };
    this.#held.add(timer);
    this.#timers.add(timer);
    return timer;
  }

  /** As with the machine's clock: the event loop turns whether or not time passes. */
  setImmediate(callback: () => void): void {
    systemClock.setImmediate(callback);
  }

  /** How many timers are set. */
  get timers(): number {
    return this.#timers.size;
  }

  /** How many of them would keep a process alive. */
  get held(): number {
    return this.#held.size;
  }

  /** Lets this many milliseconds pass: every timer that is due by then fires. */
  advance(milliseconds: number): void {
    const end = this.#now + milliseconds;
    for (;;) {
      const next = Array.from(this.#timers)
        .sort((left, right) => left.at - right.at)
        .find(({ at }) => at <= end);
      if (next === undefined) break;
      this.#forget(next);
      this.#now = Math.max(this.#now, next.at);
      next.callback();
    }
    this.#now = end;
  }

  #forget(timer: Pending): void {
    this.#held.delete(timer);
    this.#timers.delete(timer);
  }
}
