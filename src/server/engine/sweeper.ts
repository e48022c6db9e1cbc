import type { Clock } from '../../runtime/clock';
import { Alarm, LEAST_PAUSE, SLICE_PAUSE } from './expiry';
import type { ItemTable } from './item-table';
import type { StoreTime } from './time';
import { ITEMS_PER_TURN } from './turn';

/** A timer would keep a store that nobody has any more, with all that is in it, until its last item has expired: months, perhaps. */
const abandoned = new FinalizationRegistry<Alarm>((alarm) => {
  alarm.close();
});

/** Removes from a table what has had its time: items that have expired, and everything when a delayed flush is due. Its timer keeps neither the process alive nor the table. */
export class Sweeper {
  readonly #items: ItemTable;
  readonly #time: StoreTime;
  readonly #alarm: Alarm;
  #flushAt = 0;

  constructor(clock: Clock, time: StoreTime, items: ItemTable) {
    this.#items = items;
    this.#time = time;
    const reference = new WeakRef(this);
    this.#alarm = new Alarm(clock, time, () => {
      const sweeper = reference.deref();
      if (sweeper !== undefined) sweeper.#sweep();
    });
    abandoned.register(this, this.#alarm);
  }

  /** When everything is to be removed, in the store's time; 0 for never. */
  get flushAt(): number {
    return this.#flushAt;
  }

  set flushAt(time: number) {
    this.#flushAt = time;
    this.schedule();
  }

  /** Removes everything at once; a flush that was to come is no more. */
  flush(): void {
    this.#flushAt = 0;
    this.#items.clear();
  }

  /** Whether the delayed flush is due: then nothing is there any more. */
  get isFlushDue(): boolean {
    return this.#flushAt !== 0 && this.#time.now() >= this.#flushAt;
  }

  /** To be called before anything is looked for: the timer may be late. */
  flushWhenDue(): void {
    if (this.isFlushDue) this.flush();
  }

  /** To be called when a deadline has changed. */
  schedule(pause = LEAST_PAUSE): void {
    let next = this.#items.firstDeadline;
    if (this.#flushAt !== 0 && (next === 0 || this.#flushAt < next)) next = this.#flushAt;
    if (next !== 0) this.#alarm.set(next, pause);
  }

  /** Stops the timer for good. */
  close(): void {
    this.#alarm.close();
  }

  #sweep(): void {
    this.flushWhenDue();
    this.schedule(this.#items.expireDue(ITEMS_PER_TURN) ? LEAST_PAUSE : SLICE_PAUSE);
  }
}
