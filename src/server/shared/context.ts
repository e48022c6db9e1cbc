import { option, settingsAmong, type OptionTable } from '../../options/option';
import { SWITCH, functionOf, wholeNumber } from '../../options/rule';
import type { MemoryStore } from '../engine/store';
import type { ConnectionStats, Service, SocketSession } from '../net/service';
import { AUTH, isAllowed, type Credentials } from './credentials';
import type { ExecuteHook } from './execution';

/** What the clients of a server may do, in either protocol. */
export interface SharedOptions {
  /** Text authentication, as memcached's `-Y`: `{ username, password }`, or an array of these. An empty array lets everybody in. @default [] */
  auth?: Credentials | readonly Credentials[] | undefined;
  /** Whether everything may be deleted at once (`flush_all`, FLUSHALL; `-F`). @default true */
  flush?: boolean | undefined;
  /** Whether keys may be listed (`lru_crawler metadump`, `stats cachedump`, KEYS, SCAN; `-X`). @default true */
  dump?: boolean | undefined;
  /**
   * Called with a line per event, if its level is not above `verbosity`.
   *
   * @default warnings, of level 0, go to `process.emitWarning`
   */
  log?: ((line: string, level: number) => void) | undefined;
  /** What `log` is told: 0 warnings only, 1 events too, 2 commands too. @default 0 */
  verbosity?: number | undefined;
}

/** The options of a {@link Context}. */
export const SHARED_OPTIONS = {
  auth: option<Credentials | readonly Credentials[]>(AUTH, []),
  flush: option(SWITCH, true),
  dump: option(SWITCH, true),
  log: option(functionOf<(line: string, level: number) => void>(), warn),
  verbosity: option(wholeNumber(0, Number.MAX_SAFE_INTEGER), 0),
} satisfies OptionTable<SharedOptions>;

/** The most memory that all clients together are given for no more than having announced a value, in bytes. */
const MAX_AHEAD = 32 * 1024 * 1024;

/** What all sessions of one server share, in either protocol. */
export class Context {
  readonly store: MemoryStore;
  readonly auth: readonly Credentials[];
  readonly flushEnabled: boolean;
  readonly dumpEnabled: boolean;
  readonly connections: ConnectionStats = {
    maxConnections: 0,
    current: 0,
    total: 0,
    rejected: 0,
    bytesRead: 0,
    bytesWritten: 0,
    yields: 0,
    idleKicks: 0,
  };
  verbosity: number;
  authCommands = 0;
  authErrors = 0;
  /** Where its server listens; `embedded` without one. */
  address = 'embedded';
  /** Called in place of executing a command; it may execute it. */
  hook: ExecuteHook | undefined;
  readonly protocol: 'memcached' | 'redis';
  /** The counts of commands by their index; 0 for those that do not exist. */
  readonly #executed: number[] = [];
  readonly #startedAt: number;
  readonly #log: (line: string, level: number) => void;

  /** @throws MemcacheIllegalInputError naming the option that is not legal */
  constructor(protocol: Context['protocol'], store: MemoryStore, options: SharedOptions) {
    this.protocol = protocol;
    this.store = store;
    const { auth, flush, dump, verbosity, log } = settingsAmong(SHARED_OPTIONS, options);
    this.auth = 'username' in auth ? [auth] : auth;
    this.flushEnabled = flush;
    this.dumpEnabled = dump;
    this.verbosity = verbosity;
    this.#log = log;
    this.#startedAt = store.clock.now();
  }

  get requiresAuthentication(): boolean {
    return this.auth.length > 0;
  }

  /** Whole seconds since the start. */
  get uptime(): number {
    return Math.floor((this.store.clock.now() - this.#startedAt) / 1000);
  }

  /**
   * How much a reader may allocate ahead of the bytes that arrived. While there are few clients it is all that one announces: a value is
   * then read into memory of its own at once, and not copied each time that memory grows. `undefined`: the reader's own caution.
   */
  get ahead(): number | undefined {
    return this.connections.current * this.store.maxItemSize <= MAX_AHEAD ? Infinity : undefined;
  }

  /** Counts a command. */
  count(index: number): void {
    this.#executed[index] = (this.#executed[index] ?? 0) + 1;
  }

  /** How often the command of this index was executed. */
  executed(index: number): number {
    return this.#executed[index] ?? 0;
  }

  /** Whether this name and password are those of a user; counts the attempt. */
  authenticate(username: string, password: string): boolean {
    this.authCommands++;
    const allowed = isAllowed(this.auth, username, password);
    if (!allowed) this.authErrors++;
    return allowed;
  }

  /**
   * What a listener needs in order to serve clients.
   *
   * @param refusal the line for a client beyond the limit
   */
  service<S extends SocketSession>(refusal: string, openSession: Service<S>['openSession']): Service<S> {
    return {
      clock: this.store.clock,
      protocol: this.protocol,
      connections: this.connections,
      open: !this.requiresAuthentication,
      refusal,
      log: (line, level) => {
        this.log(line, level);
      },
      openSession,
    };
  }

  /** Passes a line to the log function if the verbosity is high enough. */
  log(line: string, level: number): void {
    if (this.verbosity >= level) this.#log(line, level);
  }
}

function warn(line: string, level: number): void {
  if (level === 0) process.emitWarning(line);
}
