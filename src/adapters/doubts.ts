import { clockOf, type AdapterClient } from './adapter-client';

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
  /** By key: how many times in a row, and when the last one was. */
  readonly #unread = new Map<string, { readonly times: number; readonly at: number }>();

  constructor(client: AdapterClient) {
    this.#client = client;
  }

  /** Now, for {@link isUnreadable}. */
  now(): number {
    return clockOf(this.#client).now();
  }

  /** To be called when `key` was not read although it is there, by a call that began at `begun`. Calls that were under way together are one time. */
  isUnreadable(key: string, begun: number): boolean {
    const { ignoreErrors = false } = this.#client.options ?? {};
    if (ignoreErrors === false) return true;
    const { times, at } = this.#unread.get(key) ?? { times: 0, at: begun };
    if (begun < at) return false;
    this.wasRead(key);
    if (times + 1 === ENOUGH) return true;
    if (this.#unread.size >= MOST) this.#unread.clear();
    this.#unread.set(key, { times: times + 1, at: this.now() });
    return false;
  }

  wasRead(key: string): void {
    this.#unread.delete(key);
  }
}
