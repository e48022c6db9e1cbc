import { startCall } from '../client/call';
import { connectionSettings, type ConnectionOptions } from '../client/client-options';
import { Closings } from '../client/closing';
import type { Command } from '../client/command';
import { Connection, monitorOf, overloaded, pendingOf, refusedByCaller, type ConnectionObserver } from '../client/connection';
import type { ExecuteOptions, Executor, Monitor } from '../client/executor';
import { ServerMeter } from '../client/meter';
import { nextClientId } from '../client/observe';
import { SilentConnections } from '../client/wire/silent';
import type { Gathering } from '../client/wire/wire';
import { option, settingsAmong, type OptionTable, type Settings } from '../options/option';
import { checkValue, MILLISECONDS, wholeNumber } from '../options/rule';
import type { ServerAddress, ServerInput } from '../client/server-address';
import { Dispatcher, type Borrower, type DispatcherSettings, type PoolStats } from './dispatcher';
import { createLoans, loadGenericPool, type Loans } from './loans';

/** How a pool behaves, in addition to its connections. All durations are in milliseconds. */
export interface PoolOptions extends ConnectionOptions {
  /**
   * The most connections that there may be.
   * @default 4
   */
  maxPoolSize?: number | undefined;
  /**
   * This many connections stay open, however long they are idle.
   * @default 0
   */
  minPoolSize?: number | undefined;
  /**
   * A connection that was not used for this time is closed; 0 = never.
   * @default 0
   */
  poolIdleTimeout?: number | undefined;
  /**
   * How long a call may wait for a connection; 0 = as long as `timeout` allows.
   * @default 0
   */
  acquireTimeout?: number | undefined;
  /**
   * How many calls may wait for a connection; one more is refused with `MemcacheOverloadedError`.
   * @default 32768
   */
  maxWaiting?: number | undefined;
}

/** The options of a pool, without those of its connections. */
export const POOL_OPTIONS = {
  maxPoolSize: option(wholeNumber(1, 65_536), 4),
  minPoolSize: option(wholeNumber(0, 65_536), 0),
  poolIdleTimeout: option(MILLISECONDS, 0),
  acquireTimeout: option(MILLISECONDS, 0),
  maxWaiting: option(wholeNumber(1, 2 ** 30), 32_768),
} satisfies OptionTable<Omit<PoolOptions, keyof ConnectionOptions>>;

/** A loan starts with at most this many calls, so that a burst spreads over the connections. */
const MAX_LOAD = 1024;

/** @throws MemcacheIllegalInputError when there are to be more than there may be */
export function checkPoolSizes({ minPoolSize, maxPoolSize }: Settings<typeof POOL_OPTIONS>): void {
  checkValue('minPoolSize', wholeNumber(0, maxPoolSize), minPoolSize);
}

/**
 * Several connections to one server. A connection is lent not to a call but to all calls that wait at that moment; they travel
 * pipelined, and the loan ends when the last of them is answered. A loan per call would cost fifteen times as much, as nothing
 * would be left to pipeline. A new connection is made only when calls wait and all others are lent.
 */
export class ConnectionPool implements Executor {
  readonly meter: ServerMeter;
  readonly monitor: Monitor;
  readonly #settings: DispatcherSettings;
  readonly #makeLoans: (borrower: Borrower) => Loans<Connection>;
  #dispatcher: Dispatcher | undefined;
  /** That one, and those that only let their calls finish. */
  readonly #dispatchers = new Set<Dispatcher>();
  readonly #closings = new Closings();

  /** @throws MemcacheIllegalInputError naming the option or the part of the address that is not legal */
  constructor(server: ServerInput | ServerAddress, options: PoolOptions = {}, observer: ConnectionObserver = {}, gathering?: Gathering) {
    const settings = connectionSettings(server, options);
    const { address, clock, timeout, maxPending } = settings;
    const sizes = settingsAmong(POOL_OPTIONS, options);
    checkPoolSizes(sizes);
    loadGenericPool();
    const meter = observer.meter ?? new ServerMeter(address.name, nextClientId());
    this.meter = meter;
    this.monitor = monitorOf(meter, () => this.pending);
    const silent = new SilentConnections(clock);
    this.#settings = { ...sizes, gathering, meter, silent, clock, timeout, maxLoad: Math.min(MAX_LOAD, maxPending) };
    const connect = (borrower: Borrower): Connection => {
      const connection: Connection = new Connection(address, settings, {
        meter,
        silent,
        onIdle: () => {
          borrower.onIdle(connection);
        },
        onTrouble: (failure, heard) => {
          if (!borrower.isOneTooMany(connection, heard)) observer.onTrouble?.(failure, heard);
        },
        takeBack: (calls, noPlace) => borrower.takeBack(connection, calls, noPlace),
      });
      return connection;
    };
    const loans = { max: sizes.maxPoolSize, min: sizes.minPoolSize, idleTimeout: sizes.poolIdleTimeout };
    this.#makeLoans = (borrower) => createLoans(() => connect(borrower), (connection) => connection.close(), loans);
  }

  /** How many connections there are, and how many calls wait for one. */
  get stats(): PoolStats {
    return this.#dispatcher?.stats ?? { size: 0, available: 0, borrowed: 0, waiting: 0 };
  }

  /** How many calls wait for a connection or for their reply, those that finish before the pool is closed among them. */
  get pending(): number {
    return pendingOf(this.#dispatchers);
  }

  execute<R>(command: Command<R>, options?: ExecuteOptions): Promise<R> {
    if (options?.signal?.aborted) return refusedByCaller(this.meter, command, options.signal);
    if (this.#dispatcher === undefined) this.#dispatchers.add((this.#dispatcher = new Dispatcher(this.#settings, this.#makeLoans)));
    if (!this.#dispatcher.isFull) return startCall(this.#dispatcher, command, options);
    const { maxWaiting, timeout } = this.#settings;
    const why = `${maxWaiting} calls are waiting for a connection to ${this.meter.server}; slow down, or raise maxWaiting or maxPoolSize`;
    return overloaded(this.meter, command, maxWaiting, timeout, why);
  }

  close(): Promise<void> {
    const dispatcher = this.#dispatcher;
    this.#dispatcher = undefined;
    return this.#closings.add(dispatcher?.close().then(() => { this.#dispatchers.delete(dispatcher); }));
  }
}
