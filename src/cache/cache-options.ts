import { duration, flag, hasMethods, wholeNumber } from '../client/client-options';
import type { CallOptions } from '../client/executor';
import { checkOptionNames, type OptionNames } from '../client/option-names';
import { MemcacheIllegalInputError } from '../errors';
import type { Key } from '../protocol/key';
import type { Clock } from '../runtime/clock';
import type { Random } from '../runtime/random';
import type { CacheEvent } from './types';

/** What may be said per cache and per call. */
export interface EntryOptions<T = unknown> extends CallOptions {
  /**
   * Seconds for which a value is fresh, or a function that tells them; 0 for never ending, negative for "do not store".
   * @default 60
   */
  expire?: number | ((value: T, key: Key) => number) | undefined;
  /**
   * Seconds after that for which the old value is served while one reader refreshes it. The same for all readers of a key.
   * @default 0
   */
  stale?: number | undefined;
  /**
   * Seconds after `expire` for which the old value is served when the loader fails or exceeds its time.
   * @default as `stale`
   */
  staleIfError?: number | undefined;
  /** The part of `expire` by which a life may be shortened at random, so that what was stored together does not expire together; none below 10 s. @default 0.1 */
  jitter?: number | undefined;
  /** How eagerly one reader refreshes a value shortly before it expires: the β of XFetch; 0 = not at all. @default 1 */
  earlyRefresh?: number | undefined;
  /** Seconds for which a place-holder lives, and after which another reader takes over a refresh that nobody finished; from 2. @default 10 */
  lease?: number | undefined;
  /** Milliseconds for which a caller waits for somebody else's load before it loads too. @default 2000 */
  leaseWait?: number | undefined;
  /** With an old value: milliseconds for which a caller waits for the new one; 0 = it does not wait. @default 0 */
  softTimeout?: number | undefined;
  /** Milliseconds after which a load is aborted and its callers reject with `CacheLoadTimeoutError`, or get the old value; 0 = no limit. @default 0 */
  loadTimeout?: number | undefined;
  /** Milliseconds that the cache may cost one call, the wait for somebody else's load apart. @default 100 */
  cacheTimeout?: number | undefined;
  /** Seconds for which `undefined`, "no such thing", is stored; without it, it is not. @default none */
  negativeExpire?: number | undefined;
  /** Milliseconds for which a key whose load has failed rejects with that error, without loading, in this process. @default 0 */
  errorPause?: number | undefined;
  /** Names by which entries are invalidated together, at most 16: an array, or a function of the value. */
  tags?: readonly string[] | ((value: T) => readonly string[]) | undefined;
  /** Whether a load is aborted when its last caller has gone; by default it finishes, and is stored. @default false */
  abortUnused?: boolean | undefined;
}

/** How values are kept in this process, in front of the server. */
export interface NearCacheOptions {
  /** @default 10000 */
  maxEntries?: number | undefined;
  /** @default 67108864 */
  maxBytes?: number | undefined;
  /** Milliseconds for which an entry may be served without asking the server: what other processes change is seen after this. @default 1000 */
  ttl?: number | undefined;
  /** Which values are kept: those that are read often, or all. @default 'hot' */
  admit?: 'hot' | 'all' | undefined;
  /** Whether all callers get the same object, as it was when it was first read; by default each gets one of its own. @default false */
  share?: boolean | undefined;
  /** Whether the server is asked each time whether the entry is still the same: nothing outdated is served, only bytes are saved. @default false */
  validate?: boolean | undefined;
  /** Milliseconds after `ttl` for which an entry is served when neither the server nor the loader can be had. @default 0 */
  staleIfError?: number | undefined;
}

/** How a circuit that is opened by failures behaves. */
export interface CircuitOptions {
  /** Failures in a row that open it. @default 5 */
  failures?: number | undefined;
  /** Milliseconds for which calls then do without the cache; after that one at a time tries. @default 1000 */
  pause?: number | undefined;
}

