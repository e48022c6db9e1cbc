import type { Watcher } from '../../engine/changes';
import type { MemoryStore } from '../../engine/store';
import type { Request } from '../resp/request';
import type { RequestHolder, RequestMemory } from '../resp/request-memory';

/** The most memory of the requests of one transaction, in bytes. */
const MAX_TRANSACTION = 16 * 1024 * 1024;

/** The most requests of one transaction: however short, each takes more than half a kilobyte. */
const MAX_REQUESTS = 100_000;

/** What a request and an argument take beside their bytes. */
const REQUEST_SIZE = 512;
const PLACE_SIZE = 16;

/** What a watched key takes beside its bytes. */
const WATCHED_SIZE = 256;

/** The most keys that one client may watch. */
export const MAX_WATCHED = 100_000;

/** A request that waits for EXEC. */
interface Queued {
  readonly request: Request;
  readonly execute: () => void;
}

/** The requests of a client since MULTI. */
export class Transaction implements RequestHolder {
  readonly queued: Queued[] = [];
  /** Whether a request was refused: then EXEC executes nothing. */
  failed = false;
  readonly #memory: RequestMemory;
  #bytes = 0;
  #isDropped = false;

  /** @param memory that of all transactions together */
  constructor(memory: RequestMemory) {
    this.#memory = memory;
  }

  /**
   * Keeps a copy of a request, as its memory is reused.
   *
   * @returns what is too much when there is no room for it
   */
  add(request: Request, execute: () => void): string | undefined {
    this.#bytes += request.count * PLACE_SIZE + request.bytes;
    if (this.#bytes > MAX_TRANSACTION) return 'the transaction is longer than 16 MiB';
    if (this.queued.length === MAX_REQUESTS) return `the transaction has more than ${MAX_REQUESTS} commands`;
    if (!this.#isDropped) {
      this.queued.push({ request: request.copy(), execute });
      this.#memory.hold(this, this.#bytes + this.queued.length * REQUEST_SIZE);
    }
    return this.#isDropped ? 'too much memory in transactions' : undefined;
  }

  /** Forgets all requests, and fails: other clients need the memory. */
  drop(): void {
    this.#isDropped = this.failed = true;
    this.queued.length = 0;
    this.end();
  }

  /** It no longer counts among those that wait. */
  end(): void {
    this.#memory.release(this);
  }
}

/** The keys of one client since WATCH. */
export class Watch implements Watcher, RequestHolder {
  /** Whether any of them was changed, added or removed; see {@link hasChanged}. */
  changed = false;
  readonly #store: MemoryStore;
  readonly #memory: RequestMemory;
  readonly #keys = new Set<string>();
  #bytes = 0;

  /** @param memory that of all clients' watched keys together */
  constructor(store: MemoryStore, memory: RequestMemory) {
    this.#store = store;
    this.#memory = memory;
  }

  /** @returns false when there are too many */
  add(key: string): boolean {
    if (this.#keys.has(key)) return true;
    if (this.#keys.size === MAX_WATCHED) return false;
    // One that has expired is gone already.
    this.#store.find(key);
    this.#keys.add(key);
    this.#store.watch(key, this);
    this.#bytes += WATCHED_SIZE + key.length;
    this.#memory.hold(this, this.#bytes);
    return true;
  }

  /** Whether any of them was changed, added or removed, be it that it is now as it was. */
  hasChanged(): boolean {
    // What has expired is removed when it is looked for.
    for (const key of this.#keys) this.#store.find(key);
    return this.changed;
  }

  /** Forgets all keys, and takes them for changed, as nobody looks at them any more: other clients need the memory. */
  drop(): void {
    this.clear();
    this.changed = true;
  }

  clear(): void {
    for (const key of this.#keys) this.#store.unwatch(key, this);
    this.#keys.clear();
    this.#memory.release(this);
    this.#bytes = 0;
    this.changed = false;
  }
}
