import { option, settingsOf, type OptionTable } from '../options/option';
import { checkValue, SWITCH, valueThat, type Rule } from '../options/rule';
import type { MetaArithmeticOptions } from '../client/commands/meta-options';
import { checkClient, checkRoom, clockOf, keyOf, type AdapterClient } from './adapter-client';
import { FAILURES, hasCode, orElse, type Failures } from './failures';
import { WORD } from './key-words';
import { LONGEST_LIFETIME } from './lifetimes';

export type { AdapterClient, Failures };

/** A client that can count; every client class can. */
export interface CountingClient extends AdapterClient {
  metaArithmetic(key: string, options: MetaArithmeticOptions<number>): Promise<Count>;
}

/** What a command that counts answers; undefined on a miss. */
export interface Count {
  readonly value: number | undefined;
  readonly ttl: number | undefined;
}

/** How a {@link MemcacheRateLimitStore} behaves. */
export interface RateLimitStoreOptions {
  /** The beginning of every key; two limiters need different ones. @default 'rl:' */
  prefix?: string | undefined;
  /** Milliseconds of a window, in whole seconds, rounded up. @default what express-rate-limit passes to `init`, else 60000 */
  windowMs?: number | undefined;
  /** Whether an error of the cache rejects (`throw`), or lets the request pass (`miss`). @default 'throw' */
  failures?: Failures | undefined;
  /**
   * Whether the servers know meta commands (memcached 1.6): a count and the end of its window are then one item and one
   * trip, and a window begins with its first request. Otherwise, and for a client with `proxy: true`, windows begin at
   * whole multiples of their length on the clocks of the processes, and a request is one to three trips.
   * @default true; with a server that does not know them each request takes one more trip
   */
  meta?: boolean | undefined;
}

/** No window has a longer number: in the year 2286 those of a second each will. */
const LAST_WINDOW = 9_999_999_999;

const WINDOW: Rule<number> = valueThat('a number of milliseconds, more than 0', (value) => typeof value === 'number' && value > 0 && value <= 1e12);

/** The options of {@link MemcacheRateLimitStore}. @internal */
export const RATE_LIMIT_OPTIONS = {
  prefix: option(WORD, 'rl:'),
  windowMs: option(WINDOW),
  failures: option(FAILURES, 'throw'),
  meta: option(SWITCH, true),
} satisfies OptionTable<RateLimitStoreOptions>;

/** The number of requests in this window, and when it ends. */
export interface RateLimitInfo {
  /** Requests so far, this one included. */
  totalHits: number;
  /** The end of the window. */
  resetTime: Date;
}

/**
 * A store for express-rate-limit that any number of processes share.
 *
 * There is no `resetAll`: it would need one item that all limits depend on, and losing that item would reset them all.
 */
export class MemcacheRateLimitStore {
  /** Tells express-rate-limit that other processes share the counts. */
  readonly localKeys = false;
  readonly prefix: string;
  readonly #client: CountingClient;
  readonly #failures: Failures;
  readonly #meta: boolean;
  #seconds: number;
  readonly #ownWindow: boolean;

  /** @throws MemcacheIllegalInputError naming the option that is not legal */
  constructor(client: CountingClient, options: RateLimitStoreOptions = {}) {
    checkClient(client, 'incr', 'decr', 'metaArithmetic');
    const { prefix, windowMs, failures, meta } = settingsOf(RATE_LIMIT_OPTIONS, options);
    checkRoom(client, `${prefix}${LAST_WINDOW}:`);
    this.#client = client;
    this.prefix = prefix;
    this.#ownWindow = windowMs !== undefined;
    this.#seconds = windowOf(windowMs ?? 60_000);
    this.#failures = failures;
    this.#meta = meta;
  }

