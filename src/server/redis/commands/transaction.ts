import type { Item } from '../../engine/item';
import type { MemoryStore } from '../../engine/store';
import type { Request } from '../resp/request';

/** The most memory of the requests of one transaction, in bytes. */
const MAX_TRANSACTION = 16 * 1024 * 1024;

/** A request that waits for EXEC. */
interface Queued {
  readonly request: Request;
  readonly execute: () => unknown;
}

/** The requests of a client since MULTI. */
export class Transaction {
  readonly queued: Queued[] = [];
  /** Whether a request was refused: then EXEC executes nothing. */
  failed = false;
  #bytes = 0;

  /**
   * Keeps a copy of a request, as its memory is reused.
   *
   * @returns false when there is no room for it
   */
  add(request: Request, execute: () => unknown): boolean {
    this.#bytes += request.bytes;
    if (this.#bytes > MAX_TRANSACTION) return false;
    this.queued.push({ request: request.copy(), execute });
    return true;
  }
}

/** An item as it was at WATCH. */
interface Seen {
  readonly item: Item | undefined;
  readonly cas: Item['cas'] | undefined;
  /** A store without cas numbers shows a change by this alone. */
  readonly value: Item['value'] | undefined;
  readonly deadline: number | undefined;
}

/** Keys and their state at WATCH, which EXEC compares. */
export class Watch {
  readonly #seen = new Map<string, Seen>();

  add(key: string, store: MemoryStore): void {
    if (this.#seen.has(key)) return;
    const item = store.find(key);
    this.#seen.set(key, { item, cas: item?.cas, value: item?.value, deadline: item?.deadline });
  }

  /** Whether any of them was changed, added or removed. */
  hasChanged(store: MemoryStore): boolean {
    for (const [key, { item, cas, value, deadline }] of this.#seen) {
      const present = store.find(key);
      if (present !== item || present?.cas !== cas || present?.value !== value || present?.deadline !== deadline) return true;
    }
    return false;
  }

  clear(): void {
    this.#seen.clear();
  }
}
