import { Client } from '../client/client';
import { CLIENT_OPTIONS, type ClientOptions } from '../client/client-options';
import type { ConnectionObserver } from '../client/connection';
import { failFast } from '../client/policies/fail-fast';
import type { ServerInput } from '../client/server-address';
import { settingsAmong } from '../options/option';
import type { CacheValue } from '../serde';
import { ConnectionPool, POOL_OPTIONS, type PoolOptions } from './connection-pool';
import type { PoolStats } from './dispatcher';

/** How a {@link PooledClient} behaves. */
export interface PooledClientOptions<Out = CacheValue, In = Out> extends ClientOptions<Out, In>, PoolOptions {}

const ALL_OPTIONS = { ...CLIENT_OPTIONS, ...POOL_OPTIONS };

/**
 * A client with several connections to one server, for many concurrent calls: a large or slow reply holds up only the
 * connection it comes over.
 */
export class PooledClient<Out = CacheValue, In = Out> extends Client<Out, In> {
  protected static override readonly optionNames: object = ALL_OPTIONS;

  readonly #pool: ConnectionPool;

  /** @throws MemcacheIllegalInputError naming the option that is not legal */
  constructor(server: ServerInput = '127.0.0.1:11211', options: PooledClientOptions<Out, In> = {}) {
    const settings = settingsAmong(ALL_OPTIONS, options);
    const open = (observer: ConnectionObserver): ConnectionPool => new ConnectionPool(server, settings, observer);
    const { executor, next } = failFast(server, settings, open);
    super(executor, options);
    this.#pool = next;
  }

  /** How many connections there are, and how many calls wait for one: a snapshot, at once. */
  get poolStats(): PoolStats {
    return this.#pool.stats;
  }
}
