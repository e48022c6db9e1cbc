import type * as genericPool from 'generic-pool';

/** Things that are lent to one borrower at a time. The only place that knows generic-pool. */
export interface Loans<T> {
  /** Lends one, making it if need be; waits its turn when all are out. Never rejects. */
  borrow(): Promise<T>;
  /** Takes back what was lent; what is not out is ignored. */
  giveBack(thing: T): void;
  readonly stats: LoanStats;
  /** Whether the next borrower has to wait until one comes back. */
  readonly exhausted: boolean;
  /** Those that exist. */
  readonly all: Iterable<T>;
  /** Waits until all are back, then disposes of them. */
  close(): Promise<void>;
}

/** How many there are, and where. */
export interface LoanStats {
  readonly size: number;
  /** Ready to be lent. */
  readonly available: number;
  readonly borrowed: number;
}

/** How many there may be, and for how long. */
export interface LoanOptions {
  readonly max: number;
  readonly min: number;
  /** Milliseconds after which one that is not used is disposed of, down to `min`; 0 = never. */
  readonly idleTimeout: number;
}

/**
 * Lends what `make` makes. `make` must not fail and do no I/O: generic-pool repeats a failing factory in a loop that
 * starves the event loop, its waiters cannot be withdrawn, and a member that dies while idle is lent all the same. So
 * its members are shells that open, and heal, on use; waiting with a time limit is the borrower's own affair.
 */
export function createLoans<T>(make: () => T, dispose: (thing: T) => Promise<void>, options: LoanOptions): Loans<T> {
  const { max, min, idleTimeout } = options;
  const all = new Set<T>();
  /** Those that a borrower has in hands. */
  const out = new Set<T>();
  const create = (): Promise<T> => {
    const thing = make();
    all.add(thing);
    return Promise.resolve(thing);
  };
  const destroy = (thing: T): Promise<void> => {
    all.delete(thing);
    return dispose(thing);
  };
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- loaded on first use: importing it takes 7 ms
  const { createPool } = require('generic-pool') as typeof genericPool;
  const pool = createPool<T>(
    { create, destroy },
    {
      max,
      min,
      // The one used last is lent first, so that the others can grow old.
      fifo: false,
      // Left at 0 its members would never be looked at; its timer does not keep the process alive.
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
      const thing = await pool.acquire();
      out.add(thing);
      return thing;
    },
    giveBack: (thing) => {
      // Giving back twice would be an unhandled rejection, or would take it from the next borrower.
      if (out.delete(thing)) void pool.release(thing);
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
