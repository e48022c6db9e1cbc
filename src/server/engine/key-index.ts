import type { Item } from './item';

/** A power of two. */
const PARTS = 64;

/**
 * The items by their keys. A `Map` that has become too small or too large for its contents copies all of them at once: 75 ms at
 * half a million items. So there are many smaller ones, which do that one at a time; together they also hold more than the 2^24
 * items of a single one.
 */
export class KeyIndex {
  readonly #parts: readonly Map<string, Item>[] = Array.from({ length: PARTS }, () => new Map<string, Item>());
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: string): Item | undefined {
    return this.#partOf(key).get(key);
  }

  /** Adds an item whose key is not there. */
  add(item: Item): void {
    this.#partOf(item.key).set(item.key, item);
    this.#size++;
  }

  /** Removes an item that is there. */
  remove(item: Item): void {
    this.#partOf(item.key).delete(item.key);
    this.#size--;
  }

  /** Every item; items that are added during the iteration may be among them or not. */
  *values(): IterableIterator<Item> {
    for (const part of this.#parts) for (const item of part.values()) yield item;
  }

  #partOf(key: string): Map<string, Item> {
    let hash = 0;
    for (let i = 0; i < key.length; i++) hash = (hash * 31 + key.charCodeAt(i)) | 0;
    const part = this.#parts[(hash ^ (hash >>> 12)) & (PARTS - 1)];
    if (part === undefined) throw new Error('a masked number is an index of the list');
    return part;
  }
}
