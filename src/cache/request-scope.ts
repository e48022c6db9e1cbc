import type { Keys, Widened } from '../client/cache-api';
import type { CallOptions } from '../client/executor';
import { MemcacheIllegalInputError } from '../errors';
import { isBytes } from '../protocol/bytes';
import { isKeyList, storedPart, type Key } from '../protocol/key';
import type { CacheValue } from '../serde/typed-serde';
import type { EntryOptions } from './cache-options';
import type { Loader, ManyLoader, Stored } from './types';

/** The methods of a cache that read. */
export interface CacheReads<Out, In> {
  get<T extends (Out & In) | undefined, Old extends (Out & In) | undefined = T>(key: Key, load: Loader<T, Old>, options?: EntryOptions<Stored<T>>): Promise<T>;
  getMany<K extends Key, T extends (Out & In) | undefined>(keys: Keys<K>, load: ManyLoader<K, T>, options?: EntryOptions<Stored<T>>): Promise<Map<Widened<K>, T>>;
  peek<T extends Out = Out>(key: Key, options?: CallOptions): Promise<T | undefined>;
}

/** Reads several keys as `getMany` does, and gives each a result of its own, in the order of the keys. */
export type ReadEach = <K extends Key>(keys: readonly K[], load: ManyLoader<K, unknown>, options?: EntryOptions<never>) => Promise<readonly Promise<unknown>[]>;

/**
 * The reads of a cache for one request: each key at most once, so that the whole request sees the same value. It remembers
 * values and rejections, sees no invalidation, and should not outlive the request. A read that its own signal has ended, or that was
 * refused as illegal, is forgotten; who shares one that is under way shares its end.
 */
export class RequestScope<Out = CacheValue, In = Out> implements CacheReads<Out, In> {
  readonly #cache: CacheReads<Out, In>;
  readonly #readEach: ReadEach | undefined;
  readonly #results = new Map<string, Promise<unknown>>();

  /** @param readEach by default `getMany`, which fails for all keys when it fails for one */
  constructor(cache: CacheReads<Out, In>, readEach?: ReadEach) {
    this.#cache = cache;
    this.#readEach = readEach;
  }

  /** As the cache's `get`, at most once per key. */
  get<T extends (Out & In) | undefined, Old extends (Out & In) | undefined = T>(key: Key, load: Loader<T, Old>, options?: EntryOptions<Stored<T>>): Promise<T>;
  get<T extends Out & In>(key: Key, load: Loader<T | undefined, T>, options?: EntryOptions<Stored<T>>): Promise<T | undefined>;
  get<T extends (Out & In) | undefined, Old extends (Out & In) | undefined>(key: Key, load: Loader<T, Old>, options?: EntryOptions<Stored<T>>): Promise<T> {
    if (!isKey(key)) return this.#cache.get<T, Old>(key, load, options);
    return this.#once(key, () => this.#cache.get<T, Old>(key, load, options), options?.signal);
  }

  /** As the cache's `getMany`, for those keys that this request has not read. */
  async getMany<K extends Key, T extends (Out & In) | undefined>(keys: Keys<K>, load: ManyLoader<K, T>, options?: EntryOptions<Stored<T>>): Promise<Map<Widened<K>, T>> {
    // What is no list of keys is refused by the cache.
    if (!isKeyList(keys)) return this.#cache.getMany<K, T>(keys, load, options);
    const list = [...keys];
    if (!list.every(isKey)) return this.#cache.getMany<K, T>(list, load, options);
    const missing = list.filter((key) => !this.#results.has(idOf(key)));
    if (missing.length > 0) {
      const results = this.#readEach === undefined ? this.#readAll<K, T>(missing, load, options) : this.#readEach(missing, load, options);
      for (const [i, key] of missing.entries()) void this.#once(key, () => results.then((each) => each[i]), options?.signal).catch(() => undefined);
    }
    // All at once: the caller may use bytes for another key meanwhile.
    const results = list.map((key) => ({ key, result: this.#results.get(idOf(key)) }));
    const values = new Map<Widened<K>, T>();
    for (const { key, result } of results) values.set(key as Widened<K>, (await result) as T);
    return values;
  }

  /** What this request has already read, else as the cache's `peek`. */
  async peek<T extends Out = Out>(key: Key, options?: CallOptions): Promise<T | undefined> {
    const known = isKey(key) ? this.#results.get(idOf(key)) : undefined;
    return known === undefined ? this.#cache.peek<T>(key, options) : ((await known) as T | undefined);
  }

  /** One rejection is that of all keys. */
  async #readAll<K extends Key, T extends (Out & In) | undefined>(keys: readonly K[], load: ManyLoader<K, T>, options?: EntryOptions<Stored<T>>): Promise<readonly Promise<unknown>[]> {
    const values = await this.#cache.getMany<K, T>(keys, load, options);
    return keys.map((key) => Promise.resolve(values.get(key as Widened<K>)));
  }

  #once<R>(key: Key, read: () => Promise<R>, signal: AbortSignal | undefined): Promise<R> {
    const id = idOf(key);
    const known = this.#results.get(id) as Promise<R> | undefined;
    if (known !== undefined) return known;
    const result = read();
    this.#results.set(id, result);
    result.catch((error: unknown) => {
      // That is no answer about this key.
      const isOfCall = error instanceof MemcacheIllegalInputError || (signal?.aborted === true && error === signal.reason);
      if (isOfCall && this.#results.get(id) === result) this.#results.delete(id);
    });
    return result;
  }
}

/** Whether it may be a key: what cannot is refused by the cache, and nothing is remembered of it. */
function isKey(key: unknown): key is Key {
  return isPart(key) || (Array.isArray(key) && key.length === 2 && key.every(isPart));
}

function isPart(part: unknown): boolean {
  return typeof part === 'string' || isBytes(part);
}

/** Keys that are stored under the same bytes are one: one character for each, as bytes need not be text. */
function idOf(key: Key): string {
  const part = storedPart(key);
  return (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part.buffer, part.byteOffset, part.byteLength)).toString('latin1');
}
