import { Client, ElastiCacheClient, HashClient, JsonSerde, PooledClient } from '../../src';
import type {
  BackoffOptions, CacheValue, ClientOptions, CompressedSerdeOptions, DnsDiscoveryOptions, ElastiCacheClientOptions, FallbackOptions, HashClientOptions, JsonSerdeOptions, KetamaHashOptions, MetaArithmeticOptions,
  MetaDeleteOptions, MetaGetOptions, MetaSetOptions, ModuloHashOptions, PooledClientOptions, PythonSerdeOptions, RendezvousHashOptions, RetryOptions, SrvDiscoveryOptions, StoreOptions,
} from '../../src';
import type { KeyvMemcacheOptions } from 'tsmemcache/keyv';
import type { CacheHandlerOptions } from 'tsmemcache/next';
import type { RateLimitStoreOptions } from 'tsmemcache/rate-limit';
import type { SessionStoreOptions } from 'tsmemcache/session';
import type { MemcacheDriverOptions } from 'tsmemcache/unstorage';
import type { CacheOptions, CircuitOptions, EntryOptions, NearCacheOptions } from '../../src/cache';
import { EmbeddedClient, type EmbeddedClientOptions } from '../../src/embedded';
import type { Fault, MemcachedServerOptions, MemoryStoreOptions, PersistenceOptions, RedisServerOptions, TurnLimits } from '../../src/server';
import type { InstrumentOptions } from 'tsmemcache/opentelemetry';
import type { PrometheusOptions, StatsOptions } from 'tsmemcache/prometheus';
import { is } from './same.types';

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

/** The names of those options that may be left out, but not be given as undefined, although that is the default. */
type Unsettable<O> = O extends unknown ? { [K in keyof O]-?: object extends Pick<O, K> ? (undefined extends Required<O>[K] ? never : K) : never }[keyof O] : never;
type OfClients = ElastiCacheClientOptions | EmbeddedClientOptions | RetryOptions | FallbackOptions | BackoffOptions | DnsDiscoveryOptions | SrvDiscoveryOptions;
type OfPlacements = RendezvousHashOptions | KetamaHashOptions | ModuloHashOptions;
type OfSerdes = JsonSerdeOptions<User> | CompressedSerdeOptions | PythonSerdeOptions;
type OfCalls = StoreOptions | MetaGetOptions | MetaSetOptions | MetaDeleteOptions | MetaArithmeticOptions<number>;
type OfCaches = CacheOptions | EntryOptions | NearCacheOptions | CircuitOptions;
type OfServers = MemcachedServerOptions | RedisServerOptions | MemoryStoreOptions | PersistenceOptions | Fault | TurnLimits;
type OfAdapters = KeyvMemcacheOptions | SessionStoreOptions | RateLimitStoreOptions | CacheHandlerOptions | MemcacheDriverOptions | InstrumentOptions | PrometheusOptions | StatsOptions;
/** There is none, under `exactOptionalPropertyTypes` too. */
export function everyOptionMayBeUndefined(none: never): void {
  is<Unsettable<OfClients | OfPlacements | OfSerdes | OfCalls | OfCaches | OfServers | OfAdapters>>()(none);
}
