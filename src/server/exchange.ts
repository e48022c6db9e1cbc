import type { Frame } from '../protocol/frame';
import { CommandLine } from './command-line';
import type { ServerContext } from './context';
import type { MemoryStore } from './storage/store';
import { valueText, type StoredValue } from './storage/item';

/** Where a session's replies go. `text` has one character per byte. Bytes are not copied and must not change later. */
export interface SessionOutput {
  write(data: string | Uint8Array): void;
  /** Nothing will follow. */
  end(): void;
}

/** Values of at least this many bytes are passed on as they are; shorter ones are cheaper as a part of the text. */
const PASS_FROM = 4096;

/** So much gathered text is passed on before the turn ends, in bytes. */
const FLUSH_FROM = 64 * 1024;

/**
 * What a handler sees of the session whose command it executes: the line, the block, the store, and the reply. One
 * object per session serves all its commands. Replies are gathered as text, and leave together at the end of a turn.
 */
export class Exchange {
  readonly line = new CommandLine();
  readonly context: ServerContext;
  readonly store: MemoryStore;
  /** Swallows the answer: set by handlers when the client wants none, reset for each command. */
  silent = false;
  /** How many bytes of replies this turn has produced. */
  produced = 0;
  /** Whether the client's user is known, or no one asks. */
  authenticated: boolean;
  /** Whether the session is over. */
  ended = false;
  readonly #output: SessionOutput;
  #text = '';
  #frame: Frame | undefined;

  constructor(context: ServerContext, output: SessionOutput) {
    this.context = context;
    this.store = context.store;
    this.authenticated = !context.requiresAuthentication;
    this.#output = output;
  }

  /** The command's data block. */
  get frame(): Frame {
    if (this.#frame === undefined) throw new Error('no command is being executed');
    return this.#frame;
  }

  /** Makes ready for a command. */
  begin(frame: Frame): void {
    this.#frame = frame;
    this.silent = false;
  }

  /** Whether replies of this turn have not left yet: some commands refuse to follow others in a pipeline. */
  get pipelined(): boolean {
    return this.#text !== '';
  }

  /** Answers with a line, unless the client wants no answer. */
  reply(line: string): void {
    if (!this.silent) this.text(line + '\r\n');
  }

  /** Answers with a line even if the client wants no answer. */
  refuse(line: string): void {
    this.text(line + '\r\n');
  }

  /** Adds to the reply. */
  text(text: string): void {
    this.#text += text;
    if (this.#text.length >= FLUSH_FROM) this.flush();
  }

  /** Adds a value and its line end to the reply. */
  block(value: StoredValue): void {
    if (typeof value === 'string' || value.length < PASS_FROM) {
      this.text(`${valueText(value)}\r\n`);
      return;
    }
    this.flush();
    this.produced += value.length;
    this.#output.write(value);
    this.#text = '\r\n';
  }

  /** Hands over what has been gathered. */
  flush(): void {
    if (this.#text === '') return;
    const text = this.#text;
    this.#text = '';
    this.produced += text.length;
    this.#output.write(text);
  }

  /** Ends the session after the replies. */
  finish(): void {
    if (this.ended) return;
    this.ended = true;
    this.flush();
    this.#output.end();
  }
}
