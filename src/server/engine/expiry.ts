import type { Clock, Timer } from '../../runtime/clock';
import type { Item } from './item';
import type { StoreTime } from './time';

/**
 * The items that will expire, soonest first: a binary heap in which every item knows its place, so that an item that
 * is overwritten, touched or deleted takes its entry along and nothing is left behind to expire the wrong value.
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

  /** Makes the heap agree with `item.deadline`, whether or not the item was in it. */
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

  /** Takes the item out, if it is in. */
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

  /** Puts `item` into the hole at `index`, and on to where it belongs. */
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

/** The least time between two looks for expired items, in milliseconds. */
export const LEAST_PAUSE = 100;

/** The time between two looks when the first has left something to do, in milliseconds. */
export const SLICE_PAUSE = 1;

/** Timers cannot be longer, in milliseconds. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** One timer for the next thing to expire, whatever comes to be the next. It never keeps the process alive. */
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

  /** Rings at `deadline` at the latest, but not before `pause` milliseconds have passed. */
  set(deadline: number, pause: number): void {
    if (this.#closed) return;
    if (this.#timer !== undefined) {
      if (this.#at <= deadline && this.#timer.isLost !== true) return;
      this.#timer.close();
    }
    const now = this.#time.now();
    const delay = Math.min(Math.max(deadline - now, pause), LONGEST_TIMER);
    this.#at = now + delay;
    this.#timer = this.#clock.setTimeout(() => {
      this.#timer = undefined;
      this.#onTime();
    }, delay);
    this.#timer.unref();
  }

  /** Rings no more. */
  close(): void {
    this.#closed = true;
    this.#timer?.close();
    this.#timer = undefined;
  }
}
