import type { Item } from '../../engine/item';
import type { MemoryStore } from '../../engine/store';
import type { Request } from '../resp/request';

/** The most memory of the requests of one transaction, in bytes. */
const MAX_TRANSACTION = 16 * 1024 * 1024;

/** The most requests of one transaction: however short, each takes more than half a kilobyte. */
const MAX_REQUESTS = 100_000;

/** What an argument takes beside its bytes. */
const PLACE_SIZE = 16;

/** The most memory of the items that one client watches, in bytes: they stay in memory when the store has dropped them. */
const MAX_WATCHED = 64 * 1024 * 1024;

/** What an item that is watched takes beside its key and its value. */
const WATCH_OVERHEAD = 256;

/** A request that waits for EXEC. */
interface Queued {
  readonly request: Request;
  readonly execute: () => void;
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
   * @returns what is too much when there is no room for it
   */
  add(request: Request, execute: () => void): string | undefined {
    this.#bytes += request.count * PLACE_SIZE + request.bytes;
    if (this.#bytes > MAX_TRANSACTION) return 'the transaction is longer than 16 MiB';
    if (this.queued.length === MAX_REQUESTS) return `the transaction has more than ${MAX_REQUESTS} commands`;
    this.queued.push({ request: request.copy(), execute });
    return undefined;
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
  #bytes = 0;

  /** @returns false when there is no room for it */
  add(key: string, store: MemoryStore): boolean {
    if (this.#seen.has(key)) return true;
    const item = store.find(key);
    this.#bytes += WATCH_OVERHEAD + key.length + (item?.value.length ?? 0);
    if (this.#bytes > MAX_WATCHED) return false;
    this.#seen.set(key, { item, cas: item?.cas, value: item?.value, deadline: item?.deadline });
    return true;
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
    this.#bytes = 0;
  }
}
