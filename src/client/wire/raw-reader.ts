import { MemcacheUnknownError } from '../../errors';
import { Frame } from '../../protocol/frame';
import { MAX_REPLY_LINE } from '../../protocol/limits';
import { isErrorLine, replyError } from '../../protocol/reply';

/** Reads a reply of unknown shape: all bytes up to an end token, or an error line. */
export class RawReader {
  readonly #until: Buffer;
  readonly #limit: number;
  readonly #server: string;
  readonly #chunks: Buffer[] = [];
  #length = 0;
  /** The last bytes seen, one fewer than the token has: it may begin in them. */
  #tail = Buffer.alloc(0);
  /** Whether it is known what the first line is. */
  #begun = false;

  constructor(until: Buffer, limit: number, server: string) {
    this.#until = until;
    this.#limit = limit;
    this.#server = server;
  }

  /**
   * @returns the reply without the token, and whether no bytes came after the token (`clean`); `undefined` while it is not
   *   complete.
   * @throws MemcacheError when the server answered with an error line, or the reply is too large
   */
  push(chunk: Buffer): { reply: Buffer; clean: boolean } | undefined {
    const before = this.#length - this.#tail.length;
    const window = Buffer.concat([this.#tail, chunk]);
    this.#chunks.push(Buffer.from(chunk));
    this.#length += chunk.length;
    const at = window.indexOf(this.#until);
    if (!this.#begun) this.#checkError();
    if (at >= 0) {
      const end = before + at;
      return { reply: Buffer.concat(this.#chunks).subarray(0, end), clean: end + this.#until.length === this.#length };
    }
    if (this.#length > this.#limit) {
      throw new MemcacheUnknownError(`the reply to a raw command is longer than maxValueSize, ${this.#limit} bytes`, {
        certainty: 'maybeExecuted',
      });
    }
    this.#tail = window.subarray(Math.max(0, window.length - this.#until.length + 1));
    return undefined;
  }

  /** An error line comes first or not at all. */
  #checkError(): void {
    // The line may come in as many pieces as it has bytes.
    const buffer = Buffer.concat(this.#chunks);
    const end = buffer.indexOf('\r\n');
    this.#begun = end >= 0 || buffer.length > MAX_REPLY_LINE;
    if (end < 0) return;
    const frame = new Frame();
    frame.buffer = buffer;
    frame.end = end;
    if (isErrorLine(frame)) throw replyError(frame, { verb: 'raw' }, this.#server);
  }
}
