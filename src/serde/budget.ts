import { MemcacheSerdeError } from '../errors';

/**
 * What reading one value may make, in units of 8 bytes or so: half a million containers, or eight million numbers. Values
 * that memcached takes, compressed ones of ordinary data included, stay far below it.
 */
const MAX_UNITS = 8 * 1024 * 1024;

/** An empty container, a Buffer, a Date: everything that is an object of its own. */
export const OBJECT_UNITS = 16;

/** A few bytes can ask for a lot of memory, so reading pays for what it makes before it makes it. */
export class Budget {
  #left = MAX_UNITS;

  /** @throws MemcacheSerdeError when nothing is left */
  charge(units: number): void {
    this.#left -= units;
    if (this.#left < 0) throw new MemcacheSerdeError('the value would take too much memory', { certainty: 'executed' });
  }
}

/** From here on V8 keeps elements in a table that has no room for those between. */
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

  /** @throws MemcacheSerdeError when there is not so much memory */
  chargeKey(index: number): void {
    if (index <= this.#highest || index >= SPARSE_FROM) return;
    this.#budget.charge((index - this.#highest) * 1.5);
    this.#highest = index;
  }
}
