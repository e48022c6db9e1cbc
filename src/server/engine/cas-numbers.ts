import type { Cas } from './item';

/** The cas numbers of a store: every change uses up one. Without cas they are all 0. */
export class CasNumbers {
  readonly #exist: boolean;
  /** As in memcached, the first item gets 2. */
  #last = 1;

  constructor(exist: boolean) {
    this.#exist = exist;
  }

  /** The last one that was used. */
  get last(): number {
    return this.#last;
  }

  next(): number {
    return this.#exist ? ++this.#last : 0;
  }

  /** The one that was asked for, or the next; 0 asks for the next too. */
  choose(wanted: Cas | undefined): Cas {
    return wanted === undefined || wanted === 0 || !this.#exist ? this.next() : wanted;
  }

  /** From now on they are above `last`. */
  continueAbove(last: number): void {
    if (this.#exist) this.#last = Math.max(this.#last, last);
  }
}
