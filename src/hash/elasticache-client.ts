import type { ServerInput } from '../client/server-address';
import type { CacheValue } from '../serde';
import { discoveryAmong, ELASTICACHE_OPTIONS, type ElastiCacheOptions } from './discovery/elasticache';
import { HashClient, type HashClientOptions } from './hash-client';

/** How an {@link ElastiCacheClient} behaves. */
export interface ElastiCacheClientOptions<Out = CacheValue, In = Out> extends HashClientOptions<Out, In>, ElastiCacheOptions {}

/**
 * A cluster client that follows the list of servers of Amazon ElastiCache or Google Memorystore: what the configuration
 * endpoint answers to `config get cluster`. When the list changes, only the keys that must move do, and calls under way finish
 * on the server they were sent to.
 */
export class ElastiCacheClient<Out = CacheValue, In = Out> extends HashClient<Out, In> {
  protected static override readonly optionNames: object = { ...super.optionNames, ...ELASTICACHE_OPTIONS };

  /**
   * @param configEndpoint the server that knows the list, for example `my-cluster.abc.cfg.use1.cache.amazonaws.com:11211`; TLS and
   *   credentials in its address (`memcacheds://user:password@…`) hold for all servers
   * @throws MemcacheIllegalInputError naming the option that is not legal
   */
  constructor(configEndpoint: ServerInput, options: ElastiCacheClientOptions<Out, In> = {}) {
    super(discoveryAmong(configEndpoint, options), options);
  }
}
