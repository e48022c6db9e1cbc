import type { ReadableStream as NodeStream } from 'node:stream/web';
import { option, settingsOf, type OptionTable } from '../options/option';
import { AskedEntries } from './next-asked';
import { decode, encode, type IncrementalEntry } from './next-entry';
import { checkClient, checkRoom, clockOf, type AdapterClient } from './adapter-client';
import { FAILURES, orElse, type Failures } from './failures';
import { WORD } from './key-words';
import { LIFETIME } from './lifetimes';
import { NOT_FOUND, TaggedEntries } from './tagged-entries';
import { Tags, type Durations } from './tags';

export type { AdapterClient, Durations, Failures, IncrementalEntry };

/** How a cache handler behaves. */
export interface CacheHandlerOptions {
  /** The beginning of every key. With the id of the build in it, each build has a cache of its own. @default 'next:' */
  prefix?: string | undefined;
  /** Milliseconds to live of an entry that does not expire by itself; 0 = until memcached needs the room. @default 0 */
  ttl?: number | undefined;
  /**
   * Whether an error of the cache counts as a miss (a write is then lost), or rejects. Revalidating a tag always rejects on an
   * error.
   * @default 'miss'
   */
  failures?: Failures | undefined;
}

/** The options of {@link createCacheHandler}. @internal */
export const NEXT_OPTIONS = { prefix: option(WORD, 'next:'), ttl: option(LIFETIME, 0), failures: option(FAILURES, 'miss') } satisfies OptionTable<CacheHandlerOptions>;

/** The type of a web stream: global where the types of Node have it, else from node:stream/web. */
type Stream = typeof globalThis extends { ReadableStream: { prototype: infer Global } } ? Global : NodeStream<Uint8Array>;

/** An entry of `use cache`, as Next.js has it: seconds, and a time in milliseconds since 1970. */
export interface UseCacheEntry {
  value: Stream;
  tags: string[];
  stale: number;
  timestamp: number;
  expire: number;
  revalidate: number;
}

/** The part of Next.js's contexts that is used. */
interface Context {
  readonly tags?: readonly string[] | undefined;
  readonly softTags?: readonly string[] | undefined;
  readonly cacheControl?: { readonly revalidate?: unknown; readonly expire?: number | undefined } | undefined;
}

/** What `use cache` keeps, out of its stored form. @throws TypeError for what is none */
function openUseCache(stored: object): UseCacheEntry {
  const { bytes, ...entry } = stored as Omit<UseCacheEntry, 'value'> & { bytes: string };
  return { ...entry, value: new Blob([Buffer.from(bytes, 'base64')]).stream() };
}

/** For `cacheHandler` in next.config.js. */
export interface IncrementalCacheHandler {
  get(key: string, context?: object): Promise<IncrementalEntry | null>;
  set(key: string, value: object | null, context?: object): Promise<void>;
  revalidateTag(tags: string | string[], durations?: Durations): Promise<void>;
  resetRequestCache(): void;
}

/** For `cacheHandlers` in next.config.js, and, called with `new`, for `cacheHandler`. */
export interface NextCacheHandler {
  new (context?: object): IncrementalCacheHandler;
  get(key: string, softTags?: string[]): Promise<UseCacheEntry | undefined>;
  set(key: string, pending: Promise<UseCacheEntry>): Promise<void>;
  refreshTags(): Promise<void>;
  getExpiration(...tags: unknown[]): Promise<number>;
  updateTags(tags: string[], durations?: Durations): Promise<void>;
  /** The name of `updateTags` in Next.js 15. */
  expireTags(...tags: string[]): Promise<void>;
}

/**
 * Both of Next.js's cache handlers over memcached, in one value: the default export of the file that `cacheHandler` names,
 * of the one that `cacheHandlers` names, or of both.
 *
 * A tag is one item that holds the time of its last revalidation, by the clocks of the web servers. All tags of an entry are
 * read in one trip, so that every web server sees a revalidation at its next request. Entries larger than an item are cut into
 * pieces.
 *
 * @throws MemcacheIllegalInputError naming the option that is not legal
 */
