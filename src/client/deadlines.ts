import type { Clock, Timer } from '../runtime/clock';

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
  watch(deadline: number, now: number): void {
    if (deadline >= this.#due || this.#closed) return;
    this.#timer?.close();
    this.#due = deadline;
    this.#timer = this.#clock.setTimeout(
      () => {
        // After the event loop stood still its timers come before the replies that wait in the kernel: the socket is
        // read once more before anybody is called late.
        this.#clock.setImmediate(() => {
          this.#onDue();
        });
      },
      Math.max(0, deadline - now),
    );
    this.#timer.unref();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.close();
  }

  #onDue(): void {
    if (this.#closed) return;
    const now = this.#clock.now();
    const next = this.#judge(now);
    this.#due = Infinity;
    this.#timer = undefined;
    this.watch(next, now);
  }
}
