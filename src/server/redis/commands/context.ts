import type { MemoryStore } from '../../engine/store';
import { Context, type SharedOptions } from '../../shared/context';
import type { SaveControl } from '../../snapshot/save-control';
import { RequestMemory } from '../resp/request-memory';

/** The most memory of all unfinished requests together, in bytes; where values may be large, as much as this many of them need. */
const MAX_UNFINISHED = 64 * 1024 * 1024;
const LARGE_VALUES = 4;

/** The most memory of all transactions and watched keys together, in bytes. */
const MAX_KEPT = 128 * 1024 * 1024;

/** What all Redis sessions of one server share. */
export interface RedisContextOptions extends SharedOptions {
  /** The items, usually those of a memcached server; the caller closes it. */
  store: MemoryStore;
  /** Used by SAVE, BGSAVE, LASTSAVE and INFO; without it the first two are refused. */
  saveControl?: SaveControl | undefined;
}

/** An open connection as `CLIENT LIST` shows it. */
export interface RedisClientInfo {
  readonly id: number;
  readonly address: string;
  readonly secondsSinceLastCommand: number;
  readonly name: string;
  readonly libraryName: string;
  readonly libraryVersion: string;
  readonly protocol: number;
}

/** The state shared by the Redis sessions of one server. */
export class RedisContext extends Context {
  readonly saveControl: SaveControl | undefined;
  /** Unix seconds. */
  readonly startedAt: number;
  /** The memory of the clients' unfinished requests. */
  readonly requestMemory: RequestMemory;
  /** The memory of the requests that wait for EXEC, and of the keys that are watched. */
  readonly keptMemory = new RequestMemory(MAX_KEPT);
  /** How many commands were executed; those that do not exist are not. */
  commands = 0;
  /** The TCP port, once the server listens. */
  port = 0;
  /** Lists the open connections. */
  listClients: () => Iterable<RedisClientInfo> = () => [];

  constructor(options: RedisContextOptions) {
    super('redis', options.store, options);
    this.saveControl = options.saveControl;
    this.requestMemory = new RequestMemory(Math.max(MAX_UNFINISHED, LARGE_VALUES * this.store.maxItemSize));
    this.startedAt = Math.floor(this.store.clock.time() / 1000);
  }

  override count(index: number): void {
    if (index !== 0) this.commands++;
    super.count(index);
  }
}
