import { Ascii } from '../../../protocol/ascii';
import type { Frame } from '../../../protocol/frame';
import type { MemoryStore } from '../../engine/store';
import type { SessionOutput, TurnLimits } from '../../net/service';
import { Replies } from '../../shared/replies';
import { CommandLine } from './command-line';
import type { ServerContext } from './context';

/**
 * What a handler sees of the session: the line, the block, the store, and the reply. One
 * object per session serves all its commands.
 */
export class Exchange extends Replies {
  readonly line = new CommandLine();
  readonly context: ServerContext;
  readonly store: MemoryStore;
  /** Drops the reply: set by handlers when the client wants none, reset for each command. */
  silent = false;
  /** Whether the client is authenticated, or need not be. */
  authenticated: boolean;
  #frame: Frame | undefined;

  constructor(context: ServerContext, output: SessionOutput, limits: TurnLimits) {
    super(output, limits);
    this.context = context;
    this.store = context.store;
    this.authenticated = !context.requiresAuthentication;
  }

  /** The command's line and data block. */
  get frame(): Frame {
    if (this.#frame === undefined) throw new Error('no command is being executed');
    return this.#frame;
  }

  /** The length of the line in bytes, including its end. */
  get lineLength(): number {
    const { buffer, start, end } = this.frame;
    return end - start + (buffer[end] === Ascii.Cr ? 2 : 1);
  }

  /** Prepares for a command whose line was scanned; the line may have moved since. */
  begin(frame: Frame): void {
    this.#frame = frame;
    this.silent = false;
    this.line.moveTo(frame.buffer, frame.start);
  }

  /** Ends the command's share of this turn: in a later one `rest` goes on, with the line as it is now. */
  suspend(rest: () => void): void {
    this.line.keep();
    this.rest = rest;
  }

  /** Lets go of the memory that the line lies in: a client may rest for hours, and a large value may lie there too. */
  release(): void {
    if (this.rest === undefined) this.line.release();
  }

  /** Answers with a line, unless the client wants no answer. */
  reply(line: string): void {
    if (!this.silent) this.text(line + '\r\n');
  }

  /** Answers with a line even if the client wants no answer. */
  replyAlways(line: string): void {
    this.text(line + '\r\n');
  }
}
