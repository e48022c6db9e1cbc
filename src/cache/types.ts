import type { Key } from '../protocol/key';
import type { Fixed } from '../serde/serde';

/** The argument of a loader. */
export interface LoadContext<T> {
  /** The caller's key. */
  readonly key: Key;
  /**
   * Fires when the result is no longer wanted: `loadTimeout` has passed, the cache was closed, or, with `abortUnused`, the last
   * caller has given up.
   */
  readonly signal: AbortSignal;
  /** The outdated value, if there is one, for conditional requests. Returning it makes it fresh again. */
  readonly old: T | undefined;
}

/** The type of what is stored of a result: `undefined` is not. It takes no part in inference. */
export type Stored<T> = Exclude<Fixed<T>, undefined>;

/** Computes the value of a key. `undefined` means that there is no such value. */
export type Loader<T, Old = T> = (context: LoadContext<Old>) => T | Promise<T>;

/** The second argument of a loader of many keys. */
export interface ManyLoadContext {
  /** Aborted when the load is given up: after `loadTimeout`, with `abortUnused`, and when the cache is closed. */
  readonly signal: AbortSignal;
}

/**
 * What a {@link ManyLoader} returns: a Map, or an array of values in the order of the keys. An `Error` as a value means that
 * this key failed; a key that is not in the Map is `undefined`.
 */
export type ManyLoaded<K, T> = ReadonlyMap<K, T> | readonly (T | Error)[];

/** Computes the values of several keys in one call. */
export type ManyLoader<K, T> = (keys: readonly K[], context: ManyLoadContext) => ManyLoaded<K, T> | Promise<ManyLoaded<K, T>>;

/** The names of events: `stats()` counts them, `observe` and the channel `tsmemcache:cache` report them. */
export const EVENT_NAMES = [
  'hit',
  'l1-hit',
  'stale-hit',
  'error-hit',
  'negative-hit',
  'miss',
  'joined',
  'load',
  'load-error',
  'load-timeout',
  'late-load',
  'lease-won',
  'lease-lost',
  'lease-wait',
  'impatient',
  'early-refresh',
  'refresh',
  'refresh-skipped',
  'take-over',
  'stored',
  'dropped',
  'store-error',
  'released',
  'decode-error',
  'cache-error',
  'cache-timeout',
  'circuit-open',
  'recovered',
  'recovery-overflow',
  'overloaded',
] as const;

/** The name of an event. */
export type CacheEventName = (typeof EVENT_NAMES)[number];

/** Something that a cache has done. It never holds a value. */
export interface CacheEvent {
  readonly type: CacheEventName;
  /** The caller's key. */
  readonly key: Key;
  /** How long it took, in milliseconds, where that makes sense. */
  readonly ms?: number | undefined;
  /** What went wrong, for events of failures. */
  readonly error?: unknown;
  /** The part of its life that the value was in: `fresh`, `stale` (in the time of `stale`), `error` (in that of `staleIfError`); `cold` without a value. */
  readonly zone?: Zone | undefined;
  /** How old a value was that came from the server, in milliseconds, as `ageMs` of `CacheMessage`. */
  readonly ageMs?: number | undefined;
}

/** The part of its life that a value is in. */
export type Zone = 'fresh' | 'stale' | 'error' | 'cold';

/** How often each event has happened, and the present gauges. */
export type CacheStats = Record<CacheEventName | CacheGauge, number>;

/** Numbers that describe a cache at this moment. */
export type CacheGauge = 'loads' | 'queued' | 'flights' | 'l1-entries' | 'l1-bytes';
