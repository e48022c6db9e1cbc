import type { Credentials } from './authentication';
import type { Faults } from './faults';
import { checkedUsers } from './options';
import { PrefixStats } from './prefix-stats';
import type { ClusterConfig } from './text/config';
import { MemoryStore, type MemoryStoreOptions } from './storage/store';

/** What all sessions of one server share, and what its commands may do. */
export interface ServerContextOptions extends MemoryStoreOptions {
  /** The items; made from the other options by default, and then closed with the server. */
  store?: MemoryStore;
  /** Who may use the server, one user or several; everybody when it is an empty array. @default [] */
  auth?: Credentials | readonly Credentials[];
  /** Whether `flush_all` is allowed. @default true */
  flush?: boolean;
  /** Whether keys may be listed (`lru_crawler metadump`, `stats cachedump`). @default true */
  dump?: boolean;
  /** The cluster that this server is part of, told to clients that ask with `config get cluster`. */
  cluster?: ClusterConfig;
  /** What the `shutdown` command does; without it the command is refused. */
  shutdown?: (graceful: boolean) => void;
  /**
   * Takes a line per event, from the level of verbosity on that it is given with.
   *
   * @default warnings, of level 0, go to `process.emitWarning`
   */
  log?: (line: string, level: number) => void;
  /** Level of detail for `log`: 1 errors, 2 commands too. @default 0 */
  verbosity?: number;
}

/** One open connection as `stats conns` shows it. */
export interface ConnectionInfo {
  readonly id: number;
  readonly address: string;
  readonly listenAddress: string;
  readonly secondsSinceLastCommand: number;
}

/** What the server around the sessions knows; a session without one has no connections to report. */
export interface ConnectionStats {
  maxConnections: number;
  current: number;
  total: number;
  rejected: number;
  bytesRead: number;
  bytesWritten: number;
  yields: number;
}

/** The state shared by the sessions of one server. */
export class ServerContext {
  readonly store: MemoryStore;
  readonly auth: readonly Credentials[];
  readonly flushEnabled: boolean;
  readonly dumpEnabled: boolean;
  readonly shutdown: ((graceful: boolean) => void) | undefined;
  readonly connections: ConnectionStats = {
    maxConnections: 0,
    current: 0,
    total: 0,
    rejected: 0,
    bytesRead: 0,
    bytesWritten: 0,
    yields: 0,
  };
  /** Lists the open connections. */
  listConnections: () => Iterable<ConnectionInfo> = () => [];
  readonly prefixes = new PrefixStats();
  /** Lines of `stats settings` that the server around the sessions knows better. */
  readonly settings = new Map<string, string | number>();
  cluster: ClusterConfig | undefined;
  /** What goes wrong, for tests of clients. */
  faults: Faults | undefined;
  verbosity: number;
  authCommands = 0;
  authErrors = 0;
  /** Whether `lru_crawler enable` or `disable` came last. */
  crawlerEnabled = true;
  readonly #startedAt: number;
  readonly #ownsStore: boolean;
  readonly #log: (line: string, level: number) => void;

  constructor(options: ServerContextOptions = {}) {
    const { maxBytes, maxItemSize, evict, cas, clock } = options;
    this.auth = checkedUsers(options.auth);
    this.#ownsStore = options.store === undefined;
    this.store = options.store ?? new MemoryStore({ maxBytes, maxItemSize, evict, cas, clock });
    this.flushEnabled = options.flush ?? true;
    this.dumpEnabled = options.dump ?? true;
    this.shutdown = options.shutdown;
    this.cluster = options.cluster;
    this.verbosity = options.verbosity ?? 0;
    this.#log = options.log ?? warn;
    this.#startedAt = this.store.clock.now();
  }

  get requiresAuthentication(): boolean {
    return this.auth.length > 0;
  }

  /** Whole seconds since the start. */
  get uptime(): number {
    return Math.floor((this.store.clock.now() - this.#startedAt) / 1000);
  }

  /** Passes a line to the log function when the verbosity asks for it. */
  log(line: string, level: number): void {
    if (this.verbosity >= level) this.#log(line, level);
  }

  /** Closes the store, if it was made here. */
  close(): void {
    if (this.#ownsStore) this.store.close();
  }
}

function warn(line: string, level: number): void {
  if (level === 0) process.emitWarning(line);
}
