import { isAbortSignal } from '../client/abort';
import type { CallOptions } from '../client/executor';
import { MemcacheIllegalInputError } from '../errors';
import { checkOptionNames, option, settingsAmong, settingsOf, type OptionTable, type Settings } from '../options/option';
import { checkValue, functionOf, isObject, MILLISECONDS, objectWith, SWITCH, valueThat, wholeNumber, type Rule } from '../options/rule';
import type { Key } from '../protocol/key';
import type { Clock } from '../runtime/clock';
import type { Random } from '../runtime/random';
import type { CacheEvent } from './types';

/** Options of a cache that a single call can override. */
export interface EntryOptions<T = unknown> extends CallOptions {
  /**
   * Seconds for which a value is fresh, or a function that returns them; 0 for ever, negative for "do not store".
   * @default 60
   */
  expire?: number | ((value: T, key: Key) => number) | undefined;
  /**
   * Seconds after that for which the old value is served while one reader refreshes it. All readers of a key must use the same
   * value. Five years at the most: what is greater counts as that.
   * @default 0
   */
  stale?: number | undefined;
  /**
   * Seconds after `expire` for which the old value is served when the loader fails or exceeds its time.
   * Five years at the most.
   * @default as `stale`
   */
  staleIfError?: number | undefined;
  /**
   * The share of `expire`, 0 to 1, by which a life may be shortened at random, so that what was stored together does not expire
   * together; not applied below 10 s.
   * @default 0.1
   */
  jitter?: number | undefined;
  /** How eagerly one reader refreshes a value shortly before it expires: the β of XFetch; 0 = not at all. @default 1 */
  earlyRefresh?: number | undefined;
  /**
   * Seconds for which a place-holder lives, and after which another reader takes over a refresh that was not finished; at least
   * 2.
   * @default 10
   */
  lease?: number | undefined;
  /** Milliseconds for which a caller waits for another process's load before it loads too. @default 2000 */
  leaseWait?: number | undefined;
  /** Milliseconds for which a caller that could have the old value waits for the new one; 0 = it does not wait. @default 0 */
  softTimeout?: number | undefined;
  /** Milliseconds after which a load is aborted and its callers reject with `CacheLoadTimeoutError`, or get the old value; 0 = no limit. @default 0 */
  loadTimeout?: number | undefined;
  /** Milliseconds that the cache may cost one call, not counting the wait for another process's load; 0 = no limit but the client's own. @default 100 */
  cacheTimeout?: number | undefined;
  /** Seconds for which a loader's `undefined` ("there is no such value") is stored, 0 for ever; without this option it is not stored. @default none */
  negativeExpire?: number | undefined;
  /** Milliseconds for which a key whose load has failed rejects with that error, without loading, in this process. @default 0 */
  errorPause?: number | undefined;
  /** At most 16 names by which entries are invalidated together: an array, or a function of the value. */
  tags?: readonly string[] | ((value: T) => readonly string[]) | undefined;
  /** Whether a load is aborted when its last caller has given up; by default it finishes, and its value is stored. @default false */
  abortUnused?: boolean | undefined;
}

/** How values are kept in this process, in front of the server. */
export interface NearCacheOptions {
  /** The most entries. @default 10000 */
  maxEntries?: number | undefined;
  /** The most memory in bytes, keys and overhead included. @default 67108864 */
  maxBytes?: number | undefined;
  /**
   * Milliseconds for which an entry may be served without asking the server: changes by other processes are seen after this.
   * @default 1000
   */
  ttl?: number | undefined;
  /** Which values are kept: those that are read often, or all. @default 'hot' */
  admit?: 'hot' | 'all' | undefined;
  /** Whether all callers get the same object, the one that was first read; by default each caller gets its own copy. @default false */
  share?: boolean | undefined;
  /**
   * Whether the server is asked each time whether the entry is still the same: nothing outdated is served, and only the
   * transfer of values is saved, on memcached from 1.6.27 on, of those that such a cache has written.
   * @default false
   */
  validate?: boolean | undefined;
  /** Milliseconds after `ttl`, or with `validate` after it was last confirmed, for which an entry is still served when both the server and the loader fail. @default 0 */
  staleIfError?: number | undefined;
  /**
   * Whether caches in other worker threads of this process, which have this option too, are told of what is set, deleted and
   * invalidated here, so that they forget it at once.
   * @default false
   */
  broadcast?: boolean | undefined;
}

/** When the circuit opens, and for how long: while it is open, calls skip the cache. */
export interface CircuitOptions {
  /** Consecutive failures that open it. @default 5 */
  failures?: number | undefined;
  /** Milliseconds for which calls then skip the cache; after that one call at a time tries it. @default 1000 */
  pause?: number | undefined;
}

