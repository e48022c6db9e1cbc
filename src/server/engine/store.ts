import { option, settingsOf } from '../../options/option';
import { objectWith } from '../../options/rule';
import type { Clock } from '../../runtime/clock';
import { CasNumbers } from './cas-numbers';
import { Changes, type Watcher } from './changes';
import { UNSIGNED, type Arithmetic } from './counter';
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
  paddedValue,
  sizeOf,
  textValue,
  valueText,
  type Cas,
  type StoredValue,
} from './item';
import { ItemTable } from './item-table';
import { STORE_OPTIONS, type MemoryStoreOptions } from './options';
import { PLAIN, type CountOutcome, type StoreMode, type StoreOutcome, type StoreRequest } from './outcomes';
import { StoreStats } from './stats';
import { Sweeper } from './sweeper';
import { StoreTime } from './time';
import type { ItemWalk } from './walk';

const MAX_INT32 = 2 ** 31 - 1;

/**
 * Items in memory, within a limit with eviction in the order of use, and with expiry, both when an expired item is asked for and by
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
  readonly #time: StoreTime;
  readonly #changes = new Changes();
  readonly #items: ItemTable;
  readonly #casNumbers: CasNumbers;
  readonly #sweeper: Sweeper;

  /** @throws MemcacheIllegalInputError naming the option that is not legal */
  constructor(options: MemoryStoreOptions = {}) {
    const settings = settingsOf(STORE_OPTIONS, options);
    const { clock, maxItemSize, evict, cas } = settings;
    this.clock = clock;
    this.maxItemSize = maxItemSize;
    this.evict = evict;
    this.cas = cas;
    this.#time = new StoreTime(clock);
    this.#items = new ItemTable(settings, this.#time, this.stats, this.#changes);
    this.#casNumbers = new CasNumbers(cas);
    this.#sweeper = new Sweeper(clock, this.#time, this.#items);
  }

  /** How many items there are, including expired ones that were not removed yet. */
  get size(): number {
    return this.#items.size;
  }

  /** How many of them have a deadline. */
  get expiring(): number {
    return this.#items.expiring;
  }

  /** The bytes of all items by memcached's measure. */
  get bytes(): number {
    return this.#items.bytes;
  }

  /** What counts towards the limit: {@link bytes}, and the real overhead of each item. */
  get usedBytes(): number {
    return this.#items.usedBytes;
  }

  get maxBytes(): number {
    return this.#items.maxBytes;
  }

  /** A lower limit takes effect at once. */
  set maxBytes(limit: number) {
    this.#items.maxBytes = limit;
  }

  /** The last cas number that was used for a change, or for a store that was refused. */
  get lastCas(): number {
    return this.#casNumbers.last;
  }

  /** The item that was stored last, until it is removed. */
  get lastStored(): Item | undefined {
    return this.#items.lastStored;
  }

  /** How many changes there were that a snapshot would show. */
  get changes(): number {
    return this.#changes.count;
  }

  /** When everything is to be removed, in the store's time; 0 for never. */
  get flushAt(): number {
    return this.#sweeper.flushAt;
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
    this.#sweeper.flushWhenDue();
    const item = this.#items.get(key);
    if (item === undefined) return undefined;
    if (item.deadline !== 0 && item.deadline <= this.#time.now()) {
      this.stats.getExpired++;
      this.#items.expire(item);
      return undefined;
    }
    return item;
  }

  /** The item, for a listing: nothing is counted, and one that has expired stays where it is. */
  peek(key: string): Item | undefined {
    this.#sweeper.flushWhenDue();
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
    this.#items.bump(item);
  }

  /** Every item that has not expired, oldest use first; the store must not change meanwhile. */
  *items(): IterableIterator<Item> {
    if (this.#sweeper.isFlushDue) return;
    const now = this.#time.now();
    for (let item = this.#items.oldest; item !== undefined; item = item.newer) {
      if (item.deadline === 0 || item.deadline > now) yield item;
    }
  }

  /**
   * Begins a walk over all items, which shows them as they are now while the store goes on changing.
   *
   * @throws Error when another walk is under way
   */
  beginWalk(): ItemWalk {
    this.#sweeper.flushWhenDue();
    return this.#items.beginWalk();
  }

  /** Ends the walk, finished or not. */
  endWalk(): void {
    this.#changes.endWalk();
  }

  /**
   * Continues an earlier store: from now on cas numbers are above `lastCas`.
   *
   * @param flushAt as {@link flushAt}
   */
  resume(lastCas: number, flushAt: number): void {
    this.#casNumbers.continueAbove(lastCas);
    this.#sweeper.flushAt = flushAt;
  }

  /**
   * Adds an item of an earlier store, with its own cas and time of last access, as the one that was used last.
   *
   * @returns false when the item is too large, its key is there already, or there is no room
   */
  restore(item: Item): boolean {
    if (sizeOf(item, this.cas) > this.maxItemSize || this.#items.get(item.key) !== undefined || !this.#items.add(item)) return false;
    if (!this.cas || item.cas === 0) item.cas = this.#casNumbers.next();
    this.#items.updateDeadline(item);
    this.#sweeper.schedule();
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
    this.#casNumbers.choose(request.newCas);
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
    this.#changes.announce(item);
    item.deadline = deadline;
    this.#items.updateDeadline(item);
    this.#sweeper.schedule();
  }

  /** Marks an item as stale, so that the next reader wins the right to refill it, and gives it a new cas. */
  invalidate(item: Item, newCas?: Cas): void {
    this.#changes.announce(item);
    item.marks = (item.marks | STALE) & ~WON;
    item.cas = this.#casNumbers.choose(newCas);
  }

  /** Gives an item a cas of the caller's choice; 0 leaves it as it is. */
  setCas(item: Item, cas: Cas): void {
    if (!this.cas || cas === 0) return;
    this.#changes.announce(item);
    item.cas = cas;
  }

  /** Marks an item as won: a reader has been told to refill it. */
  win(item: Item): void {
    item.marks |= WON;
  }

  /** Deletes an item; returns whether it was there. */
  delete(key: string): boolean {
    const item = this.find(key);
    if (item !== undefined) this.#items.remove(item);
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
    const isPadded = arithmetic.pads && number.length < length;
    const growth = isPadded ? 0 : number.length - length;
    if (!this.#items.resize(item, growth)) return { outcome: 'noMemory' };
    if (growth > 0) {
      // In memcached a longer number is a new item.
      item.marks &= ~(FETCHED | STALE | WON);
      item.accessed = this.#time.seconds();
      this.stats.totalItems++;
    }
    item.value = isPadded ? paddedValue(number, length) : textValue(number);
    item.marks = isPadded ? item.marks | PADDED : item.marks & ~PADDED;
    item.cas = this.#casNumbers.next();
    return { outcome: 'counted', number, item };
  }

  /**
   * Removes everything, now or at a later time; a later call replaces one that has not taken effect yet.
   *
   * @param delay in seconds, read like an exptime; 0 or less for now
   */
  flushAll(delay = 0): void {
    if (delay > 0) {
      this.#changes.announceOther();
      this.#sweeper.flushAt = this.deadline(delay);
    } else {
      this.#sweeper.flush();
    }
  }

  /** Tells `watcher` from now on that the item of `key` was changed, added or removed. */
  watch(key: string, watcher: Watcher): void {
    this.#changes.watch(key, watcher);
  }

  /** Tells it no more. */
  unwatch(key: string, watcher: Watcher): void {
    this.#changes.unwatch(key, watcher);
  }

  /** Stops the timer for good. The items can still be read, and expire when they are asked for. */
  close(): void {
    this.#sweeper.close();
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
        this.#items.bump(old);
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
    const item = new Item(key, value, flags, deadline, marks);
    if (!this.#items.add(item)) return undefined;
    this.#changes.announceNew(key);
    this.#stored(item, newCas);
    return item;
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
    if (!this.#items.resize(item, growth)) return 'noMemory';
    item.value = value;
    item.flags = flags;
    item.deadline = deadline;
    item.marks = marks | (item.marks & ~MARKS);
    this.#stored(item, newCas);
    return 'stored';
  }

  #stored(item: Item, newCas: Cas | undefined): void {
    this.#items.lastStored = item;
    item.cas = this.#casNumbers.choose(newCas);
    item.accessed = this.#time.seconds();
    this.stats.totalItems++;
    if (item.deadline !== 0 || item.heapIndex >= 0) {
      this.#items.updateDeadline(item);
      this.#sweeper.schedule();
    }
  }
}

/** A store given as an option. Not checked by its class: the caller may have loaded another copy of this package. */
export const STORE = option(objectWith<MemoryStore>('a MemoryStore', 'store', 'count', 'beginWalk', 'close'));
