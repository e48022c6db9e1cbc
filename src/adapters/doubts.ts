import type { AdapterClient } from './adapter-client';

/** How many reads in a row must find nothing where `add` says that something is. */
const ENOUGH = 20;
/** No more keys are remembered at a time. */
const MOST = 1000;

/**
 * Whether an item that is there is one that the client's serde cannot read, as after a change of the serde: then it is to be replaced,
 * or it would be in the way for good. To a client with `ignoreErrors` a read that failed looks the same, and to replace such an item
 * would empty a namespace for everybody, so it is believed only when it says so many times in a row.
 */
export class Doubts {
  readonly #client: AdapterClient;
  readonly #unread = new Map<string, number>();

  constructor(client: AdapterClient) {
    this.#client = client;
  }

  /** To be called when `key` was not read although it is there. */
  isUnreadable(key: string): boolean {
    const { ignoreErrors = false } = this.#client.options ?? {};
    if (ignoreErrors === false) return true;
    const times = (this.#unread.get(key) ?? 0) + 1;
    this.wasRead(key);
    if (times === ENOUGH) return true;
    if (this.#unread.size >= MOST) this.#unread.clear();
    this.#unread.set(key, times);
    return false;
  }

  wasRead(key: string): void {
    this.#unread.delete(key);
  }
}
