/** The embedded memcached-compatible server. It loads no client code and has no dependency. */
export { MemcachedServer, type MemcachedServerOptions } from './server';
export { RedisServer, type RedisServerOptions } from './redis/server';
export { Session, type TurnLimits } from './session';
export type { SessionOutput } from './replies';
export { ServerContext, type ServerContextOptions } from './context';
export type { Fault, Faults, FaultyCommand } from './faults';
export type { ClusterConfig } from './text/config';
export type { Credentials } from './authentication';
export {
  MemoryStore,
  type CountOutcome,
  type MemoryStoreOptions,
  type StoreMode,
  type StoreOutcome,
  type StoreRequest,
} from './storage/store';
export { valueBytes, type Item, type StoredValue } from './storage/item';
export { Persistence, type PersistenceOptions } from './persistence/persistence';
export type { SaveControl } from './persistence/save-control';
export { SnapshotError } from './persistence/format';
export type { Clock, Timer } from '../runtime/clock';
export { ManualClock } from '../runtime/manual-clock';
export { StoreStats } from './storage/stats';
export { COMPATIBLE_VERSION } from './version';
