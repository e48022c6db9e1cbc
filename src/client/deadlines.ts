import type { Clock, Timer } from '../runtime/clock';

/** A timer that comes later than this, in milliseconds, says that the event loop stood still. */
export const STALL = 20;

/**
 * Calls back at `due`, and later by the time for which the event loop stood still: what came meanwhile waits to be read,
 * and what was to be sent has not been sent. Being late is the peer's only when it was free to answer.
 */
export function fairTimeout(clock: Clock, due: number, callback: (now: number) => void, onSet: (timer: Timer) => void): void {
  const timer = clock.setTimeout(
    () => {
      const now = clock.now();
      const lost = now - due;
      if (lost > STALL) fairTimeout(clock, now + lost, callback, onSet);
      // Even then the socket is read once more first: timers come before input.
      else clock.setImmediate(() => { callback(now); });
    },
    Math.max(0, due - clock.now()),
  );
  timer.unref();
  onSet(timer);
}

/**
 * One timer for all calls of a connection, set for the earliest deadline. A timer per call would cost a quarter of
 * a small get.
 */
export class Deadlines {
  readonly #clock: Clock;
  readonly #judge: (now: number) => number;
  #timer: Timer | undefined;
  #due = Infinity;
  #closed = false;

  /** @param judge is called at a time that is due; it settles what is late and returns the earliest deadline to come */
  constructor(clock: Clock, judge: (now: number) => number) {
    this.#clock = clock;
    this.#judge = judge;
  }

  /** Makes sure that `deadline` is noticed. */
  watch(deadline: number): void {
    if (deadline >= this.#due || this.#closed) return;
    this.#timer?.close();
    this.#due = deadline;
    fairTimeout(
      this.#clock,
      deadline,
      (now) => { this.#onDue(now); },
      (timer) => (this.#timer = timer),
    );
  }

  close(): void {
    this.#closed = true;
    this.#timer?.close();
  }

  #onDue(now: number): void {
    if (this.#closed) return;
    const next = this.#judge(now);
    this.#due = Infinity;
    this.#timer = undefined;
    this.watch(next);
  }
}
