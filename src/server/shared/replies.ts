import { valueText, type Item, type StoredValue } from '../engine/item';
import type { SessionOutput } from '../net/service';

/** Values of at least this many bytes are passed on as Buffers; shorter ones are cheaper as a part of the text. */
const PASS_FROM = 4096;

/** Gathered text of this many bytes is passed on before the turn ends. */
const FLUSH_FROM = 64 * 1024;

/** As many bytes of a value as are read or copied in the time that a key takes, as a power of two. */
const BYTES_PER_KEY_BITS = 9;

/** The replies of one session: gathered as text, they leave together at the end of a turn. */
export class Replies {
  /** How many bytes of replies this turn has produced. */
  produced = 0;
  /** After this many bytes a command that can be divided goes on in a later turn. */
  maxBytes = Infinity;
  /** After this many keys it does so too. */
  maxKeys = Infinity;
  /** How many items or clients this turn has looked at beyond those that commands name: listings look at all there are. */
  looked = 0;
  /** Goes on with the command that has had its share of the turn; undefined when all are done. */
  rest: (() => void) | undefined;
  /** Whether the session is over. */
  ended = false;
  #output: SessionOutput;
  #text = '';

  constructor(output: SessionOutput) {
    this.#output = output;
  }

  /** Whether some replies of this turn were not sent yet: some commands must be first in a pipeline. */
  get pipelined(): boolean {
    return this.#text !== '';
  }

  /** Whether a command that has looked at `keys` keys in this turn has had its share. */
  isOver(keys: number): boolean {
    return keys > 0 && (this.produced >= this.maxBytes || keys >= this.maxKeys);
  }

  /** Counts the value of an item that was read or copied as a whole, although the client has sent little: it may be a megabyte each time. */
  weigh(item: Item | undefined): void {
    if (item !== undefined) this.looked += item.value.length >> BYTES_PER_KEY_BITS;
  }

  /** Adds to the reply. */
  text(text: string): void {
    this.#text += text;
    if (this.#text.length >= FLUSH_FROM) this.flush();
  }

  /** Adds a head, a value and its line end to the reply. */
  block(head: string, value: StoredValue): void {
    if (typeof value === 'string' || value.length < PASS_FROM) {
      this.text(head + valueText(value) + '\r\n');
      return;
    }
    this.#text += head;
    this.flush();
    this.produced += value.length;
    this.#output.write(value);
    this.#text = '\r\n';
  }

  /** Passes on what was gathered. */
  flush(): void {
    if (this.#text === '') return;
    const text = this.#text;
    this.#text = '';
    this.produced += text.length;
    this.#output.write(text);
  }

  /**
   * Sends the following replies to another output.
   *
   * @returns the output so far
   */
  redirect(output: SessionOutput): SessionOutput {
    this.flush();
    const previous = this.#output;
    this.#output = output;
    return previous;
  }

  /** Ends the session after the replies. */
  finish(): void {
    if (this.ended) return;
    this.ended = true;
    this.rest = undefined;
    this.flush();
    this.#output.end();
  }
}
