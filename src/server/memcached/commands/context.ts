import { MemcacheIllegalInputError } from '../../../errors';
import { option, settingsOf, type OptionTable } from '../../../options/option';
import { STRING, functionOf, isObject, valueThat } from '../../../options/rule';
import { STORE_OPTIONS, type MemoryStoreOptions } from '../../engine/options';
import { MemoryStore, STORE } from '../../engine/store';
import { PORT } from '../../net/options';
import type { ConnectionInfo } from '../../net/service';
import { Context, SHARED_OPTIONS, type SharedOptions } from '../../shared/context';
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
  /**
   * The items, in a store that other servers may serve too; the caller closes it. It has options of its own, so those of a store are
   * refused beside it.
   *
   * @default its own, made from the other options and closed with the server
   */
  store?: MemoryStore | undefined;
  /** The cluster that this server is part of: what `config get cluster` answers. `server.cluster` changes it. */
  cluster?: ClusterConfig | undefined;
  /** What the `shutdown` command does; without it the command is refused. */
  shutdown?: ((graceful: boolean) => void) | undefined;
}

/** The options of a {@link ServerContext}. */
export const CONTEXT_OPTIONS = {
  ...SHARED_OPTIONS,
  ...STORE_OPTIONS,
  store: STORE,
  cluster: option(valueThat<ClusterConfig>('{ version, nodes: [{ host, port }, …] }', isCluster)),
  shutdown: option(functionOf<(graceful: boolean) => void>()),
} satisfies OptionTable<ServerContextOptions>;

/**
 * A store that is given has options of its own, and nothing would come of others.
 *
 * @throws MemcacheIllegalInputError naming the option that is one of the store's
 */
export function checkStoreOptions(options: Pick<ServerContextOptions, 'store' | keyof MemoryStoreOptions>): void {
  if (options.store === undefined) return;
  for (const name of Object.keys(STORE_OPTIONS) as (keyof MemoryStoreOptions)[]) {
    // The store's own clock is no contradiction.
    if (options[name] !== undefined && (name !== 'clock' || options.clock !== options.store.clock)) throw new MemcacheIllegalInputError(`${name} is an option of the store, and has no effect beside one that is given; give it to new MemoryStore()`);
  }
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

  /** @throws MemcacheIllegalInputError naming the option that is not legal */
  constructor(options: ServerContextOptions = {}) {
    settingsOf(CONTEXT_OPTIONS, options);
    checkStoreOptions(options);
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

function isCluster(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { version, nodes }: { version?: unknown; nodes?: unknown } = value;
  return Number.isInteger(version) && Array.isArray(nodes) && nodes.every(isNode);
}

function isNode(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { host, port }: { host?: unknown; port?: unknown } = value;
  return STRING.allows(host) && PORT.allows(port);
}
