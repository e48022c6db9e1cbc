import { Client, ElastiCacheClient, HashClient, JsonSerde, PooledClient, type CacheValue, type ClientOptions, type ElastiCacheClientOptions, type HashClientOptions, type PooledClientOptions } from '../../src';
import { EmbeddedClient, type EmbeddedClientOptions } from '../../src/embedded';

/** Options are written without naming types of values. */
const plain: ClientOptions = { timeout: 100, keyPrefix: 'app:' };
const pooled: PooledClientOptions = { ...plain, maxPoolSize: 2 };
const cluster: HashClientOptions = { ...pooled, retryAttempts: 0 };
const cloud: ElastiCacheClientOptions = { ...cluster, useVpc: false };
const embedded: EmbeddedClientOptions = { timeout: 100 };

export const clients: readonly Client[] = [
  new Client('localhost', plain),
  new PooledClient('localhost', pooled),
  new HashClient(['localhost'], cluster),
  new ElastiCacheClient('localhost', cloud),
  new EmbeddedClient(undefined, embedded),
];
export const read: Promise<CacheValue | undefined> = new Client('localhost', plain).get('k');

interface User {
  name: string;
}
const typed: ClientOptions<User> = { serde: new JsonSerde<User>() };
export const user: Promise<User | undefined> = new Client('localhost', typed).get('k');

// @ts-expect-error -- there is no such option
export const misspelt: ClientOptions = { timout: 100 };
