import { MemcacheError } from '../errors';
import { Follower, rejected } from './abort';
import type { Command, ReplyReader } from './command';
import type { ServerMeter } from './meter';
import type { Outcome } from './outcomes';
import type { WaitedOptions } from './timed';

/** Deadlines that are not a time: not set yet, and never. */
const UNSET = -1;
const NEVER = -2;

/** The marks of a call, one bit each. */
export const enum Mark {
  Settled = 1,
  /** The reply goes on with the next call: all but the last of the gets that share a line. */
  SharesReply = 2,
  /** Its own part of a shared reply has arrived. */
  Answered = 4,
  /** Its keys are asked for one by one, since a reply for several was broken by an error. */
  Separate = 8,
  /** Of a call that ends the reply to a shared line: the line holds another key than its own. */
  InCompany = 16,
  /** A later call of the same line is for the same key, and is answered with this one. */
  Twinned = 32,
  Unawaited = 64,
  Following = 128,
  /** From this bit on: how often it was given more time. */
  Chance = 256,
}
/** Where those bits begin. */
const CHANCES = 8;

/**
 * One execution of a command on one connection: the promise, and where it stands. A call that has settled keeps its
 * place in the queue, so that its reply, when it comes, is not taken for another call's.
 *
 * Many thousands may wait, so it is kept small: with its command and its promise about 300 bytes of heap. A private method would
 * take eight bytes of each.
 */
export class Call<R> {
  readonly command: Command<R>;
  reader: ReplyReader<R> | undefined;
  #marks = 0;
  /** In whole milliseconds: V8 keeps an integer in the object, and a fraction in sixteen bytes beside it. */
  #deadline = UNSET;
  #stallsBefore = UNSET;
  #resolve: (result: R | Promise<never>) => void;

  /** @param resolve of its promise; it rejects through the same function, as a second one would take 72 bytes more */
  constructor(command: Command<R>, resolve: (result: R | Promise<never>) => void) {
    this.command = command;
    this.#resolve = resolve;
  }

  /** Whether it ends when its caller wants it to. */
  get mayBeAborted(): boolean {
    return this.is(Mark.Following);
  }