/** How a {@link ReadThroughCache} behaves. Times in seconds are those the server counts; all others are milliseconds. */
export interface CacheOptions<T = unknown> extends Omit<EntryOptions<T>, 'signal'> {
  /**
   * Sets the keys of this cache apart, so that `invalidateNamespace` can invalidate them together. Without it the keys on
   * the server are the caller's own.
   * @default none
   */
  namespace?: string | undefined;
  /** Milliseconds after which the versions of tags and namespace are asked again. @default 1000 */
  tagMaxAge?: number | undefined;
  /** Loads at once; more wait. @default 256 */
  maxLoads?: number | undefined;
  /** Loads that may wait; one more is refused: the old value if there is one, else `MemcacheOverloadedError`. @default 10000 */
  maxQueuedLoads?: number | undefined;
  /** Refreshes behind callers' backs at once, of `maxLoads`. @default 32 */
  maxBackground?: number | undefined;
  /** Milliseconds for which `close` waits for background loads and stores before it aborts them. @default 5000 */
  closeTimeout?: number | undefined;
  /** Values larger than the client's `maxValueSize` are stored in pieces, up to this many bytes. @default off */
  chunk?: { maxValue: number } | undefined;
  /** A near cache in this process. @default none */
  l1?: NearCacheOptions | undefined;
  circuit?: CircuitOptions | undefined;
  /** How many keys whose deletion has failed are remembered, to be deleted again. @default 10000 */
  recovery?: number | undefined;
  /** The name of this cache in messages on `tsmemcache:load` and `tsmemcache:cache`. @default the namespace, or '' */
  name?: string | undefined;
  /** What is published on `diagnostics_channel`. By default no key is. */
  diagnostics?: { key?: ((key: Key) => string) | undefined } | undefined;
  /** Hears what happens. What it throws is ignored. */
  observe?: ((event: CacheEvent) => void) | undefined;
  /** The source of time, for tests. @default the client's */
  clock?: Clock | undefined;
  /** The source of random numbers, for tests. @default the machine's */
  random?: Random | undefined;
}

/** Names that one call may give. */
export const ENTRY_OPTION_NAMES: OptionNames<EntryOptions> = {
  expire: true,
  stale: true,
  staleIfError: true,
  jitter: true,
  earlyRefresh: true,
  lease: true,
  leaseWait: true,
  softTimeout: true,
  loadTimeout: true,
  cacheTimeout: true,
  negativeExpire: true,
  errorPause: true,
  tags: true,
  abortUnused: true,
  signal: true,
};

export const CACHE_OPTION_NAMES: OptionNames<CacheOptions> = {
  expire: true,
  stale: true,
  staleIfError: true,
  jitter: true,
  earlyRefresh: true,
  lease: true,
  leaseWait: true,
  softTimeout: true,
  loadTimeout: true,
  cacheTimeout: true,
  negativeExpire: true,
  errorPause: true,
  tags: true,
  abortUnused: true,
  namespace: true,
  tagMaxAge: true,
  maxLoads: true,
  maxQueuedLoads: true,
  maxBackground: true,
  closeTimeout: true,
  chunk: true,
  l1: true,
  circuit: true,
  recovery: true,
  name: true,
  diagnostics: true,
  observe: true,
  clock: true,
  random: true,
};

const NEAR_OPTION_NAMES: OptionNames<NearCacheOptions> = { maxEntries: true, maxBytes: true, ttl: true, admit: true, share: true, validate: true, staleIfError: true };

/** {@link EntryOptions}, checked, with every default filled in. */
export interface EntrySettings {
  readonly expire: number | ((value: unknown, key: Key) => number);
  readonly stale: number;
  readonly staleIfError: number;
  /** Seconds for which an item stays after it is no longer fresh. */
  readonly keep: number;
  readonly jitter: number;
  readonly earlyRefresh: number;
  readonly lease: number;
  readonly leaseWait: number;
  readonly softTimeout: number;
  readonly loadTimeout: number;
  readonly cacheTimeout: number;
  readonly negativeExpire: number | undefined;
  readonly errorPause: number;
  readonly tags: readonly string[] | ((value: unknown) => readonly string[]) | undefined;
  readonly abortUnused: boolean;
}

/** {@link NearCacheOptions}, checked. */
export interface NearSettings {
  readonly maxEntries: number;
  readonly maxBytes: number;
  readonly ttl: number;
  readonly admit: 'hot' | 'all';
  readonly share: boolean;
  readonly validate: boolean;
  readonly staleIfError: number;
}

/** What a whole cache has. */
export interface CacheSettings {
  readonly entry: EntrySettings;
  readonly namespace: string | undefined;
  readonly tagMaxAge: number;
  readonly maxLoads: number;
  readonly maxQueuedLoads: number;
  readonly maxBackground: number;
  readonly closeTimeout: number;
  readonly maxChunked: number;
  readonly l1: NearSettings | undefined;
  readonly circuit: { readonly failures: number; readonly pause: number };
  readonly recovery: number;
  readonly name: string;
  readonly keyShown: ((key: Key) => string) | undefined;
  readonly observe: ((event: CacheEvent) => void) | undefined;
}

