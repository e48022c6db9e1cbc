import { FrameError, type Frame } from '../../protocol/frame';
import { isWord, replyError } from '../../protocol/reply';
import type { Call } from '../call';
import type { CallQueue } from './call-queue';
import { MORE } from '../command';
import { JoinableGet } from '../commands/retrieval';
import { FenceReader } from './fence';
import { spoils } from './spoils';

/** A reply that was delivered, as an error, and after which the connection must not be used. */
export class SpoilingReply extends Error {
  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : 'a reply cannot be trusted', { cause });
  }
}

/** Gives each frame to the call whose turn it is, and to no other. */
export class Inbox {
  readonly #calls: CallQueue;
  readonly #server: string;

  constructor(calls: CallQueue, server: string) {
    this.#calls = calls;
    this.#server = server;
  }

  /**
   * @throws FrameError when the frame cannot be what the next call awaits; that call has not been told
   * @throws SpoilingReply when the call has been told, and the position in the stream is in doubt
   */
  take(frame: Frame): void {
    this.#calls.trim();
    const call = this.#calls.head;
    if (call === undefined) throw new FrameError('the server sent something that was not asked for');
    if (!frame.terminated) throw new FrameError('a value does not end in CR LF');
    if (call.command instanceof JoinableGet) this.#takeJoined(call, call.command, frame);
    else this.#takeOwn(call, frame);
  }

  #takeOwn(call: Call<unknown>, frame: Frame): void {
    const { reader } = call;
    if (reader instanceof FenceReader && reader.isPast(frame)) {
      this.#calls.shift();
      this.take(frame);
      return;
    }
    let result: unknown;
    try {
      result = reader?.read(frame, this.#server);
    } catch (error) {
      if (error instanceof FrameError) throw error;
      this.#calls.shift();
      call.reject(error);
      if (spoils(error, call.command)) throw new SpoilingReply(error);
      return;
    }
    if (result === MORE) return;
    this.#calls.shift();
    call.resolve(result);
  }

  /** A frame of the reply to `get k1 k2 …`: a value for one of the keys, in their order, or the end. */
  #takeJoined(head: Call<unknown>, command: JoinableGet<unknown>, frame: Frame): void {
    if (!frame.hasBlock) this.#endJoined(head, command, frame);
    else if (!head.answered && command.answeredBy(frame)) this.#hit(head, command, frame);
    else this.#hitBehind(head, frame);
  }

  #hit(call: Call<unknown>, command: JoinableGet<unknown>, frame: Frame): void {
    let value: unknown;
    let failure: unknown;
    if (!call.settled) {
      try {
        value = command.hit(frame);
      } catch (error) {
        if (error instanceof FrameError) throw error;
        failure = error;
      }
    }
    call.markAnswered();
    // The last one of a line keeps its place until END has come.
    if (!call.endsReply) this.#calls.shift();
    if (failure === undefined) call.resolve(value);
    else call.reject(failure);
  }

  /** The value is not for the head. It is for a later key of the line, and those before it were missed, or for nobody. */
  #hitBehind(head: Call<unknown>, frame: Frame): void {
    let call = head;
    for (let offset = 1; !call.endsReply; offset++) {
      const next = this.#calls.behindHead(offset);
      if (next === undefined) break;
      call = next;
      const { command } = call;
      if (call.reader === undefined || !(command instanceof JoinableGet) || !command.answeredBy(frame)) continue;
      for (; offset > 0; offset--) this.#miss();
      this.#hit(call, command, frame);
      return;
    }
    throw new FrameError('the reply holds a value for a key that was not asked for');
  }

  /** `END`, or an error line in place of all that was still to come. */
  #endJoined(head: Call<unknown>, command: JoinableGet<unknown>, frame: Frame): void {
    const error = isWord(frame, 'END') ? undefined : replyError(frame, { command: command.verb, server: this.#server });
    let call: Call<unknown> | undefined = head;
    do {
      if (error !== undefined) call.reject(error);
      const last: boolean = call.endsReply;
      this.#miss();
      call = last ? undefined : this.#calls.head;
    } while (call !== undefined);
    if (error !== undefined && spoils(error, command)) throw new SpoilingReply(error);
  }

  /** The head's key was not there. A call that was answered, or withdrawn, is not told again. */
  #miss(): void {
    const call = this.#calls.head;
    this.#calls.shift();
    if (call?.command instanceof JoinableGet && !call.settled) call.resolve(call.command.miss());
  }
}
