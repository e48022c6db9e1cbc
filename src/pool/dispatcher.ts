import { MemcacheTimeoutError } from '../errors';
import type { Call, Carrier } from '../client/call';
import type { Connection } from '../client/connection';
import type { ServerMeter } from '../client/meter';
import { poolWaits, timeouts } from '../client/observe';
import type { Timed } from '../client/timed';
import { OneDeadline, type DeadlineKeeper, type Verdict } from '../client/wire/call-deadlines';
import type { SilentConnections } from '../client/wire/silent';
import type { Gathering } from '../client/wire/wire';
import { nextTick, type Clock, type Timer } from '../runtime/clock';
import { withoutStacks } from '../runtime/without-stacks';
import type { Loans } from './loans';
import { QueueDeadlines } from './queue-deadlines';
import { RestingConnections } from './resting-connections';

/** The state of a pool. */
export interface PoolStats {
  /** Connections that exist; each opens on its first use. */
  readonly size: number;
  /** Connections that carry nothing. */
  readonly available: number;
  /** Connections that carry calls. */
  readonly borrowed: number;
  /** Calls that wait for a connection. */
  readonly waiting: number;
}

/** The settings of a dispatcher. Durations are in milliseconds, 0 = no limit. */
export interface DispatcherSettings {
  readonly gathering: Gathering | undefined;
  readonly meter: ServerMeter;
  /** Those of the pool. */
  readonly silent: SilentConnections;
  readonly clock: Clock;
  readonly timeout: number;
  readonly acquireTimeout: number;
  readonly maxWaiting: number;
  /** How many calls a connection carries at a time. */
  readonly maxLoad: number;
}

/** Is told what happens to a connection that was lent. */
export interface Borrower {
  /** Nothing is awaited on the connection any more. */
  onIdle(connection: Connection): void;
  /**
   * The connection was in trouble. Returns whether the server merely has no place for it while others work: it then rests for a
   * while.
   *
   * @param heard whether the server has sent anything over it
   */
  isOneTooMany(connection: Connection, heard: boolean): boolean;
  /**
   * Sends calls that were certainly not executed over another connection; returns false when none works.
   *
   * @param noPlace whether the server has said that this connection is beyond its limit: another one that is still being made
   *   is then enough
   */
  takeBack(connection: Connection, calls: readonly Call<unknown>[], noPlace: boolean): boolean;
}

/** Calls made in one tick. */
interface Batch {
  calls: Call<unknown>[];
  /** When they were made, on the monotonic clock. */
  readonly since: number;
  /** When they have waited long enough for a connection. */
  readonly until: Timed;
}

/** As long as the server has answered nothing yet, this many connections carry calls: as many as a pool has by default. */
const MAX_UNHEARD = 4;

/** Milliseconds for which a process at the most outlives calls that were withdrawn while they waited. */
const LOOK_EVERY = 100;

/** Lets calls wait in order until a connection is free, and then sends all that wait together. */
export class Dispatcher implements Carrier, DeadlineKeeper, Borrower {
  readonly #settings: DispatcherSettings;
  readonly #loans: Loans<Connection>;
  readonly #deadlines: QueueDeadlines;
  readonly #batches: Batch[] = [];
  /** The batch of this tick. */
  #current: Batch | undefined;
  /** Calls in the batches, withdrawn ones included. */
  #size = 0;
  /** Whether there may be withdrawn calls among them. */
  #stale = false;
  #borrowing = false;
  /** Whether the calls of this turn of the event loop are being gathered. */
  #turning = false;
  #onDrained: (() => void) | undefined;
  /** Keeps the process alive for calls that wait while all connections are lent: what these carry may all have been aborted. */
  #keepAlive: Timer | undefined;
  readonly #resting: RestingConnections;
  /** Whether the server has failed, and has answered nothing since: connections that worked before prove nothing then. */
  #inTrouble = false;
  #closed = false;

  constructor(settings: DispatcherSettings, lend: (borrower: Borrower) => Loans<Connection>) {
    this.#settings = settings;
    this.#loans = lend(this);
    this.#resting = new RestingConnections(settings.clock, (connection) => { this.#loans.giveBack(connection); });
    this.#deadlines = new QueueDeadlines(settings.clock, settings.timeout, this);
  }

  get meter(): ServerMeter {
    return this.#settings.meter;
  }

