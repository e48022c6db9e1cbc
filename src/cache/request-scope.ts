import { onAbort, rejected, untilAborted } from '../client/abort';
import type { Keys, Widened } from '../client/cache-api';
import type { CallOptions } from '../client/executor';
import { MemcacheIllegalInputError } from '../errors';
import { asBuffer, isBytes } from '../protocol/bytes';
import { isKeyList, storedPart, type Key } from '../protocol/key';
import type { CacheValue } from '../serde/typed-serde';
import { checkCallOptions, type EntryOptions } from './cache-options';
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
 * values and rejections, but no mistake in a call; it sees no invalidation, and should not outlive the request.
 */
export class RequestScope<Out = CacheValue, In = Out> implements CacheReads<Out, In> {
  readonly #cache: CacheReads<Out, In>;
  readonly #readEach: ReadEach | undefined;
  readonly #read = new Map<string, ReadKey>();

  /** @param readEach by default `getMany`, which fails for all keys when it fails for one */
  constructor(cache: CacheReads<Out, In>, readEach?: ReadEach) {
    this.#cache = cache;
    this.#readEach = readEach;
  }

  /** As the cache's `get`, at most once per key. */
  get<T extends (Out & In) | undefined, Old extends (Out & In) | undefined = T>(key: Key, load: Loader<T, Old>, options?: EntryOptions<Stored<T>>): Promise<T>;
  get<T extends Out & In>(key: Key, load: Loader<T | undefined, T>, options?: EntryOptions<Stored<T>>): Promise<T | undefined>;
  get<T extends (Out & In) | undefined, Old extends (Out & In) | undefined>(key: Key, load: Loader<T, Old>, options?: EntryOptions<Stored<T>>): Promise<T> {
    if (!isKey(key) || !isLegal(load, options)) return this.#cache.get<T, Old>(key, load, options);
    const signal = options?.signal;
    if (signal?.aborted === true) return rejected(signal.reason);
    let known = this.#read.get(idOf(key));
    if (known === undefined) {
      const question = new Question(signal);
      known = this.#remember(key, question, this.#cache.get<T, Old>(key, load, question.follow(options)));
    }
    return known.question.wait(known.result, signal) as Promise<T>;
  }

  /** As the cache's `getMany`, for those keys that this request has not read. */
  async getMany<K extends Key, T extends (Out & In) | undefined>(keys: Keys<K>, load: ManyLoader<K, T>, options?: EntryOptions<Stored<T>>): Promise<Map<Widened<K>, T>> {
    // What is no list of keys is refused by the cache.
    if (!isKeyList(keys)) return this.#cache.getMany<K, T>(keys, load, options);
    const list = [...keys];
    if (!list.every(isKey) || !isLegal(load, options)) return this.#cache.getMany<K, T>(list, load, options);
    const signal = options?.signal;
    signal?.throwIfAborted();
    const missing = list.filter((key) => !this.#read.has(idOf(key)));
    if (missing.length > 0) {
      const question = new Question(signal);
      const own = question.follow(options);
      const results = this.#readEach === undefined ? this.#readAll<K, T>(missing, load, own) : this.#readEach(missing, load, own);
      for (const [i, key] of missing.entries()) if (!this.#read.has(idOf(key))) this.#remember(key, question, results.then((each) => each[i]));
    }
    // All at once: the caller may use bytes for another key meanwhile.
    const results = list.flatMap((key) => {
      const known = this.#read.get(idOf(key));
      return known === undefined ? [] : [{ key, result: known.question.wait(known.result, signal) }];
    });
    // Whoever looks at one of them later must not be too late.
    for (const { result } of results) result.catch(() => undefined);
    const values = new Map<Widened<K>, T>();
    for (const { key, result } of results) values.set(key as Widened<K>, (await result) as T);
    return values;
  }

  /** What this request has already read, else as the cache's `peek`. */
  async peek<T extends Out = Out>(key: Key, options?: CallOptions): Promise<T | undefined> {
    const known = isKey(key) && isLegal(ignore, options) ? this.#read.get(idOf(key)) : undefined;
    const signal = options?.signal;
    signal?.throwIfAborted();
    return (known === undefined ? this.#cache.peek<T>(key, options) : known.question.wait(known.result, signal)) as Promise<T | undefined>;
  }

  /** One rejection is that of all keys. */
  async #readAll<K extends Key, T extends (Out & In) | undefined>(keys: readonly K[], load: ManyLoader<K, T>, options?: EntryOptions<Stored<T>>): Promise<readonly Promise<unknown>[]> {
    const values = await this.#cache.getMany<K, T>(keys, load, options);
    return keys.map((key) => Promise.resolve(values.get(key as Widened<K>)));
  }

  #remember(key: Key, question: Question, result: Promise<unknown>): ReadKey {
    const id = idOf(key);
    const known = { question, result };
    this.#read.set(id, known);
    const forget = (): void => {
      if (this.#read.get(id) === known) this.#read.delete(id);
    };
    const stay = question.onDeserted(forget);
    result.then(stay, (error: unknown) => {
      stay();
      // A mistake in the call, perhaps in another of its keys, is no answer about this one.
      if (error instanceof MemcacheIllegalInputError) forget();
    });
    return known;
  }
}

/** What was read of a key, or is being read. */
interface ReadKey {
  readonly question: Question;
  readonly result: Promise<unknown>;
}

/** One call to the cache, for all in this request who ask for its keys: a signal takes away the caller that has given it. */
class Question {
  /** Undefined when its first caller cannot go. */
  readonly #controller: AbortController | undefined;
  readonly #onDeserted = new Set<() => void>();
  #waiting = 0;

  /** @param signal that of the call that makes it */
  constructor(signal: AbortSignal | undefined) {
    this.#controller = signal === undefined ? undefined : new AbortController();
  }

  /** The options of its call to the cache, which is aborted when all callers have gone. */
  follow<T>(options: EntryOptions<T> | undefined): EntryOptions<T> | undefined {
    return this.#controller === undefined ? options : { ...options, signal: this.#controller.signal };
  }

  /** `callback` is called when all callers have gone, unless the returned function is called first. */
  onDeserted(callback: () => void): () => void {
    this.#onDeserted.add(callback);
    return () => {
      this.#onDeserted.delete(callback);
    };
  }

  /** The result for one more caller. */
  wait(result: Promise<unknown>, signal: AbortSignal | undefined): Promise<unknown> {
    this.#waiting++;
    let waits = true;
    const leave = (): void => {
      if (waits) this.#waiting--;
      waits = false;
    };
    const unfollow = signal && onAbort(signal, () => {
      leave();
      if (this.#waiting === 0) this.#desert(signal.reason);
    });
    const onSettled = (): void => {
      leave();
      unfollow?.();
    };
    result.then(onSettled, onSettled);
    return signal === undefined ? result.then((value) => value) : untilAborted(result, signal);
  }

  #desert(reason: unknown): void {
    for (const callback of [...this.#onDeserted]) callback();
    this.#controller?.abort(reason);
  }
}

function ignore(): void {
  // Stands for a loader where there is none.
}

/** Whether the cache takes these; what it refuses it refuses itself, and nothing is remembered of it. */
function isLegal(load: unknown, options: EntryOptions<never> | undefined): boolean {
  try {
    if (options !== undefined) checkCallOptions(options);
    return typeof load === 'function';
  } catch {
    return false;
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
  return (typeof part === 'string' ? Buffer.from(part) : asBuffer(part)).toString('latin1');
}