/** How a {@link ReadThroughCache} behaves. Times that the server keeps are in seconds, all others in milliseconds. */
export interface CacheOptions<T = unknown> extends Omit<EntryOptions<T>, 'signal'> {
  /**
   * Sets the keys of this cache apart, so that `invalidateNamespace` can invalidate them together. Without it the keys on
   * the server are the caller's own.
   * @default none
   */
  namespace?: string | undefined;
  /** Milliseconds for which known versions of tags and of the namespace are used without asking the server. @default 1000 */
  tagMaxAge?: number | undefined;
  /** The most loads at the same time; others wait. @default 256 */
  maxLoads?: number | undefined;
  /**
   * The most loads that may wait. One more is refused: its callers get the old value if there is one, else
   * `MemcacheOverloadedError`.
   * @default 10000
   */
  maxQueuedLoads?: number | undefined;
  /** The most background refreshes at the same time, as a part of `maxLoads`. @default 32 */
  maxBackground?: number | undefined;
  /** Milliseconds for which `close` waits for loads and stores before it aborts the loads. @default 5000 */
  closeTimeout?: number | undefined;
  /**
   * Values for which an item of the client's `maxValueSize` has no room, with its key and head (512 bytes), are stored in pieces, up to this
   * many bytes and 9999 pieces. The pieces of an entry that was deleted or replaced stay until their life is over, or the server needs the room.
   * @default off
   */
  chunk?: { maxValue: number } | undefined;
  /** A near cache in this process. @default none */
  l1?: NearCacheOptions | undefined;
  /** When calls skip the cache after failures. @default { failures: 5, pause: 1000 } */
  circuit?: CircuitOptions | undefined;
  /** How many keys whose deletion failed are remembered, to be deleted later. @default 10000 */
  recovery?: number | undefined;
  /** The name of this cache in messages on `tsmemcache:load` and `tsmemcache:cache`. @default the namespace, or '' */
  name?: string | undefined;
  /** What messages on `diagnostics_channel` may show of a key. @default the client's */
  diagnostics?: { key?: ((key: Key) => string) | undefined } | undefined;
  /** Called with each event. Errors that it throws are ignored. */
  observe?: ((event: CacheEvent) => void) | undefined;
  /** The source of time, for tests. @default the client's */
  clock?: Clock | undefined;
  /** The source of random numbers, for tests. @default `Math.random` */
  random?: Random | undefined;
}

/** About seventy years: anything longer is a mistake. */
const MAX_SECONDS = 2 ** 31 - 1;
const MAX_COUNT = 2 ** 30;
const SECONDS = wholeNumber(0, MAX_SECONDS);
const COUNT = wholeNumber(0, MAX_COUNT);
const AT_LEAST_ONE = wholeNumber(1, MAX_COUNT);

/** The most tags of an entry. */
export const MAX_TAGS = 16;
const TAG = /^[!-~]{1,150}$/;

const TAG_NAMES: Rule<readonly string[]> = valueThat(
  `an array of at most ${MAX_TAGS} names, each of 1 to 150 printable ASCII characters without whitespace`,
  (value) => Array.isArray(value) && value.length <= MAX_TAGS && value.every((tag) => typeof tag === 'string' && TAG.test(tag)),
);

const EXPIRE = valueThat<NonNullable<EntryOptions['expire']>>(
  'a whole number of seconds, or a function of the value that returns one',
  (value) => typeof value === 'function' || (Number.isInteger(value) && Number(value) <= MAX_SECONDS),
);

const TAGS = valueThat<NonNullable<EntryOptions['tags']>>(
  `${TAG_NAMES.is}, or a function of the value that returns one`,
  (value) => typeof value === 'function' || TAG_NAMES.allows(value),
);

function part(most: number): Rule<number> {
  return valueThat(`a number from 0 to ${most}`, (value) => typeof value === 'number' && value >= 0 && value <= most);
}

/** The options of a call, without `signal`. */
export const ENTRY_OPTIONS = {
  expire: option(EXPIRE, 60),
  stale: option(SECONDS, 0),
  staleIfError: option(SECONDS),
  jitter: option(part(1), 0.1),
  earlyRefresh: option(part(1000), 1),
  lease: option(wholeNumber(2, 3600), 10),
  leaseWait: option(MILLISECONDS, 2000),
  softTimeout: option(MILLISECONDS, 0),
  loadTimeout: option(MILLISECONDS, 0),
  cacheTimeout: option(MILLISECONDS, 100),
  negativeExpire: option(SECONDS),
  errorPause: option(MILLISECONDS, 0),
  tags: option(TAGS),
  abortUnused: option(SWITCH, false),
} satisfies OptionTable<Omit<EntryOptions, 'signal'>>;