  get stats(): PoolStats {
    const { size, available, borrowed } = this.#loans.stats;
    const resting = this.#resting.size;
    return { size: size - resting, available, borrowed: borrowed - resting, waiting: this.#waiting };
  }

  /** How many calls wait for a connection or for their reply. */
  get pending(): number {
    let pending = this.#waiting;
    // What asks whether a resting connection works is no call.
    for (const connection of this.#loans.all) if (!this.#resting.isAsked(connection)) pending += connection.pending;
    return pending;
  }

  get #waiting(): number {
    let waiting = 0;
    for (const { calls } of this.#batches) for (const call of calls) if (!call.settled) waiting++;
    return waiting;
  }

  /** Whether no more calls may wait. Calls withdrawn since give up their places here. */
  get isFull(): boolean {
    if (this.#size < this.#settings.maxWaiting) return false;
    // Looking through all of them for each call that is refused would make overload worse.
    if (!this.#stale) return true;
    this.#stale = false;
    this.#size = 0;
    for (const batch of this.#batches) {
      batch.calls = batch.calls.filter((call) => !call.settled);
      this.#size += batch.calls.length;
    }
    return this.#size >= this.#settings.maxWaiting;
  }

  /** To be called when a call was withdrawn. */
  readonly onWithdrawn = (): void => {
    this.#stale = true;
    for (const connection of this.#loans.all) connection.onWithdrawn();
    this.#tellIfDrained();
  };

  /** Tells {@link close} when no call waits any more. */
  #tellIfDrained(): void {
    if (this.#onDrained !== undefined && this.#waiting === 0) this.#onDrained();
  }

  /** Looks now and then whether any of them still waits, as whoever withdraws one does not look at all the others. */
  #stayAlive(): void {
    this.#keepAlive ??= this.#settings.clock.setTimeout(() => {
      this.#letGo();
      if (this.#waiting > 0) this.#stayAlive();
    }, LOOK_EVERY);
  }

  #letGo(): void {
    this.#keepAlive?.close();
    this.#keepAlive = undefined;
  }

  add(call: Call<unknown>): void {
    const batch = (this.#current ??= this.#startBatch());
    this.#deadlines.begin(call);
    this.#size++;
    batch.calls.push(call);
  }

  onIdle(connection: Connection): void {
    if (connection.isHeard) this.#inTrouble = false;
    if (!this.#resting.has(connection)) this.#loans.giveBack(connection);
    else this.#resting.onIdle(connection, { work: this.#othersWork(connection), mayWork: this.#othersMayWork(connection) });
  }

  isOneTooMany(connection: Connection, heard: boolean): boolean {
    // One that is only asked whether it works tells nothing of the server, as long as others carry calls.
    const oneTooMany = this.#resting.has(connection)
      ? this.#othersMayWork(connection)
      : !heard && this.#othersWork(connection) && this.#restsAfterFailure(connection);
    if (!oneTooMany) this.#inTrouble = true;
    return oneTooMany;
  }

  takeBack(connection: Connection, calls: readonly Call<unknown>[], noPlace: boolean): boolean {
    // One that was asked whether it works: another one cannot answer that.
    if (this.#closed || this.#resting.isAsked(connection)) return false;
    if (!(noPlace ? this.#othersMayWork(connection) : this.#othersWork(connection)) || !this.#restsAfterFailure(connection)) return false;
    const now = this.#settings.clock.now();
    this.#batches.unshift(this.#batchOf([...calls], now));
    this.#size += calls.length;
    for (const call of calls) {
      call.rewind();
      this.#deadlines.watch(call.deadline, now);
    }
    this.#borrow();
    return true;
  }

  /** Whether another connection works, and carries calls: were all of them to rest, none would. */
  #othersWork(connection: Connection): boolean {
    return this.#hasOther(connection, (other) => this.#works(other));
  }

  #works(connection: Connection): boolean {
    return connection.isHeard && !this.#resting.has(connection);
  }

  /** Whether another connection works, or is being made. */
  #othersMayWork(connection: Connection): boolean {
    return this.#hasOther(connection, (other) => other.isHeard || other.pending > 0);
  }

  #hasOther(than: Connection, isSo: (connection: Connection) => boolean): boolean {
    for (const other of this.#loans.all) if (other !== than && isSo(other)) return true;
    return false;
  }

  #restsAfterFailure(connection: Connection): boolean {
    if (!this.#resting.add(connection)) return false;
    this.#resting.onFailure(true);
    return true;
  }

  /** Whether a connection over which the server has not answered rests until it has. The first ones of all carry calls at once. */
  #restsFirst(connection: Connection): boolean {
    // The call that probes the server would wait until each of the pool's connections has been asked.
    if (this.#inTrouble) return false;
    let unheard = 0;
    for (const other of this.#loans.all) {
      if (other === connection) continue;
      if (this.#works(other) || (other.pending > 0 && !this.#resting.has(other) && ++unheard === MAX_UNHEARD)) return this.#resting.add(connection);
    }
    return false;
  }

  /** Lets the calls that it has finish. The caller must add no more. */
  async close(): Promise<void> {
    if (this.#waiting > 0) {
      await new Promise<void>((resolve) => {
        this.#onDrained = resolve;
      });
    }
    this.#closed = true;
    // What is left was withdrawn.
    this.#batches.length = 0;
    this.#letGo();
    this.#resting.end();
    this.#deadlines.close();
    // Their loans end sooner when nobody waits any more for what they carry.
    for (const connection of this.#loans.all) void connection.close();
    await this.#loans.close();
    this.#settings.silent.end(false);
  }

  *timed(): Generator<Timed> {
    for (const { calls, until } of this.#batches) {
      yield until;
      yield* calls;
    }
  }

  /** Rejects the calls that have waited too long. */
  judge(verdict: Verdict): number {
    let earliest = Infinity;
    for (const { calls, until } of this.#batches) {
      const waited = verdict.isDue(until);
      for (const call of calls) {
        if (call.settled) continue;
        if (waited || verdict.isDue(call)) this.#expire(call, waited);
        else earliest = Math.min(earliest, verdict.dueAt(until), verdict.dueAt(call));
      }
    }
    this.#tellIfDrained();
    return earliest;
  }

  #startBatch(): Batch {
    const batch = this.#batchOf([], this.#deadlines.startTick());
    this.#batches.push(batch);
    nextTick(() => {
      if (batch === this.#current) this.#current = undefined;
      this.#deadlines.look();
      if (this.#settings.gathering) this.#borrowInTime();
      else this.#borrow();
    });
    return batch;
  }

  #batchOf(calls: Call<unknown>[], since: number): Batch {
    const { acquireTimeout, clock } = this.#settings;
    const until = new OneDeadline(clock, acquireTimeout);
    this.#deadlines.watch(until.deadline, since);
    return { calls, since, until };
  }

  /** The calls of a whole turn of the event loop share a loan: one for those of each tick made four times the writes. */
  #borrowInTime(): void {
    if (this.#turning) return;
    this.#turning = true;
    this.#settings.clock.setImmediate(() => {
      this.#turning = false;
      this.#borrow();
    });
  }

  /** One request for a loan at a time is enough: it takes along all calls that wait. */
  #borrow(): void {
    // In trouble a single call finds out when the server is back.
    if (!this.#inTrouble && this.#resting.size > 0 && this.#batches.length > 0) this.#resting.tryIfDue();
    const hadToWait = this.#loans.exhausted;
    if (hadToWait && this.#batches.length > 0) this.#stayAlive();
    if (this.#borrowing) return;
    if (this.#batches.length === 0) {
      this.#letGo();
      this.#onDrained?.();
      return;
    }
    this.#borrowing = true;
    void this.#loans.borrow().then((connection) => {
      this.#borrowing = false;
      if (connection.isHeard || !this.#restsFirst(connection)) {
        if (hadToWait && poolWaits.hasSubscribers) this.#tellOfWait();
        if (this.#load(connection, hadToWait) === 0) this.#loans.giveBack(connection);
      }
      this.#borrow();
    });
  }

  /** Publishes the wait of each call that the next loan takes along. */
  #tellOfWait(): void {
    const { clientId, server } = this.meter;
    const { clock, maxLoad } = this.#settings;
    const now = clock.now();
    let waiting = this.#waiting;
    let load = 0;
    for (const { calls, since } of this.#batches) {
      for (const call of calls) {
        if (call.settled) continue;
        if (load++ === maxLoad) return;
        poolWaits.publish({ clientId, server, waitMs: now - since, waiting: --waiting });
      }
    }
  }

  /**
   * Sends the calls that have waited longest, and returns how many there were.
   *
   * @param hadToWait whether no connection was free for them
   */
  #load(connection: Connection, hadToWait: boolean): number {
    const { clock, maxLoad } = this.#settings;
    const now = clock.now();
    const mayBeLate = this.#deadlines.mayBeDue(now);
    const late: Call<unknown>[] = [];
    let load = 0;
    let batch: Batch | undefined;
    while (load < maxLoad && (batch = this.#batches[0]) !== undefined) {
      const loaded = load;
      const calls = batch.calls.splice(0, maxLoad - load);
      this.#size -= calls.length;
      for (const call of calls) {
        if (call.settled) continue;
        // Its deadline has passed; the timer would only notice a moment later.
        if (mayBeLate && this.#deadlines.isDue(call, now)) late.push(call);
        else {
          connection.add(call);
          load++;
        }
      }
      if (hadToWait && load > loaded) this.meter.poolWaits.add(now - batch.since, load - loaded);
      if (batch.calls.length > 0) break;
      if (batch === this.#current) this.#current = undefined;
      this.#batches.shift();
    }
    if (late.length > 0) withoutStacks(() => { for (const call of late) this.#expire(call, false); });
    return load;
  }

  #expire(call: Call<unknown>, waited: boolean): void {
    const { clientId, server } = this.meter;
    const { acquireTimeout, timeout } = this.#settings;
    const limitMs = waited ? acquireTimeout : timeout;
    if (timeouts.hasSubscribers) timeouts.publish({ clientId, server, command: call.command.verb, certainty: 'notSent', pending: this.pending, limitMs });
    const why = `no connection to ${server} became free within ${waited ? 'acquireTimeout' : 'timeout'}, ${limitMs} ms; see also maxPoolSize`;
    call.reject(new MemcacheTimeoutError(why), this.meter);
    this.#stale = true;
  }
}
