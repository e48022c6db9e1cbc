import { MemcacheClientError, MemcacheServerError, type Certainty } from '../../errors';
import type { Frame } from '../../protocol/frame';
import { replyError } from '../../protocol/reply';
import { certaintyOfParts } from '../certainty';
import { MORE, type ReplyReader } from '../command';

/** How a batch takes the replies of its commands. */
export interface BatchRules<R> {
  /** Takes the reply to the command at `index`; false when it is not one of the command's own. */
  reply(frame: Frame, index: number): boolean;
  /** The command at `index` was certainly not executed (`SERVER_ERROR`); true when the result says so, false to fail the call. */
  refused(index: number, certainty: Certainty): boolean;
  result(): R;
  /** The error for a batch of which some failed; by default that of the first of them. */
  failure?(first: MemcacheServerError | MemcacheClientError, certainty: Certainty): Error;
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
  readonly #failures: (MemcacheServerError | MemcacheClientError)[] = [];

  constructor(command: BatchCommand, size: number, rules: BatchRules<R>) {
    this.#command = command;
    this.#size = size;
    this.#rules = rules;
  }

  read(frame: Frame, server: string): R | typeof MORE {
    if (!this.#rules.reply(frame, this.#index)) this.#onError(replyError(frame, this.#command, server));
    if (++this.#index < this.#size) return MORE;
    const [first] = this.#failures;
    if (first !== undefined) throw this.#error(first);
    return this.#rules.result();
  }

  #onError(error: Error): void {
    // A line that was refused has had its reply; a block after it may have been taken for commands, with replies of their own.
    const inStep = error instanceof MemcacheServerError || (error instanceof MemcacheClientError && !this.#command.hasBlock);
    if (!inStep) throw error;
    if (error.certainty !== 'maybeExecuted' && this.#rules.refused(this.#index, error.certainty)) return;
    this.#failures.push(error);
  }

  #error(first: MemcacheServerError | MemcacheClientError): Error {
    const certainty = certaintyOfParts(this.#failures, this.#size);
    if (this.#rules.failure !== undefined) return this.#rules.failure(first, certainty);
    if (certainty === first.certainty) return first;
    // Only a proxy's errors can differ in that.
    return new MemcacheServerError(first.message, { cause: first, certainty });
  }
}
