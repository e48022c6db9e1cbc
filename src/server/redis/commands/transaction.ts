import type { Watcher } from '../../engine/changes';
import type { MemoryStore } from '../../engine/store';
import type { Request } from '../resp/request';

/** The most memory of the requests of one transaction, in bytes. */
const MAX_TRANSACTION = 16 * 1024 * 1024;

/** The most requests of one transaction: however short, each takes more than half a kilobyte. */
const MAX_REQUESTS = 100_000;

/** What an argument takes beside its bytes. */
const PLACE_SIZE = 16;

/** The most keys that one client may watch. */
export const MAX_WATCHED = 100_000;

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

/** The keys of one client since WATCH. */
export class Watch implements Watcher {
  /** Whether any of them was changed, added or removed; see {@link hasChanged}. */
  changed = false;
  readonly #store: MemoryStore;
  readonly #keys = new Set<string>();

  constructor(store: MemoryStore) {
    this.#store = store;
  }

  /** @returns false when there are too many */
  add(key: string): boolean {
    if (this.#keys.has(key)) return true;
    if (this.#keys.size === MAX_WATCHED) return false;
    // One that has expired is gone already.
    this.#store.find(key);
    this.#keys.add(key);
    this.#store.watch(key, this);
    return true;
  }

  /** Whether any of them was changed, added or removed, be it that it is now as it was. */
  hasChanged(): boolean {
    // What has expired is removed when it is looked for.
    for (const key of this.#keys) this.#store.find(key);
    return this.changed;
  }

  clear(): void {
    for (const key of this.#keys) this.#store.unwatch(key, this);
    this.#keys.clear();
    this.changed = false;
  }
}