export function createCacheHandler(client: AdapterClient, options: CacheHandlerOptions = {}): NextCacheHandler {
  checkClient(client, 'setMany', 'cas');
  const { prefix, ttl, failures } = settingsOf(NEXT_OPTIONS, options);
  const clock = clockOf(client);
  checkRoom(client, `${prefix}e:`);
  const allTags = new Tags(client, `${prefix}t:`);
  const entries = new TaggedEntries(client, `${prefix}e:`, allTags);
  /** Writes of this process that are under way: reads of the same key wait for them. */
  const pending = new Map<string, Promise<void>>();

  return class implements IncrementalCacheHandler {
    /** What this instance was asked for: Next.js makes one for each request. */
    readonly #asked = new AskedEntries(clock);

    async get(key: string, { tags = [], softTags = [] }: Context = {}): Promise<IncrementalEntry | null> {
      const { since, found } = await orElse(failures, entries.read(`i:${key}`, [...tags, ...softTags], decode), NOT_FOUND);
      this.#asked.note(key, since, found?.stale === false);
      // -1 is a page that must be made anew before it is served, and a fetch that is stale.
      return found === undefined ? null : { ...found.entry, lastModified: found.stale ? -1 : found.time };
    }

    async set(key: string, value: object | null, { tags = [], cacheControl }: Context = {}): Promise<void> {
      const { headers } = (value ?? {}) as { readonly headers?: Readonly<Record<string, unknown>> };
      const ofPage = headers?.['x-next-cache-tags'];
      const all = typeof ofPage === 'string' ? [...tags, ...ofPage.split(',').filter(Boolean)] : tags;
      const { time, made } = this.#asked.take(key);
      const stored = { time, made, tags: all, entry: encode(value, cacheControl) };
      await orElse(failures, entries.write(`i:${key}`, stored, cacheControl?.expire ?? ttl / 1000), undefined);
    }

    revalidateTag(tags: string | readonly string[], durations?: Durations): Promise<void> {
      return allTags.update(typeof tags === 'string' ? [tags] : tags, durations);
    }

    /** Does nothing: no entry is kept per request. */
    resetRequestCache(): void {}

    static async get(key: string, softTags: readonly string[] = []): Promise<UseCacheEntry | undefined> {
      await pending.get(key)?.catch(() => undefined);
      const { found } = await orElse(failures, entries.read(`u:${key}`, softTags, openUseCache), NOT_FOUND);
      return found && { ...found.entry, ...(found.stale && { revalidate: -1 }) };
    }

    static async set(key: string, pendingEntry: Promise<UseCacheEntry>): Promise<void> {
      const work = (async (): Promise<void> => {
        const { value, ...entry } = await pendingEntry;
        if (entry.expire <= 0) return;
        // When the stream fails, nothing is stored.
        const bytes = await new Response(value).arrayBuffer().catch(() => undefined);
        if (bytes === undefined) return;
        const stored = { time: entry.timestamp, tags: entry.tags, entry: { ...entry, bytes: Buffer.from(bytes).toString('base64') } };
        await orElse(failures, entries.write(`u:${key}`, stored, entry.expire), undefined);
      })();
      pending.set(key, work);
      await work.finally(() => {
        if (pending.get(key) === work) pending.delete(key);
      });
    }

    static refreshTags(): Promise<void> {
      return Promise.resolve();
    }

    /** Soft tags are checked by `get`. */
    static getExpiration(): Promise<number> {
      return Promise.resolve(Infinity);
    }

    static updateTags(this: void, tags: readonly string[], durations?: Durations): Promise<void> {
      return allTags.update(tags, durations);
    }

    static expireTags(this: void, ...tags: readonly string[]): Promise<void> {
      return allTags.update(tags);
    }
  };
}
