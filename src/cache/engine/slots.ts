/** A place in the queue for a load. */
export interface Turn {
  /** Resolves when there is a place among the loads, which must be given back. */
  readonly come: Promise<void>;
  /** It is not waited for any more. */
  leave(): void;
}

/** Where loads take their places. */
export interface Seats {
  /** Takes a place at once; false when there is none. */
  take(): boolean;
  /** Waits for a place; undefined when too many wait already. */
  wait(): Turn | undefined;
  give(): void;
}

/** Limits how many loads run at once, and how many wait for their turn. */
export class Slots implements Seats {
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

  take(): boolean {
    if (!this.free) return false;
    this.#used++;
    return true;
  }

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

/** One place for loads that run together: the first of them takes it, or waits for it with the others, and the last gives it back. */
export class SharedSlot implements Seats {
  readonly #slots: Slots;
  /** How many have the place. */
  #holders = 0;
  /** Those that wait for it. */
  readonly #waiting = new Set<() => void>();
  #turn: Turn | undefined;

  constructor(slots: Slots) {
    this.#slots = slots;
  }

  take(): boolean {
    if (this.#holders === 0 && !this.#slots.take()) return false;
    this.#holders++;
    return true;
  }

  wait(): Turn | undefined {
    if (this.#turn === undefined) {
      this.#turn = this.#slots.wait();
      if (this.#turn === undefined) return undefined;
      void this.#turn.come.then(() => { this.#come(); });
    }
    let begin: () => void = () => undefined;
    const come = new Promise<void>((resolve) => {
      begin = resolve;
    });
    this.#waiting.add(begin);
    return {
      come,
      leave: () => {
        if (!this.#waiting.delete(begin) || this.#waiting.size > 0) return;
        this.#turn?.leave();
        this.#turn = undefined;
      },
    };
  }

  give(): void {
    if (--this.#holders === 0) this.#slots.give();
  }

  #come(): void {
    this.#turn = undefined;
    // All have left in this very moment, or another place was taken.
    if (this.#waiting.size === 0 || this.#holders > 0) this.#slots.give();
    this.#holders += this.#waiting.size;
    for (const begin of this.#waiting) begin();
    this.#waiting.clear();
  }
}
