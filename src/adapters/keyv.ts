import { EventEmitter } from 'node:events';
import { option, settingsOf, type OptionTable } from '../options/option';
import { Generation, GENERATION_OPTIONS, type GenerationOptions } from './generation';
import { checkClient, clockOf, hitsOf, textOf, type AdapterClient } from './adapter-client';
import { FAILURES, orElse, type Failures } from './failures';
import { WORD } from './key-words';
import { secondsOf } from './lifetimes';

export type { AdapterClient, Failures };

/** How a {@link KeyvMemcache} behaves. */
export interface KeyvMemcacheOptions extends GenerationOptions {
  /** The beginning of every key, in front of Keyv's own namespace; `clear` clears this and nothing else. @default 'keyv' */
  namespace?: string | undefined;
  /**
   * Whether an error of the cache counts as a miss (`false` for a write), or rejects. Keyv itself hides errors of reads.
   * @default 'miss'
   */
  failures?: Failures | undefined;
}

/** The options of {@link KeyvMemcache}. @internal */
export const KEYV_OPTIONS = { namespace: option(WORD), failures: option(FAILURES, 'miss'), ...GENERATION_OPTIONS } satisfies OptionTable<KeyvMemcacheOptions>;

/** One of the entries that Keyv stores together. */
export interface KeyvStoreEntry {
  key: string;
  value: unknown;
  /** Milliseconds; undefined or 0: for ever. */
  ttl?: number | undefined;
}

/**
 * A store for Keyv, and so for cache-manager and `@nestjs/cache-manager`: `new Keyv({ store: new KeyvMemcache(client) })`.
 *
 * Any string can be a key (see `safeKey`). Milliseconds to live are rounded up to seconds. There is no iterator: memcached
 * cannot list keys. `error` is emitted when somebody listens.
 */
export class KeyvMemcache extends EventEmitter {
  /** Read and written by Keyv. */
  readonly opts: Record<string, unknown>;
  readonly #client: AdapterClient;
  readonly #failures: Failures;
  readonly #options: KeyvMemcacheOptions;
  #namespace: string | undefined;
  #generation: Generation;

  /** @throws MemcacheIllegalInputError naming the option that is not legal */
  constructor(client: AdapterClient, options: KeyvMemcacheOptions = {}) {
    super();
    checkClient(client, 'deleteMany');
    this.#client = client;
    const settings = settingsOf(KEYV_OPTIONS, options);
    this.#options = settings;
    this.#failures = settings.failures;
    this.opts = { ...options, dialect: 'memcache' };
    this.#generation = this.#newGeneration();
  }

  /** Keyv's namespace, which Keyv sets; it comes after our own. */
  get namespace(): string | undefined {
    return this.#namespace ?? this.#options.namespace;
  }

