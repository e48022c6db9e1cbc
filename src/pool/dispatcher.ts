import { MemcacheTimeoutError } from '../errors';
import type { Call } from '../client/call';
import type { Connection } from '../client/connection';
import { Deadlines } from '../client/wire/call-deadlines';
import type { Clock } from '../runtime/clock';
import type { Loans } from './loans';

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

/** What a dispatcher must know. Durations are in milliseconds, 0 = no limit. */
export interface DispatcherSettings {
  readonly server: string;
  readonly clock: Clock;
  readonly timeout: number;
  readonly acquireTimeout: number;
  readonly maxWaiting: number;
}

/** Calls made in one tick. */
interface Batch {
  calls: Call<unknown>[];
  /** When they have waited long enough, on the monotonic clock. */
  readonly until: number;
}

/** A loan sets out with no more calls than this, so that a burst spreads over the connections. */
const MAX_LOAD = 1024;

/** Lets calls wait in their order until a connection is free, and sends all that wait then on their way together. */
export class Dispatcher {
  readonly #settings: DispatcherSettings;
  readonly #loans: Loans<Connection>;
  readonly #deadlines: Deadlines;
  readonly #batches: Batch[] = [];
  /** The batch of this tick. */
  #current: Batch | undefined;
  #tick = 0;
  #soonest = Infinity;
  /** Calls in the batches, withdrawn ones included. */
  #size = 0;
  /** Whether there may be withdrawn calls among them. */
  #stale = false;
  #borrowing = false;
  #onDrained: (() => void) | undefined;

  constructor(settings: DispatcherSettings, loans: Loans<Connection>) {
    this.#settings = settings;
    this.#loans = loans;
    this.#deadlines = new Deadlines(settings.clock, (now) => this.#judge(now));
  }

  get stats(): PoolStats {
    const { size, available, borrowed } = this.#loans.stats;
    return { size, available, borrowed, waiting: this.#waiting };
  }

  /** How many calls wait for a connection or for their reply. */
  get pending(): number {
    let pending = this.#waiting;
    for (const connection of this.#loans.all) pending += connection.pending;
    return pending;
  }

  get #waiting(): number {
    let waiting = 0;
    for (const { calls } of this.#batches) for (const call of calls) if (!call.settled) waiting++;
    return waiting;
  }

  /** Whether no more calls may wait. Those withdrawn in the meantime give up their places here. */
  get isFull(): boolean {
    if (this.#size < this.#settings.maxWaiting) return false;
    // Looking at all of them for each call that is refused would make overload worse.
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
  };

  add(call: Call<unknown>): void {
    const batch = (this.#current ??= this.#startBatch());
    if (!call.hasDeadline) {
      const { timeout } = this.#settings;
      call.deadline = timeout === 0 ? Infinity : this.#tick + timeout;
    }
    this.#soonest = Math.min(this.#soonest, call.deadline);
    this.#size++;
    batch.calls.push(call);
  }

  /** Lets the calls that it has finish. Whoever calls this adds no more. */
  async close(): Promise<void> {
    if (this.#borrowing || this.#batches.length > 0) {
      await new Promise<void>((resolve) => {
        this.#onDrained = resolve;
      });
    }
    this.#deadlines.close();
    await this.#loans.close();
  }

  #startBatch(): Batch {
    const { clock, acquireTimeout } = this.#settings;
    this.#tick = clock.now();
    const batch: Batch = { calls: [], until: acquireTimeout === 0 ? Infinity : this.#tick + acquireTimeout };
    this.#batches.push(batch);
    process.nextTick(() => {
      if (batch === this.#current) this.#current = undefined;
      this.#deadlines.watch(Math.min(this.#soonest, batch.until));
      this.#soonest = Infinity;
      this.#borrow();
    });
    return batch;
  }

  /** One request for a loan at a time is enough: whoever gets it takes along all that wait. */
  #borrow(): void {
    if (this.#borrowing) return;
    if (this.#batches.length === 0) {
      this.#onDrained?.();
      return;
    }
    this.#borrowing = true;
    void this.#loans.borrow().then((connection) => {
      this.#borrowing = false;
      if (this.#load(connection) === 0) this.#loans.giveBack(connection);
      this.#borrow();
    });
  }

  /** Sends the calls that have waited longest on their way; how many there were. */
  #load(connection: Connection): number {
    let load = 0;
    let batch: Batch | undefined;
    while (load < MAX_LOAD && (batch = this.#batches[0]) !== undefined) {
      const calls = batch.calls.splice(0, MAX_LOAD - load);
      this.#size -= calls.length;
      for (const call of calls) {
        if (call.settled) continue;
        connection.add(call);
        load++;
      }
      if (batch.calls.length > 0) break;
      if (batch === this.#current) this.#current = undefined;
      this.#batches.shift();
    }
    return load;
  }

  /** Rejects the calls that have waited too long; the earliest time to look again. */
  #judge(now: number): number {
    let earliest = Infinity;
    for (const { calls, until } of this.#batches) {
      for (const call of calls) {
        const due = Math.min(until, call.deadline);
        if (due <= now) {
          call.reject(this.#timedOut(call, until <= now));
          this.#stale = true;
        } else if (!call.settled) earliest = Math.min(earliest, due);
      }
    }
    return earliest;
  }

  #timedOut(call: Call<unknown>, waited: boolean): MemcacheTimeoutError {
    const { server, acquireTimeout, timeout } = this.#settings;
    const limit = waited ? `acquireTimeout, ${acquireTimeout} ms` : `timeout, ${timeout} ms`;
    return new MemcacheTimeoutError(`no connection to ${server} became free within ${limit}; see also maxPoolSize`, {
      server,
      command: call.command.verb,
      certainty: 'notSent',
    });
  }
}
