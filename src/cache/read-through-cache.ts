import { rejected, untilAborted } from '../client/abort';
import { Client } from '../client/client';
import type { Keys, Widened } from '../client/cache-api';
import type { CallOptions } from '../client/executor';
import { otherCopy } from '../client/policies/other-copy';
import { MemcacheIllegalInputError } from '../errors';
import { hasMethods } from '../options/rule';
import { isBytes } from '../protocol/bytes';
import { keyList, type Key } from '../protocol/key';
import type { CacheValue } from '../serde/typed-serde';
import { callSettings, tagList, type CacheOptions, type EntryOptions, type EntrySettings } from './cache-options';
import type { Load } from './engine/caller';
import type { EachLookedUp } from './engine/lookups';
import { NAMESPACE_COUNTER } from './key-space';
import { assembleCache, type CacheParts } from './parts';
import { RequestScope } from './request-scope';
import type { CacheStats, Loader, ManyLoader, Stored } from './types';

/**
 * A cache that loads the values it does not have: one load per key for all processes together, and no outdated value stays for
 * good.
 *
 * ```ts
 * const cache = new ReadThroughCache(new Client('localhost:11211'), { expire: 60, stale: 30 });
 * const user = await cache.get('user:1', () => db.user(1));
 * await cache.delete('user:1'); // after a write to the database
 * ```
 *
 * Failures of the cache never reject a read: its loader then runs, and nothing is stored; to `peek` they are a miss. Errors of loaders
 * reach all callers as they are. Closing the cache does not close the client.
 *
 * @typeParam Out - what reading returns; inferred from the client
 * @typeParam In - what storing accepts; inferred from the client
 */
export class ReadThroughCache<Out = CacheValue, In = Out> {
  readonly #parts: CacheParts;

  /**
   * @param client any client; the cache does not close it
   * @throws MemcacheIllegalInputError naming the option that is not legal
   */
  constructor(client: Client<Out, In>, options: CacheOptions<Out & In> = {}) {
    if (!(client instanceof Client)) throw new MemcacheIllegalInputError(`client must be a client, for example new Client()${otherCopy(client)}`);
    this.#parts = assembleCache(client, options);
  }

  /** The option `name`, by which messages and metrics tell caches apart. */
  get name(): string {
    return this.#parts.settings.name;
  }

  /**
   * The value of `key`: the cached one, or what `load` returns, which is then stored. Only one process loads a key at a time;
   * the others wait for it, or get the old value where the options allow that.
   *
   * Rejects with what the loader throws, with `CacheLoadTimeoutError`, `MemcacheOverloadedError`, the reason of `signal`,
   * or `MemcacheIllegalInputError`; never with a failure of the cache.
   */
  get<T extends (Out & In) | undefined, Old extends (Out & In) | undefined = T>(key: Key, load: Loader<T, Old>, options?: EntryOptions<Stored<T>>): Promise<T>;
  get<T extends Out & In>(key: Key, load: Loader<T | undefined, T>, options?: EntryOptions<Stored<T>>): Promise<T | undefined>;
  get(key: Key, load: Load, options?: EntryOptions<never>): Promise<unknown> {
    const { keys, lookups } = this.#parts;
    try {
      if (typeof load !== 'function') throw new MemcacheIllegalInputError('load must be a function that returns the value');
      return lookups.get(keys.entry(key), load, this.#settingsOf(options), options?.signal);
    } catch (error) {
      return rejected(error);
    }
  }

  /**
   * The values of all `keys`, by the caller's own keys and in their order; `undefined` for keys that the loader does not
   * return. The keys that this process is to load go to one call of `load`. An Error for one key rejects the call, after the
   * others were stored.
   */
  getMany<K extends Key, T extends (Out & In) | undefined>(keys: Keys<K>, load: ManyLoader<K, T>, options?: EntryOptions<Stored<T>>): Promise<Map<Widened<K>, T>>;
  async getMany(keys: Iterable<Key>, load: ManyLoader<Key, unknown>, options?: EntryOptions<never>): Promise<Map<Key, unknown>> {
    const list = keyList(keys);
    const { results, stored } = await this.#getEach(list, load, options);
    const settled = await Promise.allSettled(results);
    const result = new Map<Key, unknown>();
    for (const [i, outcome] of settled.entries()) {
      if (outcome.status === 'rejected') {
        await untilAborted(stored(), options?.signal);
        throw outcome.reason;
      }
      const key = list[i];
      if (key !== undefined) result.set(key, outcome.value);
    }
    return result;
  }

  /** As `getMany`; the result of each key is a promise of its own. */
  async #getEach<K extends Key>(list: readonly K[], load: ManyLoader<K, unknown>, options?: EntryOptions<never>): Promise<EachLookedUp> {
    if (typeof load !== 'function') throw new MemcacheIllegalInputError('load must be a function that returns the values');
    return this.#parts.lookups.getEach(list, load, this.#settingsOf(options), options?.signal);
  }