/** About a hundred years: what is longer is a mistake. */
const MAX_SECONDS = 2 ** 31 - 1;
const MAX_COUNT = 2 ** 30;

const DEFAULTS: EntrySettings = {
  expire: 60,
  stale: 0,
  staleIfError: 0,
  keep: 0,
  jitter: 0.1,
  earlyRefresh: 1,
  lease: 10,
  leaseWait: 2000,
  softTimeout: 0,
  loadTimeout: 0,
  cacheTimeout: 100,
  negativeExpire: undefined,
  errorPause: 0,
  tags: undefined,
  abortUnused: false,
};

/** @throws MemcacheIllegalInputError naming the option that is not legal */
export function cacheSettings(options: CacheOptions<never>): CacheSettings {
  checkOptionNames(options, CACHE_OPTION_NAMES);
  const { chunk, circuit = {} } = options;
  checkOptionNames(circuit, { failures: true, pause: true } satisfies OptionNames<CircuitOptions>);
  if (options.observe !== undefined && typeof options.observe !== 'function') throw new MemcacheIllegalInputError('observe must be a function');
  if (options.random !== undefined && typeof options.random !== 'function') throw new MemcacheIllegalInputError('random must be a function');
  if (options.clock !== undefined && !hasMethods(options.clock, 'now', 'time', 'setTimeout', 'setImmediate')) {
    throw new MemcacheIllegalInputError('clock must have the functions now, time, setTimeout and setImmediate');
  }
  if (chunk !== undefined) checkOptionNames(chunk, { maxValue: true });
  const { diagnostics = {} } = options;
  checkOptionNames(diagnostics, { key: true });
  const namespace = checkNamespace(options.namespace);
  return {
    entry: entrySettings(options, DEFAULTS),
    namespace,
    tagMaxAge: duration('tagMaxAge', options.tagMaxAge, 1000),
    maxLoads: wholeNumber('maxLoads', options.maxLoads, 256, 1, MAX_COUNT),
    maxQueuedLoads: wholeNumber('maxQueuedLoads', options.maxQueuedLoads, 10_000, 0, MAX_COUNT),
    maxBackground: wholeNumber('maxBackground', options.maxBackground, 32, 0, MAX_COUNT),
    closeTimeout: duration('closeTimeout', options.closeTimeout, 5000),
    maxChunked: chunk === undefined ? 0 : wholeNumber('chunk.maxValue', chunk.maxValue, 0, 1, MAX_COUNT),
    l1: options.l1 === undefined ? undefined : nearSettings(options.l1),
    circuit: {
      failures: wholeNumber('circuit.failures', circuit.failures, 5, 1, MAX_COUNT),
      pause: duration('circuit.pause', circuit.pause, 1000),
    },
    recovery: wholeNumber('recovery', options.recovery, 10_000, 0, MAX_COUNT),
    name: checkName(options.name) ?? namespace ?? '',
    keyShown: diagnostics.key,
    observe: options.observe,
  };
}

/**
 * What one call says on top of what its cache says.
 *
 * @throws MemcacheIllegalInputError naming the option that is not legal
 */
export function entrySettings(options: EntryOptions<never>, base: EntrySettings): EntrySettings {
  const stale = wholeNumber('stale', options.stale, base.stale, 0, MAX_SECONDS);
  const inherited = options.stale === undefined || base.staleIfError !== base.stale ? base.staleIfError : stale;
  const staleIfError = wholeNumber('staleIfError', options.staleIfError, inherited, 0, MAX_SECONDS);
  return {
    expire: checkExpire(options.expire) ?? base.expire,
    stale,
    staleIfError,
    keep: Math.max(stale, staleIfError),
    jitter: part('jitter', options.jitter, base.jitter, 1),
    earlyRefresh: part('earlyRefresh', options.earlyRefresh, base.earlyRefresh, 1000),
    lease: wholeNumber('lease', options.lease, base.lease, 2, 3600),
    leaseWait: duration('leaseWait', options.leaseWait, base.leaseWait),
    softTimeout: duration('softTimeout', options.softTimeout, base.softTimeout),
    loadTimeout: duration('loadTimeout', options.loadTimeout, base.loadTimeout),
    cacheTimeout: duration('cacheTimeout', options.cacheTimeout, base.cacheTimeout),
    negativeExpire: options.negativeExpire === undefined ? base.negativeExpire : wholeNumber('negativeExpire', options.negativeExpire, 0, 0, MAX_SECONDS),
    errorPause: duration('errorPause', options.errorPause, base.errorPause),
    tags: options.tags === undefined ? base.tags : checkTags(options.tags),
    abortUnused: flag('abortUnused', options.abortUnused, base.abortUnused),
  };
}

