import { option, settingsOf } from '../../options/option';
import { objectWith } from '../../options/rule';
import type { Clock } from '../../runtime/clock';
import { UNSIGNED, type Arithmetic } from './counter';
import { Alarm, DeadlineHeap, LEAST_PAUSE, SLICE_PAUSE } from './expiry';
import {
  BINARY_KEY,
  FETCHED,
  Item,
  MARKS,
  PADDED,
  STALE,
  WON,
  itemSize,
  joinValues,
  sizeOf,
  textValue,
  valueText,
  type Cas,
  type StoredValue,
} from './item';
import { KeyIndex } from './key-index';
import { LruList } from './lru';
import { STORE_OPTIONS, type MemoryStoreOptions } from './options';
import { StoreStats, type StoreOutcome } from './stats';
import { StoreTime } from './time';
import { ItemWalk } from './walk';

/** How {@link MemoryStore.store} treats an existing item. */
export type StoreMode = 'set' | 'add' | 'replace' | 'append' | 'prepend' | 'cas';

/** The outcome of a {@link MemoryStore.count}; `number` is the new count in decimal. */
export type CountOutcome =
  | { readonly outcome: 'counted'; readonly number: string; readonly item: Item }
  | { readonly outcome: 'notFound' | 'exists' | 'notANumber' | 'overflow' | 'noMemory' };

/** Who wants to know whether keys have changed. */
export interface Watcher {
  /** Set by the store. */
  changed: boolean;
}

/** Further parameters of a {@link MemoryStore.store}. */
export interface StoreRequest {
  /** The cas that the item must have; 0 for any. */
  readonly cas: Cas;
  /** Whether an older `cas` is accepted too; the item is then marked stale. */
  readonly orStale: boolean;
  /** Whether the key came in base64. */
  readonly binaryKey: boolean;
  /** The new cas of the item, when it is not to be the store's next; 0 means the store's next too. */
  readonly newCas?: Cas | undefined;
}

const PLAIN: StoreRequest = { cas: 0, orStale: false, binaryKey: false };

/** Memory that an item takes beyond {@link itemSize}: its object, its place in the map, the heads of its strings. */
const ITEM_OVERHEAD = 152;

/** How many expired items are removed in one go, before other work gets its turn. */
const EXPIRY_SLICE = 1000;

const MAX_INT32 = 2 ** 31 - 1;

/** A timer would keep a store that nobody has any more, with all that is in it, until its last item has expired: months, perhaps. */
const abandoned = new FinalizationRegistry<Alarm>((alarm) => {
  alarm.close();
});

/** Stamps of walks repeat after this many walks, by which time no item carries an old one. */
const WALK_STAMPS = 2 ** 26;

/**
 * Items in memory: a map, a limit with eviction in the order of use, and expiry, both when an expired item is asked for and by
 * a timer, which keeps neither the process alive nor the store. It knows nothing of sockets or protocols, and every operation is complete when
 * its call returns.
 */
export class MemoryStore {
  /** What was counted so far. */
  readonly stats = new StoreStats();
  readonly maxItemSize: number;
  readonly evict: boolean;
  readonly cas: boolean;
  readonly clock: Clock;
  #items = new KeyIndex();
  readonly #lru = new LruList();
  readonly #deadlines = new DeadlineHeap();
  readonly #time: StoreTime;
  readonly #alarm: Alarm;
  #maxBytes: number;
  #bytes = 0;
  /** As in memcached, the first item gets 2. */
  #lastCas = 1;
  /** When everything is to be removed, by a delayed `flush_all`; 0 for never. */
  #flushAt = 0;
  #changes = 0;
  #lastStored: Item | undefined;
  #walk: ItemWalk | undefined;
  /** Who watches which key. */
  readonly #watchers = new Map<string, Set<Watcher>>();
  /** The stamp of the last walk, which new items carry too. */
  #stamp = 0;

