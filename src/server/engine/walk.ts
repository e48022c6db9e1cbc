import { MARKS, type Item } from './item';
import type { KeyIndex } from './key-index';
import type { StoreTime } from './time';

/** What a walk shows of an item. */
export type ItemState = Readonly<Pick<Item, 'key' | 'value' | 'flags' | 'cas' | 'deadline' | 'accessed' | 'marks'>>;

/** A copy of an item; its value is referred to, as nobody writes to a value. */
export function copyState({ key, value, flags, cas, deadline, accessed, marks }: ItemState): ItemState {
  return { key, value, flags, cas, deadline, accessed, marks };
}

/**
 * All items of a store as they are at one moment, handed out one by one while the store goes on. The store announces
 * each item that it is about to change or remove, and what the walk has not come to yet is copied then: so there is
 * never a copy of everything. Items carry the stamp of the last walk that has them behind it; new items get it at birth.
 *
 * The way goes through the index, where nothing that is read or changed moves; it may meet new keys, and passes them by.
 */
export class ItemWalk {
  readonly #items: Iterator<Item>;
  readonly #time: StoreTime;
  readonly #stamp: number;
  readonly #copies: ItemState[] = [];
  #left: number;

  /**
   * @param items not to be cleared while the walk goes on
   * @param stamp what no item carries yet, above the bits of {@link MARKS}
   */
  constructor(items: KeyIndex, time: StoreTime, stamp: number) {
    this.#items = items.values();
    this.#time = time;
    this.#stamp = stamp;
    this.#left = items.size;
  }

  /** Whether everything has been handed out. */
  done(): boolean {
    return this.#left === 0 && this.#copies.length === 0;
  }

  /**
   * Looks at one more item.
   *
   * @returns an item, to be read before the store may change again; `undefined` when that one has expired, or been
   *   handed out before
   */
  step(): ItemState | undefined {
    const copy = this.#copies.pop();
    if (copy !== undefined) return copy;
    const next = this.#items.next();
    return next.done !== true && this.#reach(next.value) ? next.value : undefined;
  }

  /** Takes notice of an item that is about to change or to be removed. */
  announce(item: Item): void {
    if (this.#reach(item)) this.#copies.push(copyState(item));
  }

  /** Whether the item is to be handed out now. */
  #reach(item: Item): boolean {
    if ((item.marks & ~MARKS) === this.#stamp) return false;
    item.marks = (item.marks & MARKS) | this.#stamp;
    this.#left--;
    return item.deadline === 0 || item.deadline > this.#time.now();
  }
}
