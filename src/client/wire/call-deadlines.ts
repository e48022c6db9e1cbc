import type { Clock, Timer } from '../../runtime/clock';

/** A timer that comes later than this, in milliseconds, says that the event loop stood still. */
export const STALL = 5;
/** The least that is then added, since what was to be sent is perhaps only sent now; and the most, after a long sleep. */
const MIN_GRACE = 20;
const MAX_GRACE = 200;

/**
 * Calls back at `due`, and later by the time for which the event loop stood still, within bounds: what came meanwhile waits to be read,
 * and what was to be sent has not been sent. Being late is the peer's only when it was free to answer. Time is added
 * once only, so that a process that is always busy has deadlines all the same.
 *
 * @param callback is given the time up to which deadlines have passed
 */
export function fairTimeout(clock: Clock, due: number, callback: (passed: number) => void, onSet: (timer: Timer) => void): void {
  const set = (delay: number, onTime: () => void): void => {
    const timer = clock.setTimeout(onTime, Math.max(0, delay));
    timer.unref();
    onSet(timer);
  };
  set(due - clock.now(), () => {
    const now = clock.now();
    // Even then the socket is read once more first: timers come before input.
    const onLastTime = (): void => {
      clock.setImmediate(() => { callback(now); });
    };
    const lost = now - due;
    if (lost > STALL) set(Math.min(Math.max(lost, MIN_GRACE), MAX_GRACE), onLastTime);
    else onLastTime();
  });
}

/**
 * One timer for all calls of a connection, set for the earliest deadline. A timer per call would cost a quarter of
 * a small get.
 */
export class Deadlines {
  readonly #clock: Clock;
  readonly #judge: (passed: number) => number;
  #timer: Timer | undefined;
  #due = Infinity;
  #closed = false;

  /** @param judge settles what was due by the time that it is given, and returns the earliest deadline to come */
  constructor(clock: Clock, judge: (passed: number) => number) {
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
      (passed) => { this.#onDue(passed); },
      (timer) => (this.#timer = timer),
    );
  }

  close(): void {
    this.#closed = true;
    this.#timer?.close();
  }

  #onDue(passed: number): void {
    if (this.#closed) return;
    const next = this.#judge(passed);
    this.#due = Infinity;
    this.#timer = undefined;
    this.watch(next);
  }
}
