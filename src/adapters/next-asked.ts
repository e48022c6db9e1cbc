import type { WallClock } from '../protocol/exptime';

/** No request asks for more. */
const MOST_ASKED = 1000;

interface Asked {
  readonly at: number;
  readonly fresh: boolean;
}

/** When entries were asked for by one request. What is revalidated while an entry is made is made of what was there before. */
export class AskedEntries {
  readonly #clock: WallClock;
  readonly #asked = new Map<string, Asked>();

  constructor(clock: WallClock) {
    this.#clock = clock;
  }

  /** @param fresh whether there was an entry that needed not be made anew on account of its tags */
  note(key: string, fresh: boolean): void {
    // What is made already began earlier.
    if (this.#asked.get(key)?.fresh === false) return;
    this.#asked.delete(key);
    this.#asked.set(key, { at: this.#clock.time(), fresh });
    const [oldest] = this.#asked.keys();
    if (this.#asked.size > MOST_ASKED && oldest !== undefined) this.#asked.delete(oldest);
  }

  /** When the entry that is made now was asked for, in milliseconds since 1970: it is not older than that. Forgets it. */
  take(key: string): number {
    const at = this.#asked.get(key)?.at ?? this.#clock.time();
    this.#asked.delete(key);
    return at;
  }
}
