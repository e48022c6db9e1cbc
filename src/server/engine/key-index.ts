import { isText, latin1Slice } from '../../protocol/bytes';
import { systemRandom } from '../../runtime/random';
import type { Item } from './item';

// Looked up once: in a vm context, where test runners put their tests, each look-up of a global takes 0.3 us, and this is one for each byte.
const { imul } = Math;

/** A power of two. */
const PARTS = 64;
const PART_BITS = 6;

/** The places of a part that is empty; a power of two. */
const FEWEST_PLACES = 16;

/** The prime of FNV-1a. */
const PRIME = 0x01000193;

/** The beginning of every hash: random, so that nobody can choose keys that come to lie in one place. */
const SEED = Math.floor(systemRandom() * 2 ** 32) | 0;

/**
 * The items by their keys: hash tables with open addressing. It can be asked with the bytes of a key as they arrived, and then
 * makes no string; a `Map` needs one, and hashes it again: a lookup takes half the time so. There are many small tables, since one
 * that has become too small or too large for its contents moves all of them at once: 75 ms at half a million items of a `Map`.
 */
export class KeyIndex {
  readonly #parts: readonly Part[] = Array.from({ length: PARTS }, () => new Part());
  #size = 0;
  /** The key that was looked for last, and what was found: most commands look for theirs twice. */
  #key = '';
  #hash = hashOf('');
  #found: Item | undefined;

  get size(): number {
    return this.#size;
  }

  get(key: string): Item | undefined {
    if (key !== this.#key) {
      const hash = hashOf(key);
      this.#found = this.#partOf(hash).get(hash, key);
      this.#key = key;
      this.#hash = hash;
    }
    return this.#found;
  }

  /** The key `buffer[start, end)` as a string: that of the item if there is one, so that none is made. */
  keyOf(buffer: Buffer, start: number, end: number): string {
    let even = SEED;
    let odd = SEED;
    let at = start;
    for (; at < end - 1; at += 2) {
      even = imul(even ^ (buffer[at] ?? 0), PRIME);
      odd = imul(odd ^ (buffer[at + 1] ?? 0), PRIME);
    }
    if (at < end) even = imul(even ^ (buffer[at] ?? 0), PRIME);
    const hash = joined(even, odd);
    const found = this.#partOf(hash).find(hash, buffer, start, end);
    this.#found = found;
    this.#key = found === undefined ? latin1Slice(buffer, start, end) : found.key;
    this.#hash = hash;
    return this.#key;
  }

  /** Adds an item whose key is not there. */
  add(item: Item): void {
    const hash = this.#hashOf(item.key);
    this.#partOf(hash).add(hash, item);
    this.#size++;
    if (item.key === this.#key) this.#found = item;
  }

  /** Removes an item that is there. */
  remove(item: Item): void {
    const hash = this.#hashOf(item.key);
    this.#partOf(hash).remove(hash, item);
    this.#size--;
    if (item === this.#found) this.#found = undefined;
  }

  /** Every item, some perhaps twice; items that are added or removed during the iteration may be among them or not. */
  *values(): IterableIterator<Item> {
    for (const part of this.#parts) yield* part.items();
  }

  #hashOf(key: string): number {
    return key === this.#key ? this.#hash : hashOf(key);
  }

  #partOf(hash: number): Part {
    const part = this.#parts[hash & (PARTS - 1)];
    if (part === undefined) throw new Error('a masked number is an index of the list');
    return part;
  }
}

/**
 * The same for a string as for its bytes: FNV-1a of every other byte and of those between, as each multiplication waits for the one
 * before it in its row; one row took half as long again.
 */
function hashOf(key: string): number {
  const { length } = key;
  let even = SEED;
  let odd = SEED;
  let at = 0;
  for (; at < length - 1; at += 2) {
    even = imul(even ^ key.charCodeAt(at), PRIME);
    odd = imul(odd ^ key.charCodeAt(at + 1), PRIME);
  }
  if (at < length) even = imul(even ^ key.charCodeAt(at), PRIME);
  return joined(even, odd);
}

/** One hash of two, of which the high bits are the better ones. */
function joined(even: number, odd: number): number {
  const hash = imul(even ^ (odd >>> 15) ^ (odd << 17), PRIME);
  return hash ^ (hash >>> 15);
}

/** One table: an item lies at the place that its hash says, or at the next one that was free. */
class Part {
  #size = 0;
  #mask = FEWEST_PLACES - 1;
  #items = noItems(FEWEST_PLACES);
  /** The hashes of the items at the same places, so that hardly any other item is looked at. */
  #hashes = new Int32Array(FEWEST_PLACES);

  get(hash: number, key: string): Item | undefined {
    for (let at = hash >>> PART_BITS; ; at++) {
      const item = this.#items[(at &= this.#mask)];
      if (item === undefined || (this.#hashes[at] === hash && item.key === key)) return item;
    }
  }

  find(hash: number, buffer: Buffer, start: number, end: number): Item | undefined {
    for (let at = hash >>> PART_BITS; ; at++) {
      const item = this.#items[(at &= this.#mask)];
      if (item === undefined || (this.#hashes[at] === hash && isText(buffer, start, end, item.key))) return item;
    }
  }

  add(hash: number, item: Item): void {
    if (++this.#size * 4 > this.#items.length * 3) this.#resize(this.#items.length * 2);
    this.#put(hash, item);
  }

  remove(hash: number, item: Item): void {
    let at = (hash >>> PART_BITS) & this.#mask;
    while (this.#items[at] !== item) at = (at + 1) & this.#mask;
    this.#items[at] = undefined;
    this.#closeGap(at);
    if (--this.#size * 8 < this.#items.length && this.#items.length > FEWEST_PLACES) this.#resize(this.#items.length / 2);
  }

  items(): Item[] {
    return this.#items.filter((item) => item !== undefined);
  }

  #put(hash: number, item: Item): void {
    let at = (hash >>> PART_BITS) & this.#mask;
    while (this.#items[at] !== undefined) at = (at + 1) & this.#mask;
    this.#items[at] = item;
    this.#hashes[at] = hash;
  }

  /** Moves back the items that would not be found beyond the gap. */
  #closeGap(gap: number): void {
    const mask = this.#mask;
    for (let at = (gap + 1) & mask; ; at = (at + 1) & mask) {
      const item = this.#items[at];
      if (item === undefined) return;
      const hash = this.#hashes[at] ?? 0;
      const fromHome = (at - (hash >>> PART_BITS)) & mask;
      if (fromHome < ((at - gap) & mask)) continue;
      this.#items[gap] = item;
      this.#hashes[gap] = hash;
      this.#items[at] = undefined;
      gap = at;
    }
  }

  #resize(places: number): void {
    const items = this.#items;
    const hashes = this.#hashes;
    this.#mask = places - 1;
    this.#items = noItems(places);
    this.#hashes = new Int32Array(places);
    for (const [at, item] of items.entries()) if (item !== undefined) this.#put(hashes[at] ?? 0, item);
  }
}

function noItems(places: number): (Item | undefined)[] {
  return new Array<Item | undefined>(places).fill(undefined);
}
