import type { Clock } from '../../runtime/clock';
import type { ServerMeter } from '../meter';

/**
 * How long replies take, from the write of a call to its reply: known by batch, so that neither a look at the clock nor a
 * byte of memory is spent on a call. Calls are known by their positions in the queue.
 */
export class ReplyTimes {
  readonly #meter: ServerMeter;
  readonly #clock: Clock;
  /** What was written together, oldest first: the position after its last call, and the time. */
  readonly #ends: number[] = [];
  readonly #times: number[] = [];
  /** The batch whose replies are coming ends before this position. */
  #end = -1;
  #written = 0;
  /** Calls of that batch that this read has answered so far. */
  #answered = 0;
  /** The time of this read; undefined until it has answered a call. */
  #now: number | undefined;

  constructor(meter: ServerMeter, clock: Clock) {
    this.#meter = meter;
    this.#clock = clock;
  }

  /** The calls before `end` are written; those before `head` await nothing any more. */
  wrote(end: number, head: number): void {
    // Not all batches are answered: those of commands without a reply are not.
    while ((this.#ends[0] ?? Infinity) <= head) this.#forgetFirst();
    this.#ends.push(end);
    this.#times.push(this.#clock.now());
  }

  /** The call at `position` is answered, or one of the same batch. */
  answered(position: number): void {
    if (position >= this.#end) this.#turnTo(position);
    this.#answered++;
  }

  /** All that was read is taken. */
  endRead(): void {
    if (this.#answered > 0) this.#flush();
    this.#now = undefined;
  }

  #turnTo(position: number): void {
    if (this.#answered > 0) this.#flush();
    while ((this.#ends[0] ?? Infinity) <= position) this.#forgetFirst();
    this.#end = this.#ends[0] ?? Infinity;
    this.#written = this.#times[0] ?? 0;
  }

  #flush(): void {
    this.#now ??= this.#clock.now();
    this.#meter.answered(this.#answered, this.#now - this.#written);
    this.#answered = 0;
  }

  #forgetFirst(): void {
    this.#ends.shift();
    this.#times.shift();
  }
}