/** Checks the options of a call; the settings of the cache when it says nothing. */
export function callSettings(options: EntryOptions<never> | undefined, base: EntrySettings): EntrySettings {
  if (options === undefined) return base;
  checkOptionNames(options, ENTRY_OPTION_NAMES);
  if (options.signal !== undefined && !(options.signal instanceof AbortSignal)) throw new MemcacheIllegalInputError('signal must be an AbortSignal');
  for (const name in options) if (name !== 'signal') return entrySettings(options, base);
  return base;
}

function nearSettings(options: NearCacheOptions): NearSettings {
  checkOptionNames(options, NEAR_OPTION_NAMES);
  const { admit = 'hot' } = options;
  if (!['hot', 'all'].includes(admit)) throw new MemcacheIllegalInputError("l1.admit must be 'hot' or 'all'");
  return {
    maxEntries: wholeNumber('l1.maxEntries', options.maxEntries, 10_000, 1, MAX_COUNT),
    maxBytes: wholeNumber('l1.maxBytes', options.maxBytes, 64 * 1024 * 1024, 1, 2 ** 40),
    ttl: duration('l1.ttl', options.ttl, 1000),
    admit,
    share: flag('l1.share', options.share, false),
    validate: flag('l1.validate', options.validate, false),
    staleIfError: duration('l1.staleIfError', options.staleIfError, 0),
  };
}

function checkExpire(expire: unknown): EntrySettings['expire'] | undefined {
  if (expire === undefined) return undefined;
  if (typeof expire === 'function') return expire as (value: unknown, key: Key) => number;
  if (typeof expire === 'number' && Number.isInteger(expire) && expire <= MAX_SECONDS) return expire;
  throw new MemcacheIllegalInputError('expire must be a whole number of seconds, or a function of the value that returns one');
}

/** How long a value is fresh. @throws MemcacheIllegalInputError when the function of the user returns no number */
export function expireOf(expire: EntrySettings['expire'], value: unknown, key: Key): number {
  if (typeof expire === 'number') return expire;
  const seconds: unknown = expire(value, key);
  if (typeof seconds !== 'number' || Number.isNaN(seconds) || seconds > MAX_SECONDS) {
    throw new MemcacheIllegalInputError('expire must return a number of seconds');
  }
  // A part of a second is a second: 0 would be for ever.
  return Math.ceil(seconds);
}

function part(name: string, value: unknown, byDefault: number, most: number): number {
  if (value === undefined) return byDefault;
  if (typeof value !== 'number' || !(value >= 0 && value <= most)) throw new MemcacheIllegalInputError(`${name} must be a number from 0 to ${most}`);
  return value;
}

export const MAX_TAGS = 16;

function checkTags(tags: unknown): EntrySettings['tags'] {
  if (typeof tags === 'function') return tags as (value: unknown) => readonly string[];
  return tagList(tags);
}

/** @throws MemcacheIllegalInputError when these are no names of tags */
export function tagList(tags: unknown): readonly string[] {
  if (!Array.isArray(tags) || tags.length > MAX_TAGS) throw new MemcacheIllegalInputError(`tags must be an array of at most ${MAX_TAGS} names, or a function that returns one`);
  for (const tag of tags as readonly unknown[]) {
    if (typeof tag !== 'string' || !/^[!-~]{1,150}$/.test(tag)) {
      throw new MemcacheIllegalInputError('tags must be names of 1 to 150 printable ASCII characters without whitespace');
    }
  }
  return [...new Set(tags as readonly string[])];
}

function checkName(name: unknown): string | undefined {
  if (name !== undefined && typeof name !== 'string') throw new MemcacheIllegalInputError('name must be a string');
  return name;
}

function checkNamespace(namespace: unknown): string | undefined {
  if (namespace === undefined) return undefined;
  if (typeof namespace !== 'string' || !/^[!-~]{1,100}$/.test(namespace)) {
    throw new MemcacheIllegalInputError('namespace must be 1 to 100 printable ASCII characters without whitespace');
  }
  return namespace;
}
