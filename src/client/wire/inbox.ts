import { MemcacheUnknownCommandError, MemcacheUnknownError } from '../../errors';
import { FrameError, type Frame } from '../../protocol/frame';
import { isWord, replyError } from '../../protocol/reply';
import { Mark, type Call } from '../call';
import type { CallQueue } from './call-queue';
import type { ServerMeter } from '../meter';
import { MISS as NOTHING } from '../outcomes';
import { BrokenReply, FLAG_KEY, isStopgap, JoinableGet, MORE, type Command } from '../command';
import { isWorthRepeating, spoils } from './spoils';

/** The call has its reply, as an error, and the connection must not be used any more. */
export class SpoilingReply extends Error {
  constructor(cause: unknown) {
    super('a reply cannot be trusted', { cause });
  }
}

/** A reply for several keys was broken by an error: nobody was told, and the calls it was for are marked `separate`. */
export class RepeatSeparately extends BrokenReply {}

/** Something came while nothing was awaited. */
export function unasked(): FrameError {
  return new FrameError('the server sent something that was not asked for');
}

/** Gives each frame to the call whose turn it is, and to no other. */
export class Inbox {
  readonly #calls: CallQueue;
  readonly #meter: ServerMeter;
  /** Whether a value has come for the line whose end is awaited. */
  #inLine = false;
  /**
   * How many calls of that line, from the head on, no value is expected for any more. Those that got none are told of a miss when the
   * line ends, not before: twemproxy answers in another order when some keys are not there.
   */
  #passed = 0;

  constructor(calls: CallQueue, meter: ServerMeter) {
    this.#calls = calls;
    this.#meter = meter;
  }

