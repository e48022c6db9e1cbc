export { ConnectionPool, type PoolOptions } from './connection-pool';
export type { PoolStats } from './dispatcher';
export { PooledClient, type PooledClientOptions } from './pooled-client';
