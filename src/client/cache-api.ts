import type { Expire } from '../protocol/exptime';
import type { Key } from '../protocol/key';
import type { CacheValue } from '../serde/typed-serde';
import type { ValueWithCas } from './commands/retrieval';
import type { CallOptions } from './executor';

/** How a value is stored. */
export interface StoreOptions extends CallOptions {
  /**
   * When it expires: seconds from now (a number past the present Unix time, or from 10^9 on, is taken as a Unix time), 0 for never,
   * negative for at once; or a `Date`.
   * @default 0
   */
  expire?: Expire | undefined;
  /** 32-bit flags to keep beside the value instead of the serde's. */
  flags?: number | undefined;
  /** Ask the server not to answer: the call then resolves as if it had succeeded as soon as it is written. @default `defaultNoreply` */
  noreply?: boolean | undefined;
}

/** How a call is made that the server may be asked not to answer. */
export interface NoreplyOptions extends CallOptions {
  /** Ask the server not to answer: the call then resolves as if it had succeeded as soon as it is written. @default `defaultNoreply` */
  noreply?: boolean | undefined;
}

/** What `setMany` takes: a `Map`, any iterable of pairs, or an object. TypeScript 5.0 takes an array for pairs only if it is named. */
export type Entries<V> = Iterable<readonly [key: Key, value: V]> | readonly (readonly [key: Key, value: V])[] | Readonly<Record<string, V>>;

/** Several keys. A single string is refused: it is iterable too, but is one key. */
export type Keys<K extends Key> = Iterable<K> & object;

/** The key type of a Map by literal keys, widened so that it can be asked for any string. */
export type Widened<K extends Key> = K extends string ? string : K;

/**
 * The dozen methods that most code needs. Every client class has them, so code that takes a `CacheApi` works over one server, a
 * pool, a cluster, with retries, and over the embedded store in tests. They reject with `MemcacheError` (a miss is not an
 * error), or with the reason of an aborted `signal`.
 *
 * `CacheApi<unknown, string>` is any client that can store strings.
 *
 * @typeParam Out - what reading returns
 * @typeParam In - what storing accepts
 */
export interface CacheApi<Out = CacheValue, In = Out> {
  /** The value of `key`; `undefined` on a miss. */
  get(key: Key, options?: CallOptions): Promise<Out | undefined>;
  /** The value of `key` and the token for a later `cas`; `[undefined, undefined]` on a miss. */
  gets(key: Key, options?: CallOptions): Promise<ValueWithCas<Out>>;
  /** The values of those `keys` that were found: a Map by the caller's own keys, in their order. */
  getMany(keys: Keys<Key>, options?: CallOptions): Promise<Map<Key, Out>>;
  /** Stores `value` under `key`; `true` when stored. */
  set(key: Key, value: In, options?: StoreOptions): Promise<boolean>;
  /** Stores all `entries`; resolves with the keys that were not stored. */
  setMany(entries: Iterable<readonly [key: Key, value: In]>, options?: StoreOptions): Promise<Key[]>;
  // eslint-disable-next-line @typescript-eslint/unified-signatures -- the union alone takes `rows.map((row) => [row.id, row])` for an array of arrays
  setMany(entries: Entries<In>, options?: StoreOptions): Promise<Key[]>;
  /** Stores `value` if there is no such key; `false` when there is. */
  add(key: Key, value: In, options?: StoreOptions): Promise<boolean>;
  /** Stores `value` if the item is as `gets` found it: `true` stored, `false` changed since, `undefined` no such key. */
  cas(key: Key, value: In, cas: string, options?: StoreOptions): Promise<boolean | undefined>;
  /** Deletes `key`; resolves with whether it was there. */
  delete(key: Key, options?: NoreplyOptions): Promise<boolean>;
  /** Deletes all `keys`; resolves with how many were there. */
  deleteMany(keys: Keys<Key>, options?: NoreplyOptions): Promise<number>;
  /** Sets when `key` expires (seconds from now, 0 for never, negative for at once, or a `Date`); resolves with whether it was there. */
  touch(key: Key, expire: Expire, options?: NoreplyOptions): Promise<boolean>;
  /** Adds `delta` to the number stored under `key`; resolves with the new count, `undefined` on a miss. */
  incr(key: Key, delta?: number, options?: NoreplyOptions): Promise<number | undefined>;
  /** Like {@link incr}, but subtracts; stops at 0. */
  decr(key: Key, delta?: number, options?: NoreplyOptions): Promise<number | undefined>;
}