  /** The key of the value that most likely comes next. */
  get expectedKey(): string | undefined {
    return (this.#passed === 0 ? this.#calls.head : this.#calls.afterHead(this.#passed))?.reader?.expectedKey;
  }

  /**
   * @throws FrameError when the frame cannot be what the next call awaits; that call has not been told
   * @throws SpoilingReply when the call has been told, and the position in the stream is in doubt
   * @throws RepeatSeparately when the position is in doubt, and the calls may be made again
   */
  take(frame: Frame): void {
    const call = this.#calls.head;
    if (call === undefined) throw unasked();
    if (!frame.terminated) throw new FrameError('a value does not end in CR LF');
    if (call.command instanceof JoinableGet) this.#takeJoined(call, call.command, frame);
    else this.#takeOwn(call, frame);
  }

  #takeOwn(call: Call<unknown>, frame: Frame): void {
    const { reader } = call;
    let result: unknown;
    try {
      result = reader?.read(frame, this.#meter.server);
    } catch (error) {
      if (error instanceof FrameError) throw error;
      if (error instanceof BrokenReply) this.#onBroken(call, error);
      this.#calls.shift();
      call.reject(error, this.#meter);
      if (spoils(error, call.command)) throw new SpoilingReply(error);
      return;
    }
    if (result === MORE) return;
    this.#calls.shift();
    call.resolve(result, this.#meter);
  }

  #onBroken(call: Call<unknown>, { cause }: BrokenReply): never {
    if (call.command.separated !== undefined && !call.is(Mark.Separate) && isWorthRepeating(cause)) {
      call.mark(Mark.Separate);
      throw new RepeatSeparately(cause);
    }
    this.#calls.shift();
    call.reject(cause, this.#meter);
    throw new SpoilingReply(cause);
  }

  /** A frame of the reply to `get k1 k2 …`: a value for one of the keys, in their order, or the end. */
  #takeJoined(head: Call<unknown>, command: JoinableGet<unknown>, frame: Frame): void {
    if (!frame.hasBlock) this.#endJoined(head, command, frame);
    else if (this.#passed === 0 && !head.is(Mark.Answered) && command.answeredBy(frame)) this.#hit(head, command, frame);
    else this.#hitAfterHead(head, frame);
  }

  #hit(call: Call<unknown>, command: JoinableGet<unknown>, frame: Frame): void {
    let value: unknown;
    let failure: unknown;
    const isAwaited = !call.settled;
    if (isAwaited) {
      try {
        value = command.hit(frame);
      } catch (error) {
        if (error instanceof FrameError) throw error;
        failure = error;
      }
    }
    call.markAnswered();
    this.#inLine = true;
    // The last one of a line keeps its place until END has come, and so do those after one that no value has come for.
    if (this.#passed === 0 && call.is(Mark.SharesReply)) this.#calls.shift();
    if (failure !== undefined) call.reject(failure, this.#meter);
    else if (isAwaited) call.resolveAs(value, command.outcome(value), this.#meter);
    if (call.is(Mark.Twinned)) this.#hitTwins(frame);
  }

  /** Later calls of the line for the same key keep their places, and are answered now. */
  #hitTwins(frame: Frame): void {
    // The first may have kept the memory; each of the others needs its own.
    frame.owned = false;
    for (const call of this.#line()) {
      const { command } = call;
      if (!isFor(call, command, frame)) continue;
      call.markAnswered();
      try {
        call.resolve(call.settled ? undefined : command.hit(frame), this.#meter);
      } catch (error) {
        call.reject(error, this.#meter);
      }
    }
  }

  /** The value is not for the head. It is for a later key of the line, or for nobody. */
  #hitAfterHead(head: Call<unknown>, frame: Frame): void {
    const passed = this.#passed;
    let call = head;
    for (let offset = passed; ; offset++) {
      const next = offset === 0 ? head : this.#calls.afterHead(offset);
      if (next === undefined) break;
      call = next;
      const { command } = call;
      const goesOn = call.is(Mark.SharesReply);
      if (isFor(call, command, frame)) {
        this.#passed = goesOn ? offset + 1 : offset;
        this.#hit(call, command, frame);
        return;
      }
      if (!goesOn) break;
    }
    if (call.is(Mark.InCompany) && isStopgap(frame, FLAG_KEY)) return;
    for (let offset = 0; offset < passed; offset++) {
      const earlier = this.#calls.afterHead(offset);
      if (earlier === undefined || !isFor(earlier, earlier.command, frame)) continue;
      this.#markSeparate();
      throw new RepeatSeparately(new MemcacheUnknownError('values came in another order than was asked for; see the option proxy', { certainty: 'maybeExecuted' }));
    }
    throw new FrameError('the reply holds a value for a key that was not asked for');
  }

  /** The calls of the line are to be asked for one by one. */
  #markSeparate(): void {
    for (const call of this.#line()) call.mark(Mark.Separate);
  }

  /** The calls of the line that is being answered, from the head on. */
  *#line(): Generator<Call<unknown>> {
    let call = this.#calls.head;
    for (let offset = 1; call !== undefined; offset++) {
      yield call;
      call = call.is(Mark.SharesReply) ? this.#calls.afterHead(offset) : undefined;
    }
  }

  /** `END`, or an error line: of a line with one key that is the whole reply, of one with several the rest may follow. */
  #endJoined(head: Call<unknown>, command: JoinableGet<unknown>, frame: Frame): void {
    const error = isWord(frame, 'END') ? undefined : replyError(frame, command, this.#meter.server);
    // A server that does not know the command says so once, in place of all that the line asked for.
    const isWhole = !this.#inLine && error instanceof MemcacheUnknownCommandError;
    const inDoubt = error !== undefined && !isWhole && [...this.#line()].some((call) => call.is(Mark.InCompany));
    this.#inLine = false;
    this.#passed = 0;
    if (inDoubt && !head.is(Mark.Separate) && isWorthRepeating(error)) {
      this.#markSeparate();
      throw new RepeatSeparately(error);
    }
    let call: Call<unknown> | undefined = head;
    do {
      const goesOn: boolean = call.is(Mark.SharesReply);
      this.#miss(call, error);
      call = goesOn ? this.#calls.head : undefined;
    } while (call !== undefined);
    if (error !== undefined && (inDoubt || spoils(error, command))) throw new SpoilingReply(error);
  }

  /** The head's key was not there, or the reply was an error. A call that was answered, or withdrawn, is not told again. */
  #miss(head: Call<unknown>, error?: unknown): void {
    this.#calls.shift();
    if (head.settled) return;
    const { command } = head;
    if (error !== undefined) head.reject(error, this.#meter);
    else if (command instanceof JoinableGet) head.resolveAs(command.miss(), NOTHING, this.#meter);
  }
}

/** Whether the frame is the value that a call of a line still waits for. */
function isFor(call: Call<unknown>, command: Command<unknown>, frame: Frame): command is JoinableGet<unknown> {
  return call.reader !== undefined && !call.is(Mark.Answered) && command instanceof JoinableGet && command.answeredBy(frame);
}
