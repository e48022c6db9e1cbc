import { keyOf, readText, readTexts, type AdapterClient } from './adapter-client';
import { uniqueWord } from './key-words';
import { DEFAULT_MAX_VALUE_SIZE } from '../protocol/limits';

/** No more are asked for, whatever an item says. */
const MAX_PIECES = 9999;
/** What stands in the place of a string in pieces: their id, and how many there are. */
const HEAD = /^([\w-]{12}):(\d{1,4})$/;

/** Strings that begin with `{`, those larger than an item in numbered pieces. */
export class Pieces {
  readonly #client: AdapterClient;
  readonly #prefix: string;
  /** In characters, each at most three bytes in UTF-8; leaves room for what the serde and the server add. */
  readonly #length: number;

  constructor(client: AdapterClient, prefix: string) {
    this.#client = client;
    this.#prefix = prefix;
    this.#length = Math.max(64, Math.floor(((client.options?.maxValueSize ?? DEFAULT_MAX_VALUE_SIZE) - 512) / 3));
  }

  /** The string; undefined when it, or a piece of it, is missing, and for what somebody else has stored. */
  async read(key: string): Promise<string | undefined> {
    const text = await readText(this.#client, this.#item(key));
    if (text === undefined || text.startsWith('{')) return text;
    const [, id = '', count] = HEAD.exec(text) ?? [];
    if (count === undefined) return undefined;
    const keys = Array.from({ length: Number(count) }, (_, index) => this.#item(`${id}:${index}`));
    const found = await readTexts(this.#client, keys);
    return found.size < keys.length ? undefined : keys.map((piece) => found.get(piece) ?? '').join('');
  }

  async write(key: string, text: string, expire: number): Promise<void> {
    const options = { expire, noreply: false };
    const pieces = this.#cut(text);
    if (pieces.length === 1) {
      await this.#client.set(this.#item(key), text, options);
      return;
    }
    // The id keeps the pieces of two writers apart, and the head is written last, so that no piece is read before all are there.
    if (pieces.length > MAX_PIECES) {
      // As a client does with a value that is too large: the old one is out of date.
      await this.#client.delete(this.#item(key), { noreply: false });
      return;
    }
    const id = uniqueWord();
    const entries = pieces.map((piece, index) => [this.#item(`${id}:${index}`), piece] as const);
    const missing = await this.#client.setMany(entries, options);
    if (missing.length === 0) await this.#client.set(this.#item(key), `${id}:${pieces.length}`, options);
  }

  /** Never cuts within a surrogate pair: UTF-8 cannot carry half of one. */
  #cut(text: string): string[] {
    const pieces: string[] = [];
    for (let start = 0, end; start < text.length; start = end) {
      end = start + this.#length;
      if (/[\ud800-\udbff]/.test(text.charAt(end - 1))) end--;
      pieces.push(text.slice(start, end));
    }
    return pieces;
  }

  #item(key: string): string {
    return keyOf(this.#client, this.#prefix, key);
  }
}
