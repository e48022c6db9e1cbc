import { LONGEST_TIMER, type Clock, type Timer } from '../../runtime/clock';
import type { Item } from './item';
import type { StoreTime } from './time';

/**
 * The items that will expire, soonest first: a binary heap in which every item knows its place. When an item is overwritten,
 * touched or deleted its entry is updated or removed, so that no stale entry can expire the wrong value.
 */
export class DeadlineHeap {
  readonly #items: Item[] = [];

  get size(): number {
    return this.#items.length;
  }

  /** The item that expires first. */
  get first(): Item | undefined {
    return this.#items[0];
  }

  /** Puts the item where `item.deadline` belongs, whether or not it was in the heap. */
  update(item: Item): void {
    if (item.deadline === 0) {
      this.remove(item);
    } else if (item.heapIndex < 0) {
      this.#items.push(item);
      this.#rise(item, this.#items.length - 1);
    } else {
      this.#settle(item, item.heapIndex);
    }
  }

  /** Removes the item, if it is there. */
  remove(item: Item): void {
    const index = item.heapIndex;
    if (index < 0) return;
    item.heapIndex = -1;
    const last = this.#items.pop();
    if (last !== undefined && last !== item) this.#settle(last, index);
  }

  clear(): void {
    this.#items.length = 0;
  }

  /** Puts `item` into the hole at `index`, and moves it to where it belongs. */
  #settle(item: Item, index: number): void {
    const parent = index === 0 ? undefined : this.#items[(index - 1) >> 1];
    if (parent !== undefined && parent.deadline > item.deadline) this.#rise(item, index);
    else this.#sink(item, index);
  }

  #rise(item: Item, index: number): void {
    const items = this.#items;
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = items[above];
      if (parent === undefined || parent.deadline <= item.deadline) break;
      items[index] = parent;
      parent.heapIndex = index;
      index = above;
    }
    items[index] = item;
    item.heapIndex = index;
  }

  #sink(item: Item, index: number): void {
    const items = this.#items;
    for (;;) {
      let below = 2 * index + 1;
      let child = items[below];
      const right = items[below + 1];
      if (child !== undefined && right !== undefined && right.deadline < child.deadline) {
        child = right;
        below++;
      }
      if (child === undefined || child.deadline >= item.deadline) break;
      items[index] = child;
      child.heapIndex = index;
      index = below;
    }
    items[index] = item;
    item.heapIndex = index;
  }
}

/** The least time between two searches for expired items, in milliseconds. */
export const LEAST_PAUSE = 100;

/** The time between two searches when the first has not removed all, in milliseconds. */
export const SLICE_PAUSE = 1;

/** One timer for whichever item expires next. It never keeps the process alive. */
export class Alarm {
  readonly #clock: Clock;
  readonly #time: StoreTime;
  readonly #onTime: () => void;
  #timer: Timer | undefined;
  /** When the timer fires, in the store's time. */
  #at = 0;
  #closed = false;

  constructor(clock: Clock, time: StoreTime, onTime: () => void) {
    this.#clock = clock;
    this.#time = time;
    this.#onTime = onTime;
  }

  /** Sets the alarm to ring by `deadline`, but not before `pause` milliseconds have passed since it was set first. */
  set(deadline: number, pause: number): void {
    if (this.#closed || this.#ringsBy(deadline)) return;
    const now = this.#time.now();
    const delay = Math.min(Math.max(deadline - now, pause), LONGEST_TIMER);
    // Whoever sets it for what is due already must not put it off: under steady writes it would never ring.
    if (this.#ringsBy(now + delay)) return;
    this.#timer?.close();
    this.#at = now + delay;
    this.#timer = this.#clock.setTimeout(() => {
      this.#timer = undefined;
      this.#onTime();
    }, delay);
    this.#timer.unref();
  }

  #ringsBy(time: number): boolean {
    return this.#timer !== undefined && this.#at <= time && this.#timer.isLost !== true;
  }

  /** Stops the alarm for good. */
  close(): void {
    this.#closed = true;
    this.#timer?.close();
    this.#timer = undefined;
  }
}
