/** A place in the queue for a load. */
export interface Turn {
  /** Resolves when there is a place among the loads, which must be given back. */
  readonly come: Promise<void>;
  /** It is not waited for any more. */
  leave(): void;
}

/** Limits how many loads run at once, and how many wait for their turn. */
export class Slots {
  readonly #limit: number;
  readonly #maxQueued: number;
  /** In the order in which they came. */
  readonly #queue = new Set<() => void>();
  #used = 0;

  constructor(limit: number, maxQueued: number) {
    this.#limit = limit;
    this.#maxQueued = maxQueued;
  }

  get used(): number {
    return this.#used;
  }

  get queued(): number {
    return this.#queue.size;
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

  /** Waits for a place; undefined when too many wait already. */
  wait(): Turn | undefined {
    if (this.queued >= this.#maxQueued) return undefined;
    let begin: () => void = () => undefined;
    const come = new Promise<void>((resolve) => {
      begin = resolve;
    });
    this.#queue.add(begin);
    return { come, leave: () => this.#queue.delete(begin) };
  }

  give(): void {
    for (const next of this.#queue) {
      this.#queue.delete(next);
      next();
      return;
    }
    this.#used--;
  }
}
