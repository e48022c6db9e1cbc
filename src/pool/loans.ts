import type * as genericPool from 'generic-pool';

/** Lends members of a pool, each to one borrower at a time. The only file that knows generic-pool. */
export interface Loans<T> {
  /** Lends a member, making one if need be; waits its turn when all are lent. Never rejects. */
  borrow(): Promise<T>;
  /** Takes back a member that was lent; any other is ignored. */
  giveBack(member: T): void;
  readonly stats: LoanStats;
  /** Whether the next borrower has to wait until one comes back. */
  readonly exhausted: boolean;
  /** All members, lent or not. */
  readonly all: Iterable<T>;
  /** Waits until all are back, then disposes of them. */
  close(): Promise<void>;
}

/** How many members there are, and how many of them are lent. */
export interface LoanStats {
  readonly size: number;
  /** Ready to be lent. */
  readonly available: number;
  readonly borrowed: number;
}

/** How many members there may be, and for how long. */
export interface LoanOptions {
  readonly max: number;
  readonly min: number;
  /** Milliseconds after which an unused member is disposed of, as long as more than `min` are left; 0 = never. */
  readonly idleTimeout: number;
}

/** To be called when a pool is made, not with its first call: that would fail where the process has no file descriptor left. */
export function loadGenericPool(): typeof genericPool {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- loaded on first use: importing it takes 7 ms
  return require('generic-pool') as typeof genericPool;
}

/**
 * Lends what `make` makes. `make` must not fail and do no I/O: generic-pool repeats a failing factory in a loop that
 * starves the event loop, its waiters cannot be withdrawn, and a member that dies while idle is lent all the same. So
 * its members are shells that open, and heal, on use; a time limit for waiting is left to the borrower.
 */
export function createLoans<T>(make: () => T, dispose: (member: T) => Promise<void>, options: LoanOptions): Loans<T> {
  const { max, min, idleTimeout } = options;
  const all = new Set<T>();
  /** The members that are lent. */
  const out = new Set<T>();
  const create = (): Promise<T> => {
    const member = make();
    all.add(member);
    return Promise.resolve(member);
  };
  const destroy = (member: T): Promise<void> => {
    all.delete(member);
    return dispose(member);
  };
  const { createPool } = loadGenericPool();
  const pool = createPool<T>(
    { create, destroy },
    {
      max,
      min,
      // The one used last is lent first, so that the others become idle.
      fifo: false,
      // At 0 it would never look for idle members; its timer does not keep the process alive.
      ...(idleTimeout > 0 && {
        softIdleTimeoutMillis: idleTimeout,
        idleTimeoutMillis: Number.MAX_SAFE_INTEGER,
        evictionRunIntervalMillis: Math.max(10, Math.ceil(idleTimeout / 2)),
        numTestsPerEvictionRun: max,
      }),
    },
  );
  return {
    all,
    borrow: async () => {
      const member = await pool.acquire();
      out.add(member);
      return member;
    },
    giveBack: (member) => {
      // Giving back twice would be an unhandled rejection, or would take it from the next borrower.
      if (out.delete(member)) void pool.release(member);
    },
    get stats() {
      return { size: pool.size, available: pool.available, borrowed: pool.borrowed };
    },
    get exhausted() {
      return pool.available === 0 && pool.size >= max;
    },
    close: async () => {
      await pool.drain();
      await pool.clear();
    },
  };
}
