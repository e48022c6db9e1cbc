/** Limits how many loads run at once, and how many wait for their turn. */
export class Slots {
  readonly #limit: number;
  readonly #maxQueued: number;
  readonly #queue: (() => void)[] = [];
  #head = 0;
  #used = 0;

  constructor(limit: number, maxQueued: number) {
    this.#limit = limit;
    this.#maxQueued = maxQueued;
  }

  get used(): number {
    return this.#used;
  }

  get queued(): number {
    return this.#queue.length - this.#head;
  }

  get free(): boolean {
    return this.#used < this.#limit;
  }

  /** Takes a place at once; false when there is none. */
  take(): boolean {
    if (!this.free) return false;
    this.#used++;
    return true;
  }

  /** Waits for a place, which must be given back; undefined when too many wait already. */
  wait(): Promise<void> | undefined {
    if (this.queued >= this.#maxQueued) return undefined;
    return new Promise((resolve) => {
      this.#queue.push(resolve);
    });
  }

  give(): void {
    const next = this.#queue[this.#head];
    if (next === undefined) {
      this.#used--;
      return;
    }
    this.#head++;
    if (this.#head > 1000 && this.#head * 2 > this.#queue.length) {
      this.#queue.splice(0, this.#head);
      this.#head = 0;
    }
    next();
  }
}