const CALL_OPTIONS: OptionTable<EntryOptions> = {
  ...ENTRY_OPTIONS,
  signal: option(valueThat<AbortSignal>('an AbortSignal', isAbortSignal)),
};

export const NEAR_OPTIONS = {
  maxEntries: option(AT_LEAST_ONE, 10_000),
  maxBytes: option(wholeNumber(1, 2 ** 40, 'bytes'), 64 * 1024 * 1024),
  ttl: option(MILLISECONDS, 1000),
  admit: option(valueThat<'hot' | 'all'>("'hot' or 'all'", (value) => value === 'hot' || value === 'all'), 'hot'),
  share: option(SWITCH, false),
  validate: option(SWITCH, false),
  staleIfError: option(MILLISECONDS, 0),
  broadcast: option(SWITCH, false),
} satisfies OptionTable<NearCacheOptions>;

export const CIRCUIT_OPTIONS = {
  failures: option(AT_LEAST_ONE, 5),
  pause: option(MILLISECONDS, 1000),
} satisfies OptionTable<CircuitOptions>;

const CHUNK_OPTIONS = { maxValue: option(wholeNumber(1, MAX_COUNT, 'bytes'), 1) } satisfies OptionTable<{ maxValue: number }>;
const DIAGNOSTICS_OPTIONS = { key: option(functionOf<(key: Key) => string>()) } satisfies OptionTable<NonNullable<CacheOptions['diagnostics']>>;

const NAMESPACE = valueThat<string>('1 to 100 printable ASCII characters without whitespace', (value) => typeof value === 'string' && /^[!-~]{1,100}$/.test(value));
const GROUP: Rule<object> = valueThat('an object', isObject);

/** The options of a cache. */
export const CACHE_OPTIONS = {
  ...ENTRY_OPTIONS,
  namespace: option(NAMESPACE),
  tagMaxAge: option(MILLISECONDS, 1000),
  maxLoads: option(AT_LEAST_ONE, 256),
  maxQueuedLoads: option(COUNT, 10_000),
  maxBackground: option(COUNT, 32),
  closeTimeout: option(MILLISECONDS, 5000),
  chunk: option(valueThat<{ maxValue: number }>('an object with maxValue', (value) => isObject(value) && 'maxValue' in value && value.maxValue !== undefined)),
  l1: option(GROUP as Rule<NearCacheOptions>),
  circuit: option(GROUP as Rule<CircuitOptions>, {}),
  recovery: option(COUNT, 10_000),
  name: option(valueThat<string>('a string', (value) => typeof value === 'string')),
  diagnostics: option(GROUP as Rule<NonNullable<CacheOptions['diagnostics']>>, {}),
  observe: option(functionOf<(event: CacheEvent) => void>()),
  clock: option(objectWith<Clock>('a Clock', 'now', 'time', 'setTimeout', 'setImmediate')),
  random: option(functionOf<Random>()),
} satisfies OptionTable<CacheOptions>;

/** {@link EntryOptions}, checked, with every default filled in. */
export interface EntrySettings {
  readonly expire: number | ((value: unknown, key: Key) => number);
  readonly stale: number;
  /** Undefined: as `stale`. */
  readonly staleIfError: number | undefined;
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
export type NearSettings = Settings<typeof NEAR_OPTIONS>;

/** The settings of a cache. */
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
  readonly circuit: Settings<typeof CIRCUIT_OPTIONS>;
  readonly recovery: number;
  readonly name: string;
  readonly keyShown: ((key: Key) => string) | undefined;
  readonly observe: ((event: CacheEvent) => void) | undefined;
}

/** @throws MemcacheIllegalInputError naming the option that is not legal */
export function cacheSettings(options: CacheOptions<never>): CacheSettings {
  const settings = settingsOf(CACHE_OPTIONS, options);
  const { namespace, chunk, l1 } = settings;
  const { tags, ...durations } = settingsAmong(ENTRY_OPTIONS, options);
  const entry: EntrySettings = {
    ...durations,
    tags: ownTags(tags),
    keep: keepOf(settings.stale, settings.staleIfError),
  };
  return {
    entry,
    namespace,
    tagMaxAge: settings.tagMaxAge,
    maxLoads: settings.maxLoads,
    maxQueuedLoads: settings.maxQueuedLoads,
    maxBackground: settings.maxBackground,
    closeTimeout: settings.closeTimeout,
    maxChunked: chunk === undefined ? 0 : group('chunk', CHUNK_OPTIONS, chunk).maxValue,
    l1: l1 === undefined ? undefined : group('l1', NEAR_OPTIONS, l1),
    circuit: group('circuit', CIRCUIT_OPTIONS, settings.circuit),
    recovery: settings.recovery,
    name: settings.name ?? namespace ?? '',
    keyShown: group('diagnostics', DIAGNOSTICS_OPTIONS, settings.diagnostics).key,
    observe: settings.observe,
  };
}

