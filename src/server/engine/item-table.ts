import type { Changes } from './changes';
import { DeadlineHeap } from './expiry';
import { FETCHED, sizeOf, type Item } from './item';
import { KeyIndex } from './key-index';
import { LruList } from './lru';
import type { StoreStats } from './stats';
import type { StoreTime } from './time';
import type { ItemWalk } from './walk';

/** Memory that an item takes beyond {@link sizeOf}: its object, its place in the index, the heads of its strings. */
const ITEM_OVERHEAD = 152;

/** How an {@link ItemTable} keeps within its memory. */
interface TableSettings {
  readonly maxBytes: number;
  readonly evict: boolean;
  readonly cas: boolean;
}

/**
 * The items that are there: found by their keys, in the order of their last use and of their deadlines, and together within a limit of
 * memory. It announces what it changes.
 */
export class ItemTable {
  /** The item that was stored last, until it is removed. */
  lastStored: Item | undefined;
  readonly #evict: boolean;
  readonly #cas: boolean;
  readonly #time: StoreTime;
  readonly #stats: StoreStats;
  readonly #changes: Changes;
  #index = new KeyIndex();
  readonly #lru = new LruList();
  readonly #deadlines = new DeadlineHeap();
  #maxBytes: number;
  #bytes = 0;

  constructor({ maxBytes, evict, cas }: TableSettings, time: StoreTime, stats: StoreStats, changes: Changes) {
    this.#maxBytes = maxBytes;
    this.#evict = evict;
    this.#cas = cas;
    this.#time = time;
    this.#stats = stats;
    this.#changes = changes;
  }

  /** How many there are, including expired ones that were not removed yet. */
  get size(): number {
    return this.#index.size;
  }

  /** How many of them have a deadline. */
  get expiring(): number {
    return this.#deadlines.size;
  }

  /** The bytes of all of them by memcached's measure. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What counts towards the limit: {@link bytes}, and the real overhead of each item. */
  get usedBytes(): number {
    return this.#bytes + this.#index.size * ITEM_OVERHEAD;
  }

  get maxBytes(): number {
    return this.#maxBytes;
  }

  /** A lower limit takes effect at once, if it may evict. */
  set maxBytes(limit: number) {
    this.#maxBytes = limit;
    if (this.#evict) this.#makeRoom(0);
  }

  /** The item unused for longest. */
  get oldest(): Item | undefined {
    return this.#lru.oldest;
  }

  /** The deadline that comes first; 0 when none has one. */
  get firstDeadline(): number {
    return this.#deadlines.first?.deadline ?? 0;
  }

  /** The item, expired or not. */
  get(key: string): Item | undefined {
    return this.#index.get(key);
  }

  /** The key `buffer[start, end)` as a string: that of its item if there is one. */
  keyOf(buffer: Buffer, start: number, end: number): string {
    return this.#index.keyOf(buffer, start, end);
  }

  /** @throws Error when another walk is under way */
  beginWalk(): ItemWalk {
    return this.#changes.beginWalk(this.#index, this.#time);
  }

  /** Adds an item whose key is not there, if there is room; its deadline is put in its place by {@link updateDeadline}. */
  add(item: Item): boolean {
    const size = sizeOf(item, this.#cas);
    if (!this.#makeRoom(size + ITEM_OVERHEAD)) return false;
    item.marks |= this.#changes.stamp;
    this.#index.add(item);
    this.#lru.add(item);
    this.#bytes += size;
    return true;
  }

  /** Makes it the one that was used last. */
  bump(item: Item): void {
    this.#lru.bump(item);
  }

  /**
   * To be called before an item gets another value: makes it the one that was used last, and room for what it grows by.
   *
   * @param growth in bytes; below 0 when it shrinks
   * @returns false when there is no room: it must then stay as it is
   */
  resize(item: Item, growth: number): boolean {
    this.#lru.bump(item);
    if (growth > 0 && !this.#makeRoom(growth, item)) return false;
    this.#changes.announce(item);
    this.#bytes += growth;
    return true;
  }

  /** To be called after its deadline was changed. */
  updateDeadline(item: Item): void {
    this.#deadlines.update(item);
  }

  remove(item: Item): void {
    this.#changes.announce(item);
    if (item === this.lastStored) this.lastStored = undefined;
    this.#index.remove(item);
    this.#lru.remove(item);
    this.#deadlines.remove(item);
    this.#bytes -= sizeOf(item, this.#cas);
  }

  /** Removes an item that has expired. */
  expire(item: Item): void {
    this.#stats.reclaimed++;
    if ((item.marks & FETCHED) === 0) this.#stats.expiredUnfetched++;
    this.remove(item);
  }

  /**
   * Removes what has expired.
   *
   * @param most how many at the most
   * @returns whether that was all
   */
  expireDue(most: number): boolean {
    const now = this.#time.now();
    for (let left = most; left > 0; left--) {
      const first = this.#deadlines.first;
      if (first === undefined || first.deadline > now) return true;
      this.expire(first);
    }
    return false;
  }

  /** Removes everything. */
  clear(): void {
    this.#changes.announceAll(this.#index);
    this.#stats.reclaimed += this.#index.size;
    this.lastStored = undefined;
    // Replaced, not cleared: a walk may be under way through the old one.
    this.#index = new KeyIndex();
    this.#lru.clear();
    this.#deadlines.clear();
    this.#bytes = 0;
  }

  /** Frees memory until `bytes` more fit, expired items first; never removes `kept`, which must be the one used last. */
  #makeRoom(bytes: number, kept?: Item): boolean {
    if (this.usedBytes + bytes <= this.#maxBytes) return true;
    // For what cannot fit nothing else must go.
    const own = kept === undefined ? 0 : sizeOf(kept, this.#cas) + ITEM_OVERHEAD;
    if (own + bytes > this.#maxBytes) return false;
    do {
      const first = this.#deadlines.first;
      if (first !== undefined && first !== kept && first.deadline <= this.#time.now()) {
        this.expire(first);
        continue;
      }
      const victim = this.#lru.oldest;
      if (!this.#evict || victim === undefined || victim === kept) return false;
      this.#stats.evictions++;
      if ((victim.marks & FETCHED) === 0) this.#stats.evictedUnfetched++;
      this.remove(victim);
    } while (this.usedBytes + bytes > this.#maxBytes);
    return true;
  }
}
