import type { Key } from '../protocol/key';

/** What a loader is told. */
export interface LoadContext<T> {
  /** The caller's key. */
  readonly key: Key;
  /** Fires when the result is not wanted any more: `loadTimeout` has passed, the cache was closed, or, with `abortUnused`, the last caller has gone. */
  readonly signal: AbortSignal;
  /** The outdated value, if there is one: for conditional requests. Returning it renews it. */
  readonly old: T | undefined;
}

/** Computes the value of a key. `undefined` says that there is no such thing. */
export type Loader<T> = (context: LoadContext<T>) => T | Promise<T>;

/** What a loader of many keys is told. */
export interface ManyLoadContext {
  readonly signal: AbortSignal;
}

/** What a {@link ManyLoader} gives: a map, or values in the order of the keys; an `Error` stands for a key that failed, a missing key for `undefined`. */
export type ManyLoaded<K, T> = ReadonlyMap<K, T> | readonly (T | Error)[];

/** Computes the values of several keys in one call. */
export type ManyLoader<K, T> = (keys: readonly K[], context: ManyLoadContext) => ManyLoaded<K, T> | Promise<ManyLoaded<K, T>>;

/** What a cache has done, one name per kind of event; `stats()` counts them, `observe` and `tsmemcache:cache` tell them. */
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

export type CacheEventName = (typeof EVENT_NAMES)[number];

/** One thing that a cache has done. It never holds a value. */
export interface CacheEvent {
  readonly type: CacheEventName;
  /** The caller's key. */
  readonly key: Key;
  /** How long it took, in milliseconds, where that makes sense. */
  readonly ms?: number | undefined;
  readonly error?: unknown;
  /** How old the value was: `fresh`, `stale` (in the time of `stale`), `error` (in that of `staleIfError`), or `cold`. */
  readonly zone?: Zone | undefined;
}

export type Zone = 'fresh' | 'stale' | 'error' | 'cold';

/** How often each event happened, and how things stand now. */
export type CacheStats = Record<CacheEventName | CacheGauge, number>;

/** What a cache has at this moment. */
export type CacheGauge = 'loads' | 'queued' | 'flights' | 'l1-entries' | 'l1-bytes';