/** The settings of an option that is an object of options; messages name both. */
function group<Table extends Parameters<typeof settingsOf>[0]>(name: string, table: Table, options: object): ReturnType<typeof settingsOf<Table>> {
  for (const [option, { rule }] of Object.entries(table)) {
    const value = (options as Readonly<Record<string, unknown>>)[option];
    if (value !== undefined) checkValue(`${name}.${option}`, rule, value);
  }
  return settingsOf(table, options);
}

/**
 * The settings of one call: its options on top of the settings of the cache.
 *
 * @throws MemcacheIllegalInputError naming the option that is not legal
 */
export function callSettings(options: EntryOptions<never> | undefined, base: EntrySettings): EntrySettings {
  if (options === undefined || !checkCallOptions(options)) return base;
  const { expire, tags, stale = base.stale, staleIfError = base.staleIfError } = options;
  return {
    expire: (expire as EntrySettings['expire'] | undefined) ?? base.expire,
    stale,
    staleIfError,
    keep: keepOf(stale, staleIfError),
    jitter: options.jitter ?? base.jitter,
    earlyRefresh: options.earlyRefresh ?? base.earlyRefresh,
    lease: options.lease ?? base.lease,
    leaseWait: options.leaseWait ?? base.leaseWait,
    softTimeout: options.softTimeout ?? base.softTimeout,
    loadTimeout: options.loadTimeout ?? base.loadTimeout,
    cacheTimeout: options.cacheTimeout ?? base.cacheTimeout,
    negativeExpire: options.negativeExpire ?? base.negativeExpire,
    errorPause: options.errorPause ?? base.errorPause,
    tags: ownTags(tags as EntrySettings['tags']) ?? base.tags,
    abortUnused: options.abortUnused ?? base.abortUnused,
  };
}

/**
 * Whether they say anything besides `signal`.
 *
 * @throws MemcacheIllegalInputError naming the option that is not legal
 */
export function checkCallOptions(options: EntryOptions<never>): boolean {
  checkOptionNames(options, CALL_OPTIONS);
  const given: Readonly<Record<string, unknown>> = options as Readonly<Record<string, unknown>>;
  let said = false;
  for (const name in given) {
    const value = given[name];
    if (value === undefined) continue;
    checkValue(name, CALL_OPTIONS[name as keyof EntryOptions].rule, value);
    said ||= name !== 'signal';
  }
  return said;
}

/**
 * Seconds for which an entry stays after it is no longer fresh: five years at the most. What is left of its time to live tells whether it is
 * fresh, so the server must be able to hold all of that time.
 */
function keepOf(stale: number, staleIfError = stale): number {
  return Math.min(LONGEST_KEEP, Math.max(stale, staleIfError));
}

const LONGEST_KEEP = 5 * 365 * 24 * 60 * 60;

/** How long a value is fresh. @throws MemcacheIllegalInputError when the user's function throws, or does not return a number */
export function expireOf(expire: EntrySettings['expire'], value: unknown, key: Key): number {
  if (typeof expire === 'number') return expire;
  const seconds: unknown = asked('expire', () => expire(value, key));
  if (typeof seconds !== 'number' || Number.isNaN(seconds) || seconds > MAX_SECONDS) {
    throw new MemcacheIllegalInputError('expire must return a number of seconds');
  }
  // Rounded away from 0, which would be for ever.
  return seconds < 0 ? -1 : Math.ceil(seconds);
}

/** The tags of a value. @throws MemcacheIllegalInputError when the user's function throws, or does not return names of tags */
export function tagsOf(tags: EntrySettings['tags'], value: unknown): readonly string[] {
  return typeof tags === 'function' ? tagList(asked('tags', () => tags(value))) : (tags ?? []);
}

/** What the user's function says; who hears of its error must know which option it came from. */
function asked<R>(name: 'expire' | 'tags', ask: () => R): R {
  try {
    return ask();
  } catch (cause) {
    throw new MemcacheIllegalInputError(`the function ${name} has thrown; see cause`, { cause });
  }
}

/** A list is copied: the caller may change it before what it is for has been loaded. */
function ownTags(tags: EntrySettings['tags']): EntrySettings['tags'] {
  return typeof tags === 'object' ? [...tags] : tags;
}

/** @throws MemcacheIllegalInputError when these are not names of tags */
export function tagList(tags: unknown): readonly string[] {
  checkValue('tags', TAG_NAMES, tags);
  return [...new Set(tags as readonly string[])];
}
