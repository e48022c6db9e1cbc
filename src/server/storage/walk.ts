import { MARKS, type Item } from './item';
import type { LruList } from './lru';
import type { StoreTime } from './time';

/** What a walk shows of an item. */
export type ItemState = Readonly<Pick<Item, 'key' | 'value' | 'flags' | 'cas' | 'deadline' | 'marks'>>;

/** A copy of an item; its value is referred to, as nobody writes to a value. */
export function copyState({ key, value, flags, cas, deadline, marks }: ItemState): ItemState {
  return { key, value, flags, cas, deadline, marks };
}

/**
 * All items of a store as they are at one moment, handed out one by one while the store goes on. The store announces
 * each item that it is about to change or remove, and what the walk has not come to yet is copied then: so there is
 * never a copy of everything. Items carry the stamp of the last walk that has them behind it; new items get it at birth.
 */
export class ItemWalk {
  readonly #lru: LruList;
  readonly #time: StoreTime;
  readonly #stamp: number;
  readonly #copies: ItemState[] = [];
  #left: number;

  /**
   * @param stamp what no item carries yet, above the bits of {@link MARKS}
   * @param size how many items there are
   */
  constructor(lru: LruList, time: StoreTime, stamp: number, size: number) {
    this.#lru = lru;
    this.#time = time;
    this.#stamp = stamp;
    this.#left = size;
    lru.cursor = lru.oldest;
  }

  /** Whether everything has been handed out. */
  get done(): boolean {
    return this.#copies.length === 0 && (this.#left === 0 || this.#lru.cursor === undefined);
  }

  /**
   * Looks at one more item, about in the order of use, oldest first.
   *
   * @returns an item, to be read before the store may change again; `undefined` when that one is new or has expired
   */
  step(): ItemState | undefined {
    const copy = this.#copies.pop();
    if (copy !== undefined) return copy;
    const item = this.#lru.cursor;
    if (item === undefined) return undefined;
    this.#lru.cursor = item.newer;
    return this.#reach(item) ? item : undefined;
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
