import type { MemoryStoreOptions } from '../../engine/options';
import { MemoryStore } from '../../engine/store';
import type { ConnectionInfo } from '../../net/service';
import { Context, type SharedOptions } from '../../shared/context';
import { PrefixStats } from './prefix-stats';

/** The nodes of a cluster, for clients that ask for them with `config get cluster`. */
export interface ClusterConfig {
  /** Rises with every change. */
  readonly version: number;
  /** How clients reach each node; `ip` may be left out. */
  readonly nodes: readonly { readonly host: string; readonly ip?: string; readonly port: number }[];
}

/** What all sessions of a memcached server share, and what its commands may do. */
export interface ServerContextOptions extends SharedOptions, MemoryStoreOptions {
  /** The items. By default a store made from the other options, which is closed with the server. */
  store?: MemoryStore;
  /** The cluster that this server is part of, told to clients that ask with `config get cluster`. */
  cluster?: ClusterConfig;
  /** What the `shutdown` command does; without it the command is refused. */
  shutdown?: (graceful: boolean) => void;
}

/** The state shared by the sessions of one memcached server. */
export class ServerContext extends Context {
  readonly shutdown: ((graceful: boolean) => void) | undefined;
  /** Lists the open connections. */
  listConnections: () => Iterable<ConnectionInfo> = () => [];
  readonly prefixes = new PrefixStats();
  /** Lines of `stats settings` whose values come from the server. */
  readonly settings = new Map<string, string | number>();
  cluster: ClusterConfig | undefined;
  /** False after `lru_crawler disable`, until `lru_crawler enable`. */
  crawlerEnabled = true;
  /** The session whose dump of keys takes more than one turn: as in memcached, there is one at a time. */
  crawling: { readonly ended: boolean } | undefined;
  readonly #ownsStore: boolean;

  constructor(options: ServerContextOptions = {}) {
    const { maxBytes, maxItemSize, evict, cas, clock } = options;
    super('memcached', options.store ?? new MemoryStore({ maxBytes, maxItemSize, evict, cas, clock }), options);
    this.#ownsStore = options.store === undefined;
    this.shutdown = options.shutdown;
    this.cluster = options.cluster;
  }

  /** Closes the store, if it was made here. */
  close(): void {
    if (this.#ownsStore) this.store.close();
  }
}
