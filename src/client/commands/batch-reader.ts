import { MemcacheClientError, MemcacheServerError } from '../../errors';
import type { Frame } from '../../protocol/frame';
import { replyError } from '../../protocol/reply';
import { MORE, type ReplyReader } from '../command';

/** How a batch takes the replies of its commands. */
export interface BatchRules<R> {
  /** Takes the reply to the command at `index`; false when it is not one of the command's own. */
  reply(frame: Frame, index: number): boolean;
  /** The server refused the command at `index` (`SERVER_ERROR`); true when the result says so, false to fail the call. */
  refused(index: number): boolean;
  result(): R;
}

interface BatchCommand {
  readonly verb: string;
  readonly hasBlock: boolean;
}

/** Reads the replies of several one-line commands that were written together, one after the other, to the last. */
export class BatchReader<R> implements ReplyReader<R> {
  readonly #command: BatchCommand;
  readonly #size: number;
  readonly #rules: BatchRules<R>;
  #index = 0;
  #failure: MemcacheServerError | MemcacheClientError | undefined;

  constructor(command: BatchCommand, size: number, rules: BatchRules<R>) {
    this.#command = command;
    this.#size = size;
    this.#rules = rules;
  }

  read(frame: Frame, server: string): R | typeof MORE {
    if (!this.#rules.reply(frame, this.#index)) {
      const error = replyError(frame, this.#command, server);
      // A line that was refused has had its reply; a block after it may have been taken for commands, with replies of their own.
      const inStep = error instanceof MemcacheServerError || (error instanceof MemcacheClientError && !this.#command.hasBlock);
      if (!inStep) throw error;
      if (!this.#rules.refused(this.#index)) this.#failure ??= error;
    }
    if (++this.#index < this.#size) return MORE;
    if (this.#failure !== undefined) throw this.#failure;
    return this.#rules.result();
  }
}