  /** Called by express-rate-limit with its options. */
  init({ windowMs }: { readonly windowMs: number }): void {
    checkValue('windowMs', WINDOW, windowMs);
    if (!this.#ownWindow) this.#seconds = windowOf(windowMs);
  }

  /** Counts a request. */
  increment(key: string): Promise<RateLimitInfo> {
    return orElse(this.#failures, this.#increment(key), this.#info(1));
  }

  /**
   * Takes a request back; a count never falls below 0. An error of the cache leaves the request counted and does not reject, whatever
   * `failures` says: express-rate-limit calls this after the response, and versions before 8.7.4 catch nothing, which ends the process.
   */
  decrement(key: string): Promise<void> {
    return orElse('miss', this.#decrement(key), undefined);
  }

  /** The count of `key`; `undefined` when its window is over or never began. */
  get(key: string): Promise<RateLimitInfo | undefined> {
    return orElse(this.#failures, this.#get(key), undefined);
  }

  /** Forgets the count of `key`: the next request begins a new window. */
  resetKey(key: string): Promise<void> {
    return orElse(this.#failures, this.#reset(key), undefined);
  }

  async #increment(key: string): Promise<RateLimitInfo> {
    const answer = await this.#count(key, { delta: 1, initial: 1, vivify: this.#seconds, returnTtl: true });
    if (answer !== undefined) return this.#info(answer.value ?? 1, answer.ttl);
    const item = this.#windowKey(key);
    const counted = await this.#client.incr(item, 1, { noreply: false });
    if (counted !== undefined) return this.#info(counted);
    // The item outlives its window by a whole window, as the clocks of processes differ.
    if (await this.#client.add(item, '1', { expire: Math.min(this.#seconds * 2, LONGEST_LIFETIME), noreply: false })) return this.#info(1);
    return this.#info((await this.#client.incr(item, 1, { noreply: false })) ?? 1);
  }

  async #decrement(key: string): Promise<void> {
    const answer = await this.#count(key, { mode: 'decr', delta: 1 });
    if (answer === undefined) await this.#client.decr(this.#windowKey(key), 1, { noreply: false });
  }

  async #get(key: string): Promise<RateLimitInfo | undefined> {
    // Adding 0 reads a count whatever the client's serde is.
    const answer = await this.#count(key, { delta: 0, returnTtl: true });
    if (answer !== undefined) return answer.value === undefined ? undefined : this.#info(answer.value, answer.ttl);
    const count = await this.#client.incr(this.#windowKey(key), 0, { noreply: false });
    return count === undefined ? undefined : this.#info(count);
  }

  async #reset(key: string): Promise<void> {
    await this.#client.deleteMany([keyOf(this.#client, this.prefix, key), this.#windowKey(key)], { noreply: false });
  }

  /** Undefined where the server, or what stands before it, does not know the command. */
  async #count(key: string, options: MetaArithmeticOptions<number>): Promise<Count | undefined> {
    if (!this.#meta) return undefined;
    try {
      return await this.#client.metaArithmetic(keyOf(this.#client, this.prefix, key), options);
    } catch (error) {
      // Tried again each time: in a cluster of several versions, every process must count a key in the same way.
      if (hasCode(error, 'MEMCACHE_UNKNOWN_COMMAND')) return undefined;
      throw error;
    }
  }

  /** The key of the window that the clock is in. */
  #windowKey(key: string): string {
    return keyOf(this.#client, `${this.prefix}${Math.floor(this.#time() / this.#seconds)}:`, key);
  }

  /** Without the item's time to live, the window ends by the clock. */
  #info(totalHits: number, ttl = this.#seconds - (this.#time() % this.#seconds)): RateLimitInfo {
    return { totalHits, resetTime: new Date(clockOf(this.#client).time() + Math.max(ttl, 0) * 1000) };
  }

  /** Seconds since 1970. */
  #time(): number {
    return clockOf(this.#client).time() / 1000;
  }
}

/** In seconds; thirty years at the most. */
function windowOf(milliseconds: number): number {
  return Math.min(Math.ceil(milliseconds / 1000), LONGEST_LIFETIME);
}
