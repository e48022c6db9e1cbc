import { unreadable } from './unreadable';

/**
 * How much memory reading one value may take, in units of about 8 bytes: half a million containers, or eight million numbers.
 * Values that memcached stores, compressed ones of ordinary data included, stay far below it.
 */
export const MAX_UNITS = 8 * 1024 * 1024;

/** An empty container, a Buffer, a Date: everything that is an object of its own. */
export const OBJECT_UNITS = 16;

/** A few bytes can ask for a lot of memory, so a reader charges for what it makes before it makes it. */
export class Budget {
  #left: number;
  readonly #hint: string;

  /** @param hint the end of the message when nothing is left */
  constructor(units = MAX_UNITS, hint = '') {
    this.#left = units;
    this.#hint = hint;
  }

  /** @throws MemcacheSerdeError when nothing is left */
  charge(units: number): void {
    this.#left -= units;
    if (this.#left < 0) throw unreadable(`the value would take too much memory${this.#hint}`);
  }
}

/** From this index on V8 keeps elements in a sparse table, with no room for those in between. */
const SPARSE_FROM = 5000;

/**
 * What an object costs for its keys that look like an array's: V8 gives an object with the one key 4000 room for 6000
 * elements.
 */
export class ElementCost {
  readonly #budget: Budget;
  #highest = 0;

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  /** @throws MemcacheSerdeError when the budget is used up */
  chargeKey(index: number): void {
    if (index <= this.#highest || index >= SPARSE_FROM) return;
    this.#budget.charge((index - this.#highest) * 1.5);
    this.#highest = index;
  }
}