  /**
   * A cached version of `load`: a function with the same arguments, whose results are cached under the key that `options.key`
   * makes from them.
   */
  wrap<A extends unknown[], T extends (Out & In) | undefined>(
    load: (...args: A) => Promise<T> | T,
    options: { key: (...args: A) => Key } & EntryOptions<Stored<T>>,
  ): (...args: A) => Promise<T> {
    if (typeof load !== 'function') throw new MemcacheIllegalInputError('load must be a function that returns the value');
    if (!hasMethods(options, 'key')) throw new MemcacheIllegalInputError('key must be a function that makes a key of the arguments');
    const { key, ...entry } = options;
    this.#settingsOf(entry);
    return (...args) => {
      let made: Key;
      try {
        made = key(...args);
      } catch (error) {
        return rejected(error);
      }
      return this.get<T>(made, () => load(...args), entry);
    };
  }

  /**
   * The cached value, outdated or not; `undefined` on a miss, for a stored "no such value", and when the cache does not answer within
   * `cacheTimeout`. It runs no loader, and leaves a refresh to other readers.
   */
  peek<T extends Out = Out>(key: Key, options?: CallOptions): Promise<T | undefined>;
  async peek(key: Key, options?: CallOptions): Promise<unknown> {
    const { keys, lookups } = this.#parts;
    return lookups.peek(keys.entry(key), this.#settingsOf(options), options?.signal);
  }

  /** Stores a value, which wins over any load under way; resolves with whether it was stored. Rejects as the client's `set` does. */
  async set(key: Key, value: In, options?: EntryOptions<never>): Promise<boolean> {
    const { keys, writes } = this.#parts;
    const entry = this.#settingsOf(options);
    if (value === undefined) throw new MemcacheIllegalInputError('value must not be undefined; use delete');
    return writes.set(keys.entry(key), value, entry, callOf(options));
  }

  /**
   * Deletes the entry for all processes, and resolves with whether it was there. A load under way does not store its outdated
   * value afterwards. Rejects as the client's `delete` does.
   */
  async delete(key: Key, options?: CallOptions): Promise<boolean> {
    const { keys, writes } = this.#parts;
    this.#settingsOf(options);
    return writes.delete(keys.entry(key), callOf(options));
  }

  /**
   * Marks the entry as outdated, and resolves with whether it was there: it is served for at most `stale` more seconds while
   * one reader refreshes it. Without `stale`, or on servers without meta commands, it is deleted. Rejects as the client's
   * `delete` does.
   */
  async invalidate(key: Key, options?: EntryOptions<never>): Promise<boolean> {
    const { keys, writes } = this.#parts;
    const entry = this.#settingsOf(options);
    return writes.invalidate(keys.entry(key), entry, callOf(options));
  }

  /**
   * Runs `write`, which changes the data behind the entries of `keys`, and then deletes these entries. Beforehand they are set
   * to expire within 5 seconds, so that a crash in between leaves nothing outdated for longer, except what was loaded again before
   * `write` was done. Rejects with what `write` throws, or with the error of a failed deletion.
   */
  async change<R>(keys: Key | (Keys<Key> & { readonly length?: never }) | readonly Key[], write: () => Promise<R> | R): Promise<R> {
    if (typeof write !== 'function') throw new MemcacheIllegalInputError('write must be a function');
    const { keys: space, writes } = this.#parts;
    const targets = (isOneKey(keys) ? [keys] : keyList(keys)).map((key) => space.entry(key));
    return writes.change(targets, write);
  }

  /** Invalidates all entries with one of these tags: they become misses. Other processes see it within `tagMaxAge`. */
  async invalidateTags(tags: string | readonly string[]): Promise<void> {
    const names = tagList(typeof tags === 'string' ? [tags] : tags);
    await this.#parts.writes.invalidateVersions(names, ({ lead }) => lead.settings.tags !== undefined);
  }

  /** Invalidates all entries of this cache: they become misses. Other processes see it within `tagMaxAge`. Needs the option `namespace`. */
  async invalidateNamespace(): Promise<void> {
    if (!this.#parts.keys.isVersioned) throw new MemcacheIllegalInputError('invalidateNamespace needs the option namespace');
    await this.#parts.writes.invalidateVersions([NAMESPACE_COUNTER], () => true);
  }

  /** The same reads for one request, each key at most once. It remembers values and rejections, but no mistake in a call, and sees no invalidation. */
  scope(): RequestScope<Out, In> {
    return new RequestScope<Out, In>(this, async (keys, load, options) => (await this.#getEach(keys, load, options)).results);
  }

  /** How often each event has happened, and the gauges `loads`, `queued`, `flights`, `l1-entries`, `l1-bytes`. */
  stats(): CacheStats {
    const { events, slots, loads, near } = this.#parts;
    return { ...events.counts, loads: slots.used, queued: slots.queued, flights: loads.flights, 'l1-entries': near?.entries ?? 0, 'l1-bytes': near?.bytes ?? 0 };
  }

  /**
   * Waits at most `closeTimeout` for loads and stores, and for all parts of a `getMany`, then aborts the loads and begins no further
   * part: whoever still waits for one gets the old value if there is one, else rejects with an `AbortError`. Deletions that failed
   * are repeated no more. The client stays open, and the cache may be used again.
   */
  async close(): Promise<void> {
    const { settings, clock, loads, lookups, pending, limits, writes, broadcast, near } = this.#parts;
    if (pending.count > 0) {
      await new Promise<void>((resolve) => {
        const timer = clock.setTimeout(() => {
          const reason = new DOMException('the cache was closed', 'AbortError');
          loads.abortAll(reason);
          lookups.abortAll(reason);
          resolve();
        }, settings.closeTimeout);
        void pending.whenIdle().then(() => {
          timer.close();
          resolve();
        });
      });
    }
    limits.close();
    writes.close();
    if (broadcast === undefined) return;
    // From now on it does not hear what others write.
    broadcast.close();
    near?.clear();
  }

  /** As {@link close}: for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Those of one call: one list for all methods. @throws MemcacheIllegalInputError naming the option that is not legal */
  #settingsOf(options: EntryOptions<never> | undefined): EntrySettings {
    const { keys, settings } = this.#parts;
    const own = callSettings(options, settings.entry);
    // A function is asked for them once there is a value.
    if (own !== settings.entry && Array.isArray(own.tags)) keys.checkTags(own.tags);
    return own;
  }
}

function isOneKey(keys: unknown): keys is Key {
  return typeof keys === 'string' || isBytes(keys);
}

/** What of a call's options concerns its commands; undefined where nothing does. */
function callOf(options: { readonly signal?: AbortSignal | undefined } | undefined): CallOptions | undefined {
  const { signal } = options ?? {};
  return signal === undefined ? undefined : { signal };
}
