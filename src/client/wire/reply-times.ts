import type { Clock } from '../../runtime/clock';
import type { ServerMeter } from '../meter';
import type { CallQueue } from './call-queue';

/**
 * How long replies take, from the write of a call to its reply: known by batch, so that neither a look at the clock nor a
 * byte of memory is spent on a call. Calls are known by their positions in the queue.
 */
export class ReplyTimes {
  readonly #calls: CallQueue;
  readonly #meter: ServerMeter;
  readonly #clock: Clock;
  /** What was written together, oldest first: the position after its last call, and the time. */
  readonly #ends: number[] = [];
  readonly #times: number[] = [];
  /** All calls before this position are counted, or were passed over. */
  #counted = 0;
  /** The time of this read; undefined until a call that it answered is counted. */
  #now: number | undefined;

  constructor(calls: CallQueue, meter: ServerMeter, clock: Clock) {
    this.#calls = calls;
    this.#meter = meter;
    this.#clock = clock;
    calls.onUnawaited = () => {
      this.#count();
      this.#counted++;
    };
  }

  /** All calls up to the next position are written. */
  wrote(): void {
    this.#forgetCounted();
    this.#ends.push(this.#calls.nextPosition);
    this.#times.push(this.#clock.now());
  }

  /** The head is written once more, and all before it is answered: its time runs from now. */
  startAgain(): void {
    this.#ends.length = this.#times.length = 0;
  }

  /** All that was read is taken: what has left the queue was answered. */
  endRead(): void {
    this.#count();
    this.#now = undefined;
  }

  #count(): void {
    const { headPosition } = this.#calls;
    while (this.#counted < headPosition) {
      this.#forgetCounted();
      this.#now ??= this.#clock.now();
      const end = Math.min(headPosition, this.#ends[0] ?? headPosition);
      this.#meter.answered(end - this.#counted, this.#now - (this.#times[0] ?? this.#now));
      this.#counted = end;
    }
  }

  #forgetCounted(): void {
    while ((this.#ends[0] ?? Infinity) <= this.#counted) {
      this.#ends.shift();
      this.#times.shift();
    }
  }
}
