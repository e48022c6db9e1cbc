import { MemcacheIllegalInputError, type MemcacheError } from '../errors';
import { option, settingsOf, type OptionTable } from '../options/option';
import { objectWith } from '../options/rule';
import { Generation, GENERATION_OPTIONS, type GenerationOptions } from './generation';
import { checkClient, hitsOf, textOf, type AdapterClient } from './adapter-client';
import { FAILURES, hasCode, orElse, type Failures } from './failures';
import { WORD } from './key-words';
import { LIFETIME, secondsOf } from './lifetimes';

export type { AdapterClient, Failures };

/** How a {@link memcacheDriver} behaves. */
export interface MemcacheDriverOptions extends GenerationOptions {
  /** Any client; the driver does not close it. */
  client: AdapterClient;
  /** The beginning of every key; `clear` clears this and nothing else. @default 'unstorage' */
  base?: string | undefined;
  /** Seconds to live of an item stored without a `ttl` of its own; 0 = for ever. @default 0 */
  ttl?: number | undefined;
  /**
   * Whether an error of the cache counts as a miss (a write is then lost), or rejects. A value that no item can hold, since it is
   * larger than `maxValueSize` or the client's serde refuses it, always rejects.
   * @default 'miss'
   */
  failures?: Failures | undefined;
}

/** The options of {@link memcacheDriver}. @internal */
export const DRIVER_OPTIONS = {
  client: option(objectWith<AdapterClient>('a client, for example new Client()', 'get')),
  base: option(WORD, 'unstorage'),
  ttl: option(LIFETIME, 0),
  failures: option(FAILURES, 'miss'),
  ...GENERATION_OPTIONS,
} satisfies OptionTable<MemcacheDriverOptions>;

/** The options that unstorage passes with a call. */
export interface ItemOptions {
  /** Seconds to live, in place of the driver's `ttl`. */
  readonly ttl?: number | undefined;
}

/** A driver as unstorage 1.17 takes it. */
export interface MemcacheDriver {
  readonly name: 'memcache';
  readonly flags: { readonly ttl: true };
  readonly options: MemcacheDriverOptions;
  getInstance(): AdapterClient;
  hasItem(key: string): Promise<boolean>;
  getItem(key: string): Promise<string | null>;
  getItems(items: readonly { readonly key: string }[]): Promise<{ key: string; value: string | null }[]>;
  /**
   * @param options.ttl - seconds, rounded up; 0: for ever; negative: gone at once
   * @throws MemcacheIllegalInputError for a value larger than the client's `maxValueSize`, MemcacheSerdeError for one that its serde
   * refuses, such as half of a surrogate pair
   */
  setItem(key: string, value: string, options?: ItemOptions): Promise<void>;
  removeItem(key: string): Promise<void>;
  /** @throws MemcacheIllegalInputError always: memcached cannot list keys, and an empty list would be wrong */
  getKeys(base?: string): Promise<string[]>;
  /** Empties the storage. Rejects for a part of it (`base`), which would have to be listed. */
  clear(base?: string): Promise<void>;
  /** Does nothing: the client belongs to the program. */
  dispose(): void;
}

/**
 * A driver for unstorage: `createStorage({ driver: memcacheDriver({ client }) })`.
 *
 * @throws MemcacheIllegalInputError naming the option that is not legal
 */
export function memcacheDriver(options: MemcacheDriverOptions): MemcacheDriver {
  const { base: name, ttl, failures } = settingsOf(DRIVER_OPTIONS, options);
  const { client } = options;
  checkClient(client);
  const generation = new Generation(client, name, options);

  async function getItem(key: string): Promise<string | null> {
    return textOf(await client.get(await generation.keyOf(key))) ?? null;
  }

  return {
    name: 'memcache',
    flags: { ttl: true },
    options,
    getInstance: () => client,
    hasItem: (key) => orElse(failures, getItem(key).then((value) => value !== null), false),
    getItem: (key) => orElse(failures, getItem(key), null),
    async getItems(items) {
      const keys = items.map(({ key }) => key);
      const read = async (): Promise<(string | null)[]> => {
        const itemKeys = await generation.keysOf(keys);
        const found = await hitsOf(client, itemKeys, failures);
        return itemKeys.map((key) => textOf(found.get(key)) ?? null);
      };
      const values = await orElse(failures, read(), []);
      return keys.map((key, index) => ({ key, value: values[index] ?? null }));
    },
    async setItem(key, value, item) {
      const expire = secondsToLive(item?.ttl ?? ttl);
      const written = generation.write([key], ([itemKey = '']) => client.set(itemKey, value, { expire, noreply: false }));
      await orElse(failures, written, false, throwRefusal);
    },
    async removeItem(key) {
      await orElse(failures, generation.write([key], ([itemKey = '']) => client.delete(itemKey, { noreply: false })), false);
    },
    getKeys: () => Promise.reject(noListing('getKeys')),
    clear: (base) => (base === undefined || base === '' ? generation.clear() : Promise.reject(noListing('clear of a part of the storage'))),
    dispose: () => undefined,
  };
}

function secondsToLive(ttl: number): number {
  return ttl === 0 ? 0 : secondsOf(ttl * 1000);
}

/** A write that never succeeds is no outage, and `setItem` has no result that would tell of it. */
function throwRefusal(error: MemcacheError): void {
  if (hasCode(error, 'MEMCACHE_ILLEGAL_INPUT') || hasCode(error, 'MEMCACHE_SERDE')) throw error;
}

export default memcacheDriver;

/** memcached cannot list keys, and an empty list would be wrong. */
function noListing(what: string): MemcacheIllegalInputError {
  return new MemcacheIllegalInputError(`${what} would have to list keys, which memcached cannot do`);
}
