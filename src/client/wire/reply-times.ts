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
  /** The batch whose replies are coming ends before this position. */
  #end = -1;
  #written = 0;
  /** How many of the queue's answered calls are counted. */
  #counted = 0;
  /** The time of this read; undefined until it has answered a call. */
  #now: number | undefined;

  constructor(calls: CallQueue, meter: ServerMeter, clock: Clock) {
    this.#calls = calls;
    this.#meter = meter;
    this.#clock = clock;
  }

  /** All calls up to the next position are written. */
  wrote(): void {
    const { nextPosition, headPosition } = this.#calls;
    // Not all batches are answered: those of commands without a reply are not.
    while ((this.#ends[0] ?? Infinity) <= headPosition) this.#forgetFirst();
    this.#ends.push(nextPosition);
    this.#times.push(this.#clock.now());
  }

  /** The head is written once more, and all before it is answered: its time runs from now. */
  startAgain(): void {
    this.#ends.length = this.#times.length = 0;
    this.#end = -1;
  }

  /** A reply begins: it is for the head, and what shares it was written together with it. */
  begin(): void {
    if (this.#calls.headPosition >= this.#end) this.#turn();
  }

  /** All that was read is taken. */
  endRead(): void {
    this.#flush();
    this.#now = undefined;
  }

  /** To the batch of the head. */
  #turn(): void {
    this.#flush();
    while ((this.#ends[0] ?? Infinity) <= this.#calls.headPosition) this.#forgetFirst();
    this.#end = this.#ends[0] ?? Infinity;
    this.#written = this.#times[0] ?? 0;
  }

  #flush(): void {
    const { answered } = this.#calls;
    if (answered === this.#counted) return;
    this.#now ??= this.#clock.now();
    this.#meter.answered(answered - this.#counted, this.#now - this.#written);
    this.#counted = answered;
  }

  #forgetFirst(): void {
    this.#ends.shift();
    this.#times.shift();
  }
}