  /** @throws MemcacheIllegalInputError naming the option that is not legal */
  constructor(options: MemoryStoreOptions = {}) {
    const { clock, maxItemSize, evict, cas, maxBytes } = settingsOf(STORE_OPTIONS, options);
    this.clock = clock;
    this.maxItemSize = maxItemSize;
    this.evict = evict;
    this.cas = cas;
    this.#maxBytes = maxBytes;
    this.#time = new StoreTime(this.clock);
    const reference = new WeakRef(this);
    this.#alarm = new Alarm(this.clock, this.#time, () => {
      const store = reference.deref();
      if (store !== undefined) store.#sweep();
    });
    abandoned.register(this, this.#alarm);
  }

  /** How many items there are, including expired ones that were not removed yet. */
  get size(): number {
    return this.#items.size;
  }

  /** How many of them have a deadline. */
  get expiring(): number {
    return this.#deadlines.size;
  }

  /** The bytes of all items by memcached's measure. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What counts towards the limit: {@link bytes}, and the real overhead of each item. */
  get usedBytes(): number {
    return this.#bytes + this.#items.size * ITEM_OVERHEAD;
  }

  get maxBytes(): number {
    return this.#maxBytes;
  }

  /** A lower limit takes effect at once. */
  set maxBytes(limit: number) {
    this.#maxBytes = limit;
    if (this.evict) this.#makeRoom(0);
  }

  /** The last cas number that was used for a change, or for a store that was refused. */
  get lastCas(): number {
    return this.#lastCas;
  }

  /** The item that was stored last, until it is removed. */
  get lastStored(): Item | undefined {
    return this.#lastStored;
  }

  /** How many changes there were that a snapshot would show. */
  get changes(): number {
    return this.#changes;
  }

  /** When everything is to be removed, in the store's time; 0 for never. */
  get flushAt(): number {
    return this.#flushAt;
  }

  /** The beginning of the store's time, in milliseconds since 1970: added to a deadline it gives a time of the wall clock. */
  get epoch(): number {
    return this.#time.epoch();
  }

  /** Begins a turn, in which time stands still; it must end before anybody waits for anything. */
  beginTurn(): void {
    this.#time.beginTurn();
  }

  endTurn(): void {
    this.#time.endTurn();
  }

  /** The store's time, in whole milliseconds. */
  now(): number {
    return this.#time.now();
  }

  /**
   * The deadline that `exptime` means: 0 never, negative at once, up to 30 days from now, beyond that a Unix time.
   *
   * @param exptime in seconds
   * @returns the store's time in milliseconds, 0 for never
   */
  deadline(exptime: number): number {
    return this.#time.deadline(exptime);
  }

  /**
   * Whole seconds until `item` expires, as memcached reports them: below 0 they wrap at 32 bits; -1 for never. A deadline further
   * away than memcached can say is one of 2^31 - 1 seconds: wrapped, it might seem to be near.
   */
  secondsLeft(item: Item): number {
    return item.deadline === 0 ? -1 : Math.min(this.#time.secondsUntil(item.deadline), MAX_INT32) >>> 0;
  }

  /** Whether `item` expires before `deadline`, in whole seconds from now; never true for an item that stays. */
  expiresBefore(item: Item, deadline: number): boolean {
    return item.deadline !== 0 && this.#time.secondsUntil(item.deadline) < this.#time.secondsUntil(deadline);
  }

  /** Whole seconds since `item` was last used. */
  secondsIdle(item: Item): number {
    return this.#time.seconds() - item.accessed;
  }

  /** The key `buffer[start, end)` as a string, to look for its item: none is made where there is such an item. */
  keyOf(buffer: Buffer, start: number, end: number): string {
    return this.#items.keyOf(buffer, start, end);
  }

  /** The item; does not count as a use of it. */
  find(key: string): Item | undefined {
    this.#clearWhenDue();
    const item = this.#items.get(key);
    if (item === undefined) return undefined;
    if (item.deadline !== 0 && item.deadline <= this.#time.now()) {
      this.stats.getExpired++;
      this.#expire(item);
      return undefined;
    }
    return item;
  }

  /** The item, for a listing: nothing is counted, and one that has expired stays where it is. */
  peek(key: string): Item | undefined {
    this.#clearWhenDue();
    const item = this.#items.get(key);
    return item === undefined || (item.deadline !== 0 && item.deadline <= this.#time.now()) ? undefined : item;
  }

  /** The item; counts as a use of it. */
  fetch(key: string): Item | undefined {
    const item = this.find(key);
    if (item !== undefined) this.use(item);
    return item;
  }

  /** Marks an item of this store as fetched and most recently used. */
  use(item: Item): void {
    // As in memcached, the first fetch does not move the time of last access.
    if ((item.marks & FETCHED) === 0) item.marks |= FETCHED;
    else item.accessed = this.#time.seconds();
    this.#lru.bump(item);
  }

  /** Every item that has not expired, oldest use first; the store must not change meanwhile. */
  *items(): IterableIterator<Item> {
    const now = this.#time.now();
    if (this.#flushAt !== 0 && now >= this.#flushAt) return;
    for (let item = this.#lru.oldest; item !== undefined; item = item.newer) {
      if (item.deadline === 0 || item.deadline > now) yield item;
    }
  }

  /**
   * Begins a walk over all items, which shows them as they are now while the store goes on changing.
   *
   * @throws Error when another walk is under way
   */
  beginWalk(): ItemWalk {
    if (this.#walk !== undefined) throw new Error('a walk over the items of this store is under way already');
    this.#clearWhenDue();
    this.#stamp = ((this.#stamp / (MARKS + 1) + 1) % WALK_STAMPS) * (MARKS + 1);
    this.#walk = new ItemWalk(this.#items, this.#time, this.#stamp);
    return this.#walk;
  }

  /** Ends the walk, finished or not. */
  endWalk(): void {
    this.#walk = undefined;
  }

  /**
   * Continues an earlier store: from now on cas numbers are above `lastCas`.
   *
   * @param flushAt as {@link flushAt}
   */
  resume(lastCas: number, flushAt: number): void {
    if (this.cas) this.#lastCas = Math.max(this.#lastCas, lastCas);
    this.#flushAt = flushAt;
    this.#schedule();
  }

  /**
   * Adds an item of an earlier store, with its own cas and time of last access, as the one that was used last.
   *
   * @returns false when the item is too large, its key is there already, or there is no room
   */
  restore(item: Item): boolean {
    const size = sizeOf(item, this.cas);
    if (size > this.maxItemSize || this.#items.get(item.key) !== undefined || !this.#add(item, size)) return false;
    if (!this.cas || item.cas === 0) item.cas = this.#nextCas();
    this.#deadlines.update(item);
    this.#schedule();
    return true;
  }

  /**
   * Stores a value.
   *
   * @param deadline as from {@link deadline}; `append` and `prepend` keep the item's own deadline and flags
   */
  store(
    mode: StoreMode,
    key: string,
    value: StoredValue,
    flags: number,
    deadline: number,
    request: StoreRequest = PLAIN,
  ): StoreOutcome {
    if (itemSize(key.length, value.length, flags, this.cas) > this.maxItemSize) return this.rejectTooLarge(mode, key);
    const outcome = this.#put(mode, key, value, flags, deadline, request);
    if (outcome === 'stored') return outcome;
    // As in memcached, a refused store uses up a number too.
    this.#casFor(request.newCas);
    // A set that failed must not leave the value that it was to replace.
    if (outcome === 'noMemory') {
      this.stats.storeNoMemory++;
      if (mode === 'set') this.delete(key);
    }
    return outcome;
  }

  /** Counts a value that is too large to be stored, or even to be read; a `set` also deletes the old value. */
  rejectTooLarge(mode: StoreMode, key: string): 'tooLarge' {
    this.stats.storeTooLarge++;
    if (mode === 'set') this.delete(key);
    return 'tooLarge';
  }

  /** Creates an item where {@link find} has just found none; `undefined` when there is no room. */
  create(key: string, value: StoredValue, deadline: number, binaryKey: boolean, newCas?: Cas): Item | undefined {
    return this.#insert(key, value, 0, deadline, binaryKey ? BINARY_KEY : 0, newCas);
  }

  /** Sets an item's deadline, as from {@link deadline}. */
  setDeadline(item: Item, deadline: number): void {
    this.#announce(item);
    item.deadline = deadline;
    this.#deadlines.update(item);
    this.#schedule();
  }

  /** Marks an item as stale, so that the next reader wins the right to refill it, and gives it a new cas. */
  invalidate(item: Item, newCas?: Cas): void {
    this.#announce(item);
    item.marks = (item.marks | STALE) & ~WON;
    item.cas = this.#casFor(newCas);
  }

  /** Gives an item a cas of the caller's choice; 0 leaves it as it is. */
  setCas(item: Item, cas: Cas): void {
    if (!this.cas || cas === 0) return;
    this.#announce(item);
    item.cas = cas;
  }

  /** Marks an item as won: a reader has been told to refill it. */
  win(item: Item): void {
    item.marks |= WON;
  }

  /** Deletes an item; returns whether it was there. */
  delete(key: string): boolean {
    const item = this.find(key);
    if (item !== undefined) this.#remove(item);
    return item !== undefined;
  }

  /**
   * Adds to or subtracts from a decimal number. By memcached's arithmetic the value never gets shorter: it is padded with
   * whitespace.
   *
   * @param cas the cas that the item must have; 0 for any
   */
  count(key: string, up: boolean, delta: bigint, cas: Cas, arithmetic: Arithmetic = UNSIGNED): CountOutcome {
    const item = this.find(key);
    if (item === undefined) return { outcome: 'notFound' };
    const { length } = item.value;
    if (length === 0) return { outcome: 'notANumber' };
    if (cas !== 0 && cas !== item.cas) return { outcome: 'exists' };
    const changed = arithmetic.change(valueText(item.value), up, delta, (item.marks & PADDED) !== 0);
    if (typeof changed === 'string') return { outcome: changed };
    const number = changed.toString();
    const value = arithmetic.pads ? number.padEnd(length) : number;
    const growth = value.length - length;
    this.#lru.bump(item);
    if (growth > 0 && !this.#makeRoom(growth, item)) return { outcome: 'noMemory' };
    this.#announce(item);
    if (growth > 0) {
      // In memcached a longer number is a new item.
      item.marks &= ~(FETCHED | STALE | WON);
      item.accessed = this.#time.seconds();
      this.stats.totalItems++;
    }
    item.value = textValue(value);
    item.marks = value === number ? item.marks & ~PADDED : item.marks | PADDED;
    this.#bytes += growth;
    item.cas = this.#nextCas();
    return { outcome: 'counted', number, item };
  }

  /**
   * Removes everything, now or at a later time; a later call replaces one that has not taken effect yet.
   *
   * @param delay in seconds, read like an exptime; 0 or less for now
   */
  flushAll(delay = 0): void {
    this.#flushAt = 0;
    if (delay > 0) {
      this.#changes++;
      this.#flushAt = this.deadline(delay);
      this.#schedule();
    } else {
      this.#clear();
    }
  }

  /** Tells `watcher` from now on that the item of `key` was changed, added or removed. */
  watch(key: string, watcher: Watcher): void {
    const watchers = this.#watchers.get(key);
    if (watchers === undefined) this.#watchers.set(key, new Set([watcher]));
    else watchers.add(watcher);
  }

  /** Tells it no more. */
  unwatch(key: string, watcher: Watcher): void {
    const watchers = this.#watchers.get(key);
    watchers?.delete(watcher);
    if (watchers?.size === 0) this.#watchers.delete(key);
  }

  /** Stops the timer for good. The items can still be read, and expire when they are asked for. */
  close(): void {
    this.#alarm.close();
  }

  #put(
    mode: StoreMode,
    key: string,
    value: StoredValue,
    flags: number,
    deadline: number,
    request: StoreRequest,
  ): StoreOutcome {
    const marks = request.binaryKey ? BINARY_KEY : 0;
    const old = this.find(key);
    if (old === undefined) {
      if (mode === 'cas') return 'notFound';
      if (mode !== 'set' && mode !== 'add') return 'notStored';
      return this.#insert(key, value, flags, deadline, marks, request.newCas) === undefined ? 'noMemory' : 'stored';
    }
    switch (mode) {
      case 'add':
        this.#lru.bump(old);
        return 'notStored';
      case 'cas':
        if (request.cas === 0 || request.cas !== old.cas) {
          if (!request.orStale || request.cas === 0 || request.cas > old.cas) return 'exists';
          return this.#replace(old, value, flags, old.deadline, marks | STALE | (old.marks & WON), request.newCas);
        }
        return this.#replace(old, value, flags, deadline, marks, request.newCas);
      case 'append':
      case 'prepend': {
        if (request.cas !== 0 && request.cas !== old.cas) return 'exists';
        const size = itemSize(key.length, old.value.length + value.length, old.flags, this.cas);
        if (size > this.maxItemSize) return 'notStored';
        const joined = mode === 'append' ? joinValues(old.value, value) : joinValues(value, old.value);
        const outcome = this.#replace(old, joined, old.flags, old.deadline, marks | (old.marks & BINARY_KEY), request.newCas);
        return outcome === 'stored' ? 'stored' : 'notStored';
      }
      default:
        return this.#replace(old, value, flags, deadline, marks, request.newCas);
    }
  }

  #insert(
    key: string,
    value: StoredValue,
    flags: number,
    deadline: number,
    marks: number,
    newCas: Cas | undefined,
  ): Item | undefined {
    const size = itemSize(key.length, value.length, flags, this.cas);
    const item = new Item(key, value, flags, deadline, marks);
    if (!this.#add(item, size)) return undefined;
    this.#changes++;
    this.#tell(key);
    this.#stored(item, newCas);
    return item;
  }

  /** Adds a new item, if there is room. */
  #add(item: Item, size: number): boolean {
    if (!this.#makeRoom(size + ITEM_OVERHEAD)) return false;
    item.marks |= this.#stamp;
    this.#items.add(item);
    this.#lru.add(item);
    this.#bytes += size;
    return true;
  }

  /** Gives an existing item a new value. On failure it keeps the old one. */
  #replace(
    item: Item,
    value: StoredValue,
    flags: number,
    deadline: number,
    marks: number,
    newCas: Cas | undefined,
  ): StoreOutcome {
    const growth = itemSize(item.key.length, value.length, flags, this.cas) - sizeOf(item, this.cas);
    this.#lru.bump(item);
    if (growth > 0 && !this.#makeRoom(growth, item)) return 'noMemory';
    this.#announce(item);
    item.value = value;
    item.flags = flags;
    item.deadline = deadline;
    item.marks = marks | (item.marks & ~MARKS);
    this.#bytes += growth;
    this.#stored(item, newCas);
    return 'stored';
  }

  #stored(item: Item, newCas: Cas | undefined): void {
    this.#lastStored = item;
    item.cas = this.#casFor(newCas);
    item.accessed = this.#time.seconds();
    this.stats.totalItems++;
    if (item.deadline !== 0 || item.heapIndex >= 0) {
      this.#deadlines.update(item);
      this.#schedule();
    }
  }

  #casFor(newCas: Cas | undefined): Cas {
    return newCas === undefined || newCas === 0 || !this.cas ? this.#nextCas() : newCas;
  }

  #nextCas(): number {
    return this.cas ? ++this.#lastCas : 0;
  }

  /** Frees memory until `bytes` more fit, expired items first; never removes `kept`, which must be the one used last. */
  #makeRoom(bytes: number, kept?: Item): boolean {
    if (this.usedBytes + bytes <= this.#maxBytes) return true;
    // For what cannot fit nothing else must go.
    const own = kept === undefined ? 0 : itemSize(kept.key.length, kept.value.length, kept.flags, this.cas) + ITEM_OVERHEAD;
    if (own + bytes > this.#maxBytes) return false;
    while (this.usedBytes + bytes > this.#maxBytes) {
      const first = this.#deadlines.first;
      if (first !== undefined && first !== kept && first.deadline <= this.#time.now()) {
        this.#expire(first);
        continue;
      }
      const victim = this.#lru.oldest;
      if (!this.evict || victim === undefined || victim === kept) return false;
      this.stats.evictions++;
      if ((victim.marks & FETCHED) === 0) this.stats.evictedUnfetched++;
      this.#remove(victim);
    }
    return true;
  }

  /** To be called before every change of an item that a snapshot would show. */
  #announce(item: Item): void {
    this.#changes++;
    this.#walk?.announce(item);
    this.#tell(item.key);
  }

  #tell(key: string): void {
    if (this.#watchers.size === 0) return;
    for (const watcher of this.#watchers.get(key) ?? []) watcher.changed = true;
  }

  #expire(item: Item): void {
    this.stats.reclaimed++;
    if ((item.marks & FETCHED) === 0) this.stats.expiredUnfetched++;
    this.#remove(item);
  }

  #remove(item: Item): void {
    this.#announce(item);
    if (item === this.#lastStored) this.#lastStored = undefined;
    this.#items.remove(item);
    this.#lru.remove(item);
    this.#deadlines.remove(item);
    this.#bytes -= sizeOf(item, this.cas);
  }

  #clearWhenDue(): void {
    if (this.#flushAt !== 0 && this.#time.now() >= this.#flushAt) this.#clear();
  }

  #clear(): void {
    this.#changes++;
    this.#flushAt = 0;
    this.stats.reclaimed += this.#items.size;
    this.#lastStored = undefined;
    for (const key of this.#watchers.keys()) if (this.#items.get(key) !== undefined) this.#tell(key);
    // Replaced, not cleared: a walk may be under way through the old one.
    this.#items = new KeyIndex();
    this.#lru.clear();
    this.#deadlines.clear();
    this.#bytes = 0;
  }

  /** Sets the alarm for the next item that expires. */
  #schedule(pause = LEAST_PAUSE): void {
    let next = this.#deadlines.first?.deadline ?? 0;
    if (this.#flushAt !== 0 && (next === 0 || this.#flushAt < next)) next = this.#flushAt;
    if (next !== 0) this.#alarm.set(next, pause);
  }

  #sweep(): void {
    const now = this.#time.now();
    this.#clearWhenDue();
    let left = EXPIRY_SLICE;
    for (; left > 0; left--) {
      const item = this.#deadlines.first;
      if (item === undefined || item.deadline > now) break;
      this.#expire(item);
    }
    this.#schedule(left === 0 ? SLICE_PAUSE : LEAST_PAUSE);
  }
}

/** A store given as an option. Not checked by its class: the caller may have loaded another copy of this package. */
export const STORE = option(objectWith<MemoryStore>('a MemoryStore', 'store', 'count', 'beginWalk', 'close'));
