import type { Clock, Timer } from '../../src/runtime/clock';

interface Pending extends Timer {
  readonly at: number;
  readonly callback: () => void;
}

/** A clock that stands still until it is turned. Its timers fire in order, at their own time. */
export class ManualClock implements Clock {
  #now = 0;
  readonly #epoch = 1_700_000_000_000;
  readonly #timers = new Set<Pending>();
  /** Timers that would keep the process alive. */
  readonly held = new Set<Timer>();

  now(): number {
    return this.#now;
  }

  time(): number {
    return this.#epoch + this.#now;
  }

  setTimeout(callback: () => void, delay: number): Timer {
    const timer: Pending = {
      at: this.#now + delay,
      callback,
      unref: () => this.held.delete(timer),
      close: () => {
        this.held.delete(timer);
        this.#timers.delete(timer);
      },
    };
    this.held.add(timer);
    this.#timers.add(timer);
    return timer;
  }

  setImmediate(callback: () => void): void {
    this.setTimeout(callback, 0);
  }

  /** How many timers are set. */
  get timers(): number {
    return this.#timers.size;
  }

  /** Turns the clock on by so many milliseconds. */
  advance(milliseconds: number): void {
    const end = this.#now + milliseconds;
    for (;;) {
      const next = Array.from(this.#timers)
        .sort((left, right) => left.at - right.at)
        .find(({ at }) => at <= end);
      if (next === undefined) break;
      this.#timers.delete(next);
      this.held.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.callback();
    }
    this.#now = end;
  }
}
