import { MemcacheOverloadedError, MemcacheTimeoutError } from '../errors';
import { Call } from '../client/call';
import { connectionSettings, duration, wholeNumber, type ConnectionOptions } from '../client/client-options';
import type { Command } from '../client/commands/command';
import { Connection, rejected, type ConnectionObserver } from '../client/connection';
import { Deadlines } from '../client/deadlines';
import type { ExecuteOptions, Executor } from '../client/executor';
import { parseServerAddress, type ServerInput } from '../client/server-address';
import type { Clock } from '../runtime/clock';
import { createLoans, type LoanOptions, type Loans } from './loans';

/** How a pool of connections behaves, beside its connections. All durations are in milliseconds. */
export interface PoolOptions extends ConnectionOptions {
  /**
   * The most connections there may be.
   * @default 4
   */
  maxPoolSize?: number | undefined;
  /**
   * So many connections are kept however long they are idle.
   * @default 0
   */
  minPoolSize?: number | undefined;
  /**
   * A connection not used for so long is closed; 0 = never.
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

/** The state of a pool. */
export interface PoolStats {
  /** Connections that exist; each is opened on its first use. */
  readonly size: number;
  /** Connections that carry nothing. */
  readonly available: number;
  /** Connections that carry calls. */
  readonly borrowed: number;
  /** Calls that wait for a connection. */
  readonly waiting: number;
}

/** Calls made in one tick. */
interface Batch {
  readonly calls: Call<unknown>[];
  /** When they have waited long enough, on the monotonic clock. */
  readonly until: number;
}

/** No loan carries more calls than this when it sets out, so that a burst spreads over the connections. */
const MAX_LOAD = 1024;

/**
 * Several connections to one server. A connection is lent not to a call but to all calls that wait at that moment; they
 * travel pipelined, and the loan ends when the last of them is answered. A loan per call would cost fifteen times as
 * much, for want of anything to pipeline. A new connection is made only when calls wait and all others are out.
 */
export class ConnectionPool implements Executor {
  readonly #server: string;
  readonly #clock: Clock;
  readonly #timeout: number;
  readonly #acquireTimeout: number;
  readonly #maxWaiting: number;
  readonly #makeLoans: () => Loans<Connection>;
  #loans: Loans<Connection> | undefined;
  #batches: Batch[] = [];
  #tick: Batch | undefined;
  #tickTime = 0;
  #borrowing = false;
  readonly #deadlines: Deadlines;

  /** @throws MemcacheIllegalInputError naming the option or the part of the address that is not legal */
  constructor(server: ServerInput, options: PoolOptions = {}, observer: ConnectionObserver = {}) {
    const address = parseServerAddress(server);
    const { clock, timeout } = connectionSettings(address, options);
    this.#server = address.name;
    this.#clock = clock;
    this.#timeout = timeout;
    this.#acquireTimeout = duration('acquireTimeout', options.acquireTimeout, 0);
    this.#maxWaiting = wholeNumber('maxWaiting', options.maxWaiting, 32_768, 1, 2 ** 30);
    const max = wholeNumber('maxPoolSize', options.maxPoolSize, 4, 1, 65_536);
    const loanOptions: LoanOptions = {
      max,
      min: wholeNumber('minPoolSize', options.minPoolSize, 0, 0, max),
      idleTimeout: duration('poolIdleTimeout', options.poolIdleTimeout, 0),
    };
    this.#makeLoans = () =>
      createLoans(() => this.#connect(server, options, observer), (connection) => connection.close(), loanOptions);
    this.#deadlines = new Deadlines(clock, (now) => this.#judge(now));
  }

  /** How many connections there are, and how many calls wait for one. */
  get stats(): PoolStats {
    const { size, available, borrowed } = this.#loans?.stats ?? { size: 0, available: 0, borrowed: 0 };
    return { size, available, borrowed, waiting: this.#waiting() };
  }

  execute<R>(command: Command<R>, options?: ExecuteOptions): Promise<R> {
    const signal = options?.signal;
    if (signal?.aborted) return rejected(signal.reason);
    const batch = this.#tick ?? this.#startTick();
    if (batch.calls.length >= this.#maxWaiting || (this.#batches.length > 1 && this.#waiting() >= this.#maxWaiting)) {
      return rejected(this.#overloaded(command.verb));
    }
    return new Promise<R>((resolve, reject) => {
      const call = new Call(command, options?.deadline ?? this.#deadline(), resolve, reject);
      if (signal !== undefined) call.follow(signal);
      batch.calls.push(call as Call<unknown>);
    });
  }

  async close(): Promise<void> {
    const loans = this.#loans;
    if (loans === undefined) return;
    while (this.#borrowing) await new Promise<void>((resolve) => void this.#clock.setImmediate(resolve));
    if (this.#loans === loans) this.#loans = undefined;
    await loans.close();
  }

  #connect(server: ServerInput, options: ConnectionOptions, observer: ConnectionObserver): Connection {
    const connection: Connection = new Connection(server, options, {
      ...observer,
      onIdle: () => this.#loans?.giveBack(connection),
    });
    return connection;
  }

  /** Calls of one tick wait together. */
  #startTick(): Batch {
    this.#tickTime = this.#clock.now();
    const until = this.#acquireTimeout === 0 ? Infinity : this.#tickTime + this.#acquireTimeout;
    const batch: Batch = { calls: [], until };
    this.#tick = batch;
    this.#batches.push(batch);
    process.nextTick(() => {
      this.#tick = undefined;
      this.#borrow();
    });
    return batch;
  }

  #deadline(): number {
    return this.#timeout === 0 ? Infinity : this.#tickTime + this.#timeout;
  }

  /** One request for a loan is enough: whoever gets it takes all that wait along. */
  #borrow(): void {
    if (this.#borrowing || this.#batches.length === 0) return;
    this.#borrowing = true;
    const loans = (this.#loans ??= this.#makeLoans());
    void loans.borrow().then((connection) => {
      this.#borrowing = false;
      this.#load(connection, loans);
      this.#borrow();
    });
    if (loans.stats.available === 0) this.#watch();
  }

  /** Sends the calls that have waited longest on their way. */
  #load(connection: Connection, loans: Loans<Connection>): void {
    let load = 0;
    let batch: Batch | undefined;
    while (load < MAX_LOAD && (batch = this.#batches[0]) !== undefined) {
      const calls = batch.calls.splice(0, MAX_LOAD - load);
      for (const call of calls) {
        if (call.settled) continue;
        connection.add(call);
        load++;
      }
      if (batch.calls.length === 0 && batch !== this.#tick) this.#batches.shift();
      else break;
    }
    if (load === 0) loans.giveBack(connection);
  }

  #waiting(): number {
    let waiting = 0;
    for (const { calls } of this.#batches) for (const call of calls) if (!call.settled) waiting++;
    return waiting;
  }
}