  set namespace(namespace: string | undefined) {
    if (namespace === this.#namespace) return;
    this.#namespace = namespace;
    this.#generation = this.#newGeneration();
  }

  /** The string that Keyv stored; `undefined` on a miss. */
  get<Value>(key: string): Promise<Value | undefined>;
  async get(key: string): Promise<unknown> {
    return await this.#orElse<unknown>(async () => readable(await this.#client.get(await this.#generation.keyOf(key))), undefined);
  }

  /** As {@link get}, in the order of `keys`. */
  getMany<Value>(keys: string[]): Promise<(Value | undefined)[]>;
  async getMany(keys: string[]): Promise<unknown[]> {
    return await this.#orElse<unknown[]>(
      async () => {
        const itemKeys = await this.#generation.keysOf(keys);
        const found = await hitsOf(this.#client, itemKeys, this.#failures, this.#onError);
        return itemKeys.map((key) => readable(found.get(key)));
      },
      keys.map(() => undefined),
    );
  }

  /** @param ttl - milliseconds; negative: gone at once; undefined or 0: for ever */
  async set(key: string, value: unknown, ttl?: number): Promise<boolean> {
    return await this.#orElse(async () => {
      // The first versions of Keyv 5 pass on `null` too.
      const milliseconds = ttl ?? 0;
      const expire = milliseconds === 0 ? 0 : secondsOf(milliseconds);
      // Without a serializer of Keyv's, the client's serde decides what may be stored.
      return this.#generation.write([key], ([item = '']) => this.#client.set(item, value as string, { expire, noreply: false }));
    }, false);
  }

  // Keyv 6 leaves namespaces to a store that has all of its methods, these included. Without them its `clear` fails. They are
  // async functions because Keyv 6 takes a store of others for a Map.

  /** As {@link set}, for several entries; by entry, whether it was stored. */
  setMany(entries: KeyvStoreEntry[]): Promise<boolean[]>;
  /** As Keyv 5 declares it. */
  setMany(entries: KeyvStoreEntry[]): Promise<void>;
  async setMany(entries: KeyvStoreEntry[]): Promise<unknown> {
    return await Promise.all(entries.map(({ key, value, ttl }) => this.set(key, value, ttl)));
  }

  /** Whether there is a value of `key`, by the time of expiry that Keyv keeps beside it, to the millisecond. */
  async has(key: string): Promise<boolean> {
    const [has = false] = await this.hasMany([key]);
    return has;
  }

  /** As {@link has}, in the order of `keys`. */
  async hasMany(keys: string[]): Promise<boolean[]> {
    const now = clockOf(this.#client).time();
    const values = await this.getMany<unknown>(keys);
    return values.map((value) => value !== undefined && (expiryOf(value) ?? Infinity) > now);
  }

  /** Deletes `key`; whether it was there. */
  async delete(key: string): Promise<boolean> {
    return await this.#orElse(() => this.#generation.write([key], ([item = '']) => this.#client.delete(item, { noreply: false })), false);
  }

  /** Deletes all `keys`; whether all of them were there. */
  async deleteMany(keys: string[]): Promise<boolean> {
    const remove = async (itemKeys: string[]): Promise<boolean> => {
      const distinct = new Set(itemKeys);
      return (await this.#client.deleteMany(distinct, { noreply: false })) === distinct.size;
    };
    return await this.#orElse(() => this.#generation.write(keys, remove), false);
  }

  /** Empties the namespace, and no other one, by starting a new generation. Rejects when that fails, whatever `failures` says. */
  async clear(): Promise<void> {
    await orElse('throw', this.#generation.clear(), undefined, this.#onError);
  }

  /** Does nothing: the client belongs to the program. */
  disconnect(): Promise<void> {
    return Promise.resolve();
  }

  #newGeneration(): Generation {
    const { namespace } = this.#options;
    const words = new Set([namespace, this.#namespace].filter((word) => word !== undefined && word !== ''));
    return new Generation(this.#client, words.size === 0 ? 'keyv' : [...words].join(':'), this.#options);
  }

  #orElse<R>(work: () => Promise<R>, otherwise: R): Promise<R> {
    return orElse(this.#failures, work(), otherwise, this.#onError);
  }

  /** An `error` event without a listener would end the process. */
  readonly #onError = (error: Error): void => {
    if (this.listenerCount('error') === 0) return;
    try {
      this.emit('error', error);
    } catch (thrown) {
      // Keyv 6 always listens, and throws the error when nobody listens to Keyv: a read would then not be a miss.
      if (thrown !== error) throw thrown;
    }
  };
}

/** Keyv stores strings; a `RawSerde` reads them as bytes. */
function readable(value: unknown): unknown {
  return textOf(value) ?? value;
}

/** When a value expires that Keyv stored, in milliseconds since 1970; undefined when that cannot be told. */
function expiryOf(value: unknown): number | undefined {
  try {
    const { expires } = (typeof value === 'string' ? JSON.parse(value) : value) as { readonly expires?: unknown };
    return typeof expires === 'number' ? expires : undefined;
  } catch {
    // Not JSON: Keyv was given a serializer.
    return undefined;
  }
}
