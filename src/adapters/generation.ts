import { MemcacheError } from '../errors';
import { option, settingsAmong, type OptionTable } from '../options/option';
import { safeKey } from '../protocol/safe-key';
import { checkRoom, clockOf, keyOf, readText, type AdapterClient } from './adapter-client';
import { Doubts } from './doubts';
import { isUniqueWord, uniqueWord } from './key-words';
import { LIFETIME } from './lifetimes';

/** Options of every adapter whose namespace can be cleared. */
export interface GenerationOptions {
  /**
   * Milliseconds for which a process may still see what another one has cleared; 0 = not at all, at the price of one more trip
   * per call.
   * @default 1000
   */
  generationTtl?: number | undefined;
}

export const GENERATION_OPTIONS = { generationTtl: option(LIFETIME, 1000) } satisfies OptionTable<GenerationOptions>;

/**
 * A namespace that can be cleared on its own: `flush_all` would wipe what other programs keep.
 *
 * One item holds a random word that is part of every key of the namespace. Clearing it replaces that word; when the item is
 * lost the namespace is empty, never wrong.
 */
export class Generation {
  readonly #client: AdapterClient;
  readonly #name: string;
  readonly #ttl: number;
  readonly #doubts: Doubts;
  #known: { readonly word: string; readonly until: number } | undefined;
  #reading: Promise<string> | undefined;
  /** A question that has not been sent yet. */
  #unsent: Promise<string> | undefined;
  /** Counts the clearings: a reading that began before one is outdated. */
  #epoch = 0;
  /** Counts the questions. */
  #asked = 0;
  /** The last of them that was answered. */
  #answered = 0;

  constructor(client: AdapterClient, name: string, options: GenerationOptions) {
    this.#client = client;
    this.#name = safeKey(name, 100);
    this.#doubts = new Doubts(client);
    this.#ttl = settingsAmong(GENERATION_OPTIONS, options).generationTtl;
    checkRoom(client, this.#prefix(uniqueWord()));
  }

  /** The keys of the items of `names` in the current generation. */
  async keysOf(names: readonly string[]): Promise<string[]> {
    // The caller may change the list meanwhile.
    const own = [...names];
    return this.#keysIn(await this.#word(), own);
  }

  async keyOf(name: string): Promise<string> {
    const [key = ''] = await this.keysOf([name]);
    return key;
  }

  /**
   * Writes to the items of `names`. If another process has cleared the namespace, others may have an older value in its new
   * generation already, and a write to the former one would be lost: the server is asked at the same time, and the write repeated.
   */
  async write<R>(names: readonly string[], write: (keys: string[]) => Promise<R>): Promise<R> {
    const own = [...names];
    const word = this.#current;
    const keys = word === undefined ? undefined : this.#keysIn(word, own);
    const asked = this.#ask();
    if (keys !== undefined) {
      const [present, result] = await Promise.all([asked, write(keys)]);
      if (present === word) return result;
    }
    return write(this.#keysIn(await asked, own));
  }

  /** Empties the namespace: for this process at once, for others after at most `generationTtl`. */
  async clear(): Promise<void> {
    const word = uniqueWord();
    const begun = this.#now();
    this.#epoch++;
    this.#known = this.#reading = undefined;
    await this.#client.set(this.#item, word, { noreply: false });
    this.#epoch++;
    this.#reading = undefined;
    this.#keep(word, begun);
  }

  #keysIn(word: string, names: readonly string[]): string[] {
    const prefix = this.#prefix(word);
    return names.map((name) => keyOf(this.#client, prefix, name));
  }

  #prefix(word: string): string {
    return `${this.#name}:${word}:`;
  }

  get #item(): string {
    return keyOf(this.#client, '', `${this.#name}:generation`);
  }

  #now(): number {
    return clockOf(this.#client).now();
  }

  /** @param begun when the server was asked: it may have answered long ago, if this process stood still meanwhile */
  #keep(word: string, begun: number): void {
    this.#known = { word, until: begun + this.#ttl };
  }

  /** The word, if it was read lately. */
  get #current(): string | undefined {
    return this.#known !== undefined && this.#now() < this.#known.until ? this.#known.word : undefined;
  }

  #word(): Promise<string> {
    // A shared reading may have begun before another process cleared, which `0` rules out.
    if (this.#ttl === 0) return this.#read();
    const known = this.#current;
    if (known !== undefined) return Promise.resolve(known);
    const epoch = this.#epoch;
    this.#reading ??= this.#learn().finally(() => {
      if (epoch === this.#epoch) this.#reading = undefined;
    });
    return this.#reading;
  }

  /** The word that the server has now: not the answer to a question from before. Calls of the same moment share a question. */
  #ask(): Promise<string> {
    this.#unsent ??= Promise.resolve().then(() => {
      this.#unsent = undefined;
      return this.#learn();
    });
    return this.#unsent;
  }

  async #learn(): Promise<string> {
    const epoch = this.#epoch;
    const question = ++this.#asked;
    const begun = this.#now();
    const word = await this.#read();
    // Over several connections the answer to an earlier question may come last, and its word may have been cleared since.
    if (epoch === this.#epoch && question > this.#answered) {
      this.#answered = question;
      this.#keep(word, begun);
    }
    return word;
  }

  async #read(): Promise<string> {
    const begun = this.#doubts.now();
    const found = await this.#stored();
    if (found !== undefined) return found;
    const word = uniqueWord();
    if (await this.#client.add(this.#item, word, { noreply: false })) return word;
    // Another process was first.
    const present = await this.#stored();
    if (present !== undefined) return present;
    if (!this.#doubts.isUnreadable(this.#item, begun)) throw new MemcacheError('the generation of the namespace could not be read');
    // Its item is lost already, or cannot be read, as after a change of the serde: the namespace would be empty for good.
    await this.#client.set(this.#item, word, { noreply: false });
    return word;
  }

  async #stored(): Promise<string | undefined> {
    const text = await readText(this.#client, this.#item);
    if (text === undefined || !isUniqueWord(text)) return undefined;
    this.#doubts.wasRead(this.#item);
    return text;
  }
}
