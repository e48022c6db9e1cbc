import { MemcacheAuthenticationError, MemcacheUnknownError } from '../../errors';
import { PIECE, type RequestWriter } from '../../protocol/request';
import { Mark, type Call } from '../call';
import type { ServerMeter } from '../meter';
import type { CallQueue } from './call-queue';
import { replyError, unknownCommand } from '../../protocol/reply';
import { afterLastKey, JoinableGet, MORE, type Command } from '../command';
import { FENCE, FenceReader } from './fence';
import { GetLine } from './get-line';

/**
 * Commands without an answer are done once they are written. A caller that awaits each, one after the other, never lets
 * the event loop turn: with this many unfinished calls the next of them waits until the server has caught up.
 */
const MAX_UNANSWERED = 1024;

/**
 * Makes bytes of the calls that are to be written, in their order.
 *
 * - Gets in a row become one line ({@link GetLine}).
 * - A run of noreply commands is closed by a fence, whose answer the last of them awaits. One with a large block is answered, and
 *   awaits its own answer (see `ANSWERED_FROM`).
 * - A raw command is written only when nothing else is awaited, and nothing is written after it. Nor is anything after `quit` and
 *   `shutdown`: it would be lost.
 * - Before the first meta command with a data block the server is asked for its version: one that does not know the command would
 *   take the data for commands. Before the first `me` too, which memcached 1.5.22 answers by one line too many.
 */
export class Outbox {
  readonly #calls: CallQueue;
  readonly #request: RequestWriter;
  readonly #maxUnanswered: number;
  readonly #line: GetLine;
  /** The last of a run of noreply commands. */
  #unfenced: Call<unknown> | undefined;
  /** Nothing is written after it until it is answered: a raw command, which has the connection for itself, or one that ends it. */
  #barrier: Call<unknown> | undefined;
  /** Whether the server has meta commands, once its version is known. */
  #knowsMeta: boolean | undefined;
  /** The call in whose place the version is awaited; nothing is written after it. */
  #asking: Call<unknown> | undefined;
  readonly #meter: ServerMeter;
  readonly #fenceReader = new FenceReader((line) => {
    this.#knowsMeta ??= knowsMeta(line);
  });

  constructor(calls: CallQueue, request: RequestWriter, maxPending: number, meter: ServerMeter) {
    this.#calls = calls;
    this.#request = request;
    this.#line = new GetLine(calls, request);
    this.#meter = meter;
    this.#maxUnanswered = Math.max(1, Math.min(MAX_UNANSWERED, maxPending - 1));
  }

  /** The token that ends the reply to the raw command that was written last, if one was. */
  get rawUntil(): Buffer | undefined {
    return this.#barrier?.command.rawUntil;
  }

  /** Whether a written call was only asked for: its own bytes have not left yet. */
  isAsking(call: Call<unknown>): boolean {
    return call === this.#asking;
  }

  /**
   * Encodes what may be written now; false when there is nothing.
   *
   * @param separately whether no line may hold several keys, nor what twemproxy does not take
   */
  encode(separately: boolean): boolean {
    let call: Call<unknown> | undefined;
    if (this.#calls.written === 0) this.#barrier = undefined;
    this.#request.proxied = separately;
    // Several pieces leave together: sets of 100 KB that leave one by one take a fifth more.
    while (this.#barrier === undefined && this.#asking === undefined && this.#request.size < 4 * PIECE && (call = this.#calls.next) !== undefined) {
      // Withdrawn in time: without a reader it awaits nothing, and is passed over when its turn comes.
      const { command } = call;
      if (call.settled) call.mark(Mark.SharesReply);
      else if (command instanceof JoinableGet && !separately && !call.is(Mark.Separate)) {
        this.#fence();
        this.#line.add(call, command);
      } else if (command.noreply) {
        // Those that were withdrawn await nothing that would let it go on.
        if (this.#calls.written >= this.#maxUnanswered && !this.#isAlone()) break;
        this.#writeUnanswered(call);
      } else if (command.ordinary) this.#write(call, separately || call.is(Mark.Separate) ? (command.separated ?? command) : command);
      else if (command.closes || command.rawUntil !== undefined) {
        if (!command.closes && !this.#isAlone()) break;
        if (this.#write(call, command)) this.#barrier = call;
      } else if (this.#knowsMeta === undefined) this.#ask(call);
      else if (this.#knowsMeta) this.#write(call, command);
      else {
        // It may stand between gets that share a line, and is passed over like one that was withdrawn.
        call.mark(Mark.SharesReply);
        call.reject(unknownCommand(command, this.#meter.server, 'notSent'), this.#meter);
      }
      this.#calls.advance();
    }
    this.#line.end();
    this.#fence();
    this.#calls.trim();
    return this.#request.size > 0;
  }

  /** Whether it was written. */
  #write(call: Call<unknown>, command: Command<unknown>): boolean {
    this.#line.end();
    this.#fence();
    if (!this.#add(call, command, true)) return false;
    if (command instanceof JoinableGet && afterLastKey(command.wireKey) !== '') call.mark(Mark.InCompany);
    return true;
  }

  /** Adds the bytes of a command, all of them or none: the memory of a value may be gone, which must fail only that call. */
  #add(call: Call<unknown>, command: Command<unknown>, awaited = false): boolean {
    // Its promise may settle before the system has taken all of its value, which the caller may change from then on: so it is copied.
    this.#request.begin(command.noreply || call.mayBeAborted);
    try {
      command.write(this.#request);
      if (awaited) call.reader = command.reader();
      return true;
    } catch (error) {
      this.#request.undo();
      call.reject(error, this.#meter);
      return false;
    }
  }

  /** Asks for the version in the place of `call`, which follows when it may. */
  #ask(call: Call<unknown>): void {
    this.#line.end();
    this.#fence();
    const { command } = call;
    this.#asking = call;
    this.#request.text(FENCE);
    call.reader = {
      read: (frame, server) => {
        this.#asking = undefined;
        const error = frame.startsWith('VERSION') ? undefined : replyError(frame, command, server);
        if (error instanceof MemcacheUnknownError || error instanceof MemcacheAuthenticationError) throw error;
        // One that does not tell is taken at its word when the command comes.
        this.#knowsMeta = knowsMeta(frame.line());
        if (call.settled) return undefined;
        if (!this.#knowsMeta) throw unknownCommand(command, server, 'notSent');
        // When its value is gone it has been told, and awaits nothing more.
        return this.#write(call, command) ? MORE : undefined;
      },
    };
  }

  #writeUnanswered(call: Call<unknown>): void {
    if (call.command.answeredUnasked) {
      if (this.#write(call, call.command)) call.resolveUnanswered(this.#meter);
      return;
    }
    this.#line.end();
    if (!this.#add(call, call.command)) return;
    call.resolveUnanswered(this.#meter);
    this.#unfenced = call;
  }

  #fence(): void {
    if (this.#unfenced === undefined) return;
    this.#unfenced.reader = this.#fenceReader;
    this.#unfenced = undefined;
    this.#request.text(FENCE);
  }

  #isAlone(): boolean {
    // Before its fence the last of a run awaits nothing yet, and would be passed over.
    if (this.#unfenced !== undefined) return false;
    this.#calls.trim();
    return this.#calls.written === 0;
  }
}

/** Whether a server of this version has meta commands: from 1.6.0 on. Of one that does not count as memcached does, it is not known. */
function knowsMeta(line: string): boolean {
  const [, major, minor] = /^VERSION (\d+)\.(\d+)/.exec(line) ?? [];
  return major === undefined || Number(major) > 1 || Number(minor) >= 6;
}
