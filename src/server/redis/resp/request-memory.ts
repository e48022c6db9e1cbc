/** Holds what a client has sent until it can be used: a part of a request until the rest arrives, a request until EXEC. */
export interface RequestHolder {
  /** Drops it, and releases its memory. */
  drop(): void;
}

/** Up to this many bytes are not counted: every client may hold that much. */
const UNCOUNTED = 32 * 1024;

/**
 * The memory of what all clients together have sent and cannot be used yet. When it exceeds the limit the largest one is dropped, so that
 * no client can crowd out those with small requests.
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

  /** Notes that `holder` now holds `bytes` bytes, and drops the largest holder when the limit is exceeded. */
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
