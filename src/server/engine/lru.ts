import type { Item } from './item';

/** Items in the order of their last use, as a list through the items themselves. */
export class LruList {
  #newest: Item | undefined;
  #oldest: Item | undefined;

  /** The item unused for longest. */
  get oldest(): Item | undefined {
    return this.#oldest;
  }

  /** Adds an item that is not in the list. */
  add(item: Item): void {
    const previous = this.#newest;
    item.older = previous;
    item.newer = undefined;
    if (previous === undefined) this.#oldest = item;
    else previous.newer = item;
    this.#newest = item;
  }

  /** Makes an item of the list the one that was used last. */
  bump(item: Item): void {
    if (item === this.#newest) return;
    this.remove(item);
    this.add(item);
  }

  remove(item: Item): void {
    const { newer, older } = item;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    item.newer = undefined;
    item.older = undefined;
  }

  clear(): void {
    this.#newest = undefined;
    this.#oldest = undefined;
  }
}
