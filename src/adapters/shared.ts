/** What the adapters have in common: keys, times to live, generations, and the handling of failures. */
import type { CacheApi } from '../client/cache-api';
import { MemcacheError, MemcacheIllegalInputError } from '../errors';
import { option, settingsOf, type OptionTable } from '../options/option';
import { hasMethods, valueThat, type Rule } from '../options/rule';
import { MAX_KEY_LENGTH } from '../protocol/limits';
import { safeKey } from '../protocol/safe-key';
import { systemClock, type Clock } from '../runtime/clock';
import { nodeCrypto } from '../runtime/crypto';

/** Any client that can store strings. No adapter closes it. */
export interface AdapterClient extends CacheApi<unknown, string> {
  readonly options?: {
    readonly keyPrefix?: string | Uint8Array | undefined;
    readonly maxValueSize?: number | undefined;
    readonly clock?: Clock | undefined;
  };
}

/** How errors of the cache are handled. `miss`: reads find nothing and writes return `false`; `throw`: the caller gets the error. */
export type Failures = 'miss' | 'throw';

/** Options of every adapter whose namespace can be cleared. */
export interface GenerationOptions {
  /**
   * Milliseconds for which a process may still see what another one has cleared; 0 = not at all, at the price of one more trip
   * per call.
   * @default 1000
   */
  generationTtl?: number | undefined;
}

export const FAILURES: Rule<Failures> = valueThat("'miss' or 'throw'", (value) => value === 'miss' || value === 'throw');

/** A prefix or namespace: part of every key, so it must leave room for the rest. */
export const WORD: Rule<string> = valueThat(
  '1 to 100 printable ASCII characters without whitespace',
  (value) => typeof value === 'string' && /^[\x21-\x7e]{1,100}$/.test(value),
);

/** Milliseconds or seconds to live, without a limit. */
export const LIFETIME: Rule<number> = valueThat('a number, 0 or more', (value) => typeof value === 'number' && value >= 0);

export const GENERATION_OPTIONS = { generationTtl: option(LIFETIME, 1000) } satisfies OptionTable<GenerationOptions>;

/** @throws MemcacheIllegalInputError when `client` lacks a method */
export function checkClient(client: unknown, ...methods: readonly string[]): void {
  if (hasMethods(client, 'get', 'getMany', 'gets', 'set', 'add', 'delete', ...methods)) return;
  throw new MemcacheIllegalInputError('client must be a client, for example new Client()');
}

/**
 * Seconds for `expire` out of milliseconds to live: rounded up, since 0 seconds would be for ever; -1 when no time is left,
 * 0 (for ever) beyond thirty years.
 */
export function secondsOf(milliseconds: number): number {
  if (Number.isNaN(milliseconds)) throw new MemcacheIllegalInputError('a time to live must be a number');
  if (milliseconds <= 0) return -1;
  return milliseconds > 1e12 ? 0 : Math.ceil(milliseconds / 1000);
}

/** A stored string, even if the serde reads it as bytes. */
export function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return value instanceof Uint8Array ? Buffer.from(value).toString() : undefined;
}

/** `prefix` and `key` as one legal key of `client`. */
export function keyOf(client: AdapterClient, prefix: string, key: string): string {
  return prefix + safeKey(key, MAX_KEY_LENGTH - Buffer.byteLength(client.options?.keyPrefix ?? '') - prefix.length);
}

/** `result`. With `miss`, an error of the cache becomes `otherwise`, and is passed to `onError`. */
export async function orElse<R>(failures: Failures, result: Promise<R>, otherwise: R, onError?: (error: MemcacheError) => void): Promise<R> {
  try {
    return await result;
  } catch (error) {
    if (!(error instanceof MemcacheError)) throw error;
    onError?.(error);
    if (failures === 'throw') throw error;
    return otherwise;
  }
}

/** The source of time of `client`. */
export function clockOf(client: AdapterClient): Clock {
  return client.options?.clock ?? systemClock;
}

/** A random word that is never repeated. */
export function uniqueWord(): string {
  return nodeCrypto().randomBytes(9).toString('base64url');
}

/** memcached cannot list keys, and an empty list would be wrong. */
export function noListing(what: string): MemcacheIllegalInputError {
  return new MemcacheIllegalInputError(`${what} would have to list keys, which memcached cannot do`);
}

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
  #known: { readonly word: string; readonly until: number } | undefined;
  #reading: Promise<string> | undefined;
  /** Counts the clearings: a reading that began before one is outdated. */
  #epoch = 0;

  constructor(client: AdapterClient, name: string, options: GenerationOptions) {
    this.#client = client;
    this.#name = safeKey(name, 100);
    this.#ttl = settingsOf(GENERATION_OPTIONS, options).generationTtl;
    // Fails now if the client's prefix leaves no room.
    keyOf(client, this.#prefix(uniqueWord()), '');
  }

  /** The keys of the items of `names` in the current generation. */
  async keysOf(names: readonly string[]): Promise<string[]> {
    const prefix = this.#prefix(await this.#word());
    return names.map((name) => keyOf(this.#client, prefix, name));
  }

  async keyOf(name: string): Promise<string> {
    const [key = ''] = await this.keysOf([name]);
    return key;
  }

  /** Empties the namespace: for this process at once, for others after at most `generationTtl`. */
  async clear(): Promise<void> {
    const word = uniqueWord();
    this.#epoch++;
    this.#known = this.#reading = undefined;
    await this.#client.set(this.#item, word, { noreply: false });
    this.#epoch++;
    this.#reading = undefined;
    this.#keep(word);
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

  #keep(word: string): void {
    this.#known = { word, until: this.#now() + this.#ttl };
  }

  #word(): Promise<string> {
    // A shared reading may have begun before another process cleared, which `0` rules out.
    if (this.#ttl === 0) return this.#read();
    const known = this.#known;
    if (known !== undefined && this.#now() < known.until) return Promise.resolve(known.word);
    const epoch = this.#epoch;
    this.#reading ??= this.#read()
      .then((word) => {
        if (epoch === this.#epoch) this.#keep(word);
        return word;
      })
      .finally(() => {
        if (epoch === this.#epoch) this.#reading = undefined;
      });
    return this.#reading;
  }

  async #read(): Promise<string> {
    const found = textOf(await this.#client.get(this.#item));
    if (found !== undefined) return found;
    const word = uniqueWord();
    if (await this.#client.add(this.#item, word, { noreply: false })) return word;
    // Another process was first. If its item is lost already, our own word stands for an empty namespace.
    return textOf(await this.#client.get(this.#item)) ?? word;
  }
}
