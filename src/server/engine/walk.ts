import { MARKS, type Item } from './item';
import type { KeyIndex } from './key-index';
import type { StoreTime } from './time';

/** The state of an item that a walk shows. */
export type ItemState = Readonly<Pick<Item, 'key' | 'value' | 'flags' | 'cas' | 'deadline' | 'accessed' | 'marks'>>;

/** A copy of an item; the value is shared, as values are never written to. */
export function copyState({ key, value, flags, cas, deadline, accessed, marks }: ItemState): ItemState {
  return { key, value, flags, cas, deadline, accessed, marks };
}

/**
 * All items of a store as they are at one moment, returned one by one while the store goes on working. The store announces each
 * item that it is about to change or remove, and the walk copies it then if it has not reached it yet: so there is never a copy
 * of everything. Items carry the stamp of the last walk that has passed them; new items get it when they are made.
 *
 * It goes through the index, each part as it was when the walk came to it; items that it meets twice, or that are new or gone, it skips.
 */
export class ItemWalk {
  readonly #items: Iterator<Item>;
  readonly #time: StoreTime;
  readonly #stamp: number;
  readonly #copies: ItemState[] = [];
  #left: number;

  /**
   * @param items must not be cleared during the walk
   * @param stamp a stamp that no item carries yet, above the bits of {@link MARKS}
   */
  constructor(items: KeyIndex, time: StoreTime, stamp: number) {
    this.#items = items.values();
    this.#time = time;
    this.#stamp = stamp;
    this.#left = items.size;
  }

  /** Whether every item has been returned. */
  done(): boolean {
    return this.#left === 0 && this.#copies.length === 0;
  }

  /**
   * Looks at one more item.
   *
   * @returns an item, to be read before the store can change again; `undefined` when that one has expired, or was returned before
   */
  step(): ItemState | undefined {
    const copy = this.#copies.pop();
    if (copy !== undefined) return copy;
    const next = this.#items.next();
    return next.done !== true && this.#reach(next.value) ? next.value : undefined;
  }

  /** To be called before an item changes or is removed. */
  announce(item: Item): void {
    if (this.#reach(item)) this.#copies.push(copyState(item));
  }

  /** Whether the item must be returned now. */
  #reach(item: Item): boolean {
    if ((item.marks & ~MARKS) === this.#stamp) return false;
    item.marks = (item.marks & MARKS) | this.#stamp;
    this.#left--;
    return item.deadline === 0 || item.deadline > this.#time.now();
  }
}
