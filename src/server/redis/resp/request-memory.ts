/** One that holds a part of a request until the rest arrives. */
export interface RequestHolder {
  /** Lets go of it, and ends the connection. */
  drop(): void;
}

/** Less than this is not counted: every client may hold it, in bytes. */
const UNCOUNTED = 32 * 1024;

/**
 * What unfinished requests of all clients take together. When that is too much the largest has to go, so that nobody
 * can take the room of those who ask for little.
 */
export class RequestMemory {
  readonly #limit: number;
  readonly #held = new Map<RequestHolder, number>();
  #total = 0;

  /** @param limit in bytes */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The bytes counted. */
  get total(): number {
    return this.#total;
  }

  /** Notes that `holder` now holds so many bytes, and drops the largest holder when the limit is passed. */
  hold(holder: RequestHolder, bytes: number): void {
    if (bytes <= UNCOUNTED) return;
    this.#total += bytes - (this.#held.get(holder) ?? 0);
    this.#held.set(holder, bytes);
    if (this.#total <= this.#limit) return;
    let largest = holder;
    for (const [other, size] of this.#held) if (size > (this.#held.get(largest) ?? 0)) largest = other;
    largest.drop();
  }

  /** Notes that `holder` holds nothing. */
  release(holder: RequestHolder): void {
    const bytes = this.#held.get(holder);
    if (bytes === undefined) return;
    this.#held.delete(holder);
    this.#total -= bytes;
  }
}