  /** Whether its promise has settled. */
  get settled(): boolean {
    return (this.#marks & Mark.Settled) !== 0;
  }

  /** Whether it has any of these marks. */
  is(mark: Mark): boolean {
    return (this.#marks & mark) !== 0;
  }

  /** @param marks bits of {@link Mark}, the number of chances among them */
  mark(marks: number): void {
    this.#marks |= marks;
  }

  markAnswered(): void {
    this.#marks |= (this.#marks & Mark.Settled) === 0 ? Mark.Answered : Mark.Answered | Mark.Unawaited;
  }

  /** Whether it had settled before its reply came, or has settled and got none. */
  get unawaited(): boolean {
    return (this.settled && !this.is(Mark.Answered)) || this.is(Mark.Unawaited);
  }

  /** Makes it as if it had not been written, so that it can be sent over another connection. */
  rewind(): void {
    this.#marks &= Mark.Settled | Mark.Separate | Mark.Following | -Mark.Chance;
    this.reader = undefined;
  }

  /** When its time-out is over, not counting stalls: in milliseconds of the monotonic clock; `Infinity` for never. */
  get deadline(): number {
    return this.#deadline === NEVER ? Infinity : this.#deadline;
  }

  set deadline(time: number) {
    this.#deadline = time === Infinity ? NEVER : Math.ceil(time);
  }

  /** The total length of the stalls before it began. */
  get stallsBefore(): number {
    return this.#stallsBefore;
  }

  /** Whether its time has started. */
  get begun(): boolean {
    return this.#stallsBefore !== UNSET;
  }

  /** Starts its time. A deadline given by the caller stays. */
  begin(deadline: number, stallsBefore: number): void {
    this.#stallsBefore = stallsBefore;
    if (this.#deadline === UNSET) this.deadline = deadline;
  }

  /** How often it was given more time, since it came due while the process stood still. */
  get chances(): number {
    return this.#marks >> CHANCES;
  }

  giveChance(deadline: number): void {
    this.deadline = deadline;
    this.#marks += Mark.Chance;
  }

  /** Settles the call, and lets `meter` count it, as whatever settles it does. */
  resolve(result: R, meter: ServerMeter): void {
    if (!this.settle()) return;
    try {
      meter.succeed(this.command, result);
      this.#resolve(result);
    } catch (error) {
      this.fail(error, meter);
    }
  }

  /** Like {@link resolve}, when the outcome is known. */
  resolveAs(result: R, outcome: Outcome, meter: ServerMeter): void {
    if (!this.settle()) return;
    meter.succeedAs(this.command.verb, outcome);
    this.#resolve(result);
  }

  /** Resolves a call that is written, and that the server was asked not to answer. */
  resolveUnanswered(meter: ServerMeter): void {
    if (!this.settle()) return;
    try {
      const result = this.command.unanswered();
      meter.unanswered(this.command);
      this.#resolve(result);
    } catch (error) {
      this.fail(error, meter);
    }
  }

  reject(reason: unknown, meter: ServerMeter): void {
    if (!this.settle()) return;
    if (reason instanceof MemcacheError) locate(reason, meter.server, this.command.verb);
    this.fail(reason, meter);
  }

  /** Rejects with the signal's reason when it fires; `onWithdrawn` is then called, unless the call had settled. */
  follow(signal: AbortSignal, carrier: Carrier): void {
    const resolve = this.#resolve;
    const follower = new CallFollower(this, signal, carrier);
    this.#marks |= Mark.Following;
    this.#resolve = (result) => {
      follower.leave();
      resolve(result);
    };
  }

  /** Rejects with the reason of the caller's signal. */
  abort(reason: unknown, meter: ServerMeter): void {
    if (!this.settle()) return;
    meter.abort(this.command);
    this.#resolve(rejected(reason));
  }

  /** Marks it as settled: whoever calls this settles its promise next. False if it was. */
  private settle(): boolean {
    if (this.settled) return false;
    this.#marks |= Mark.Settled;
    return true;
  }

  /** Rejects it, once it is marked as settled: also where a command of somebody's own throws when it is asked about a result. */
  private fail(error: unknown, meter: ServerMeter): void {
    meter.fail(this.command, error);
    this.#resolve(rejected(error));
  }
}

/** Ends its call when the signal fires. */
class CallFollower<R> extends Follower {
  readonly #call: Call<R>;
  readonly #carrier: Carrier;

  constructor(call: Call<R>, signal: AbortSignal, carrier: Carrier) {
    super();
    this.#call = call;
    this.#carrier = carrier;
    this.follow(signal);
  }

  override onEnd(reason: unknown): void {
    this.#call.abort(reason, this.#carrier.meter);
    this.#carrier.onWithdrawn?.();
  }
}

/** Adds server and command to errors that were made where they are not known. */
export function locate(error: MemcacheError, server: string | undefined, command: string): void {
  if (error.server === undefined && server !== undefined) Object.assign(error, { server });
  if (error.command === undefined) Object.assign(error, { command });
}

/** Takes calls, and sees to their replies. */
export interface Carrier {
  readonly meter: ServerMeter;
  add(call: Call<unknown>): void;
  /** Called when a call was aborted. */
  readonly onWithdrawn?: () => void;
}

/** Begins a call, as every call to a server does: makes its promise and hands it to `carrier`. */
export function startCall<R>(carrier: Carrier, command: Command<R>, options: WaitedOptions | undefined): Promise<R> {
  return new Promise<R>((resolve) => {
    const call = new Call(command, resolve);
    if (options !== undefined) {
      const { begun, deadline, signal, trace } = options;
      if (trace !== undefined) trace.server = carrier.meter.server;
      if (begun !== undefined) {
        call.begin(begun.deadline, begun.stallsBefore);
        call.mark(begun.chances << CHANCES);
      } else if (deadline !== undefined) call.deadline = deadline;
      if (signal !== undefined) call.follow(signal, carrier);
    }
    carrier.add(call as Call<unknown>);
  });
}
