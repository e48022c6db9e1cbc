import type { WallClock } from '../protocol/exptime';

/** No request asks for more. */
const MOST_ASKED = 1000;

interface Asked {
  readonly at: number;
  /** How many who asked are making the entry, as far as that is known. */
  making: number;
}

/**
 * When entries were asked for by one request. What is revalidated while an entry is made is made of what was there before. Next.js lets
 * several parts of a request make the same entry (`unstable_cache`), so what each of them makes counts as made when the first asked.
 */
export class AskedEntries {
  readonly #clock: WallClock;
  readonly #asked = new Map<string, Asked>();

  constructor(clock: WallClock) {
    this.#clock = clock;
  }

  /** @param fresh whether there was an entry that needed not be made anew on account of its tags: then none of them had changed until now */
  note(key: string, fresh: boolean): void {
    const asked = this.#asked.get(key);
    if (!fresh && asked !== undefined && asked.making > 0) {
      asked.making++;
      return;
    }
    this.#asked.delete(key);
    this.#asked.set(key, { at: this.#clock.time(), making: fresh ? 0 : 1 });
    const [oldest] = this.#asked.keys();
    if (this.#asked.size > MOST_ASKED && oldest !== undefined) this.#asked.delete(oldest);
  }

  /** An entry was made: when it was asked for, in milliseconds since 1970. It is not older than that. */
  take(key: string): number {
    const asked = this.#asked.get(key);
    if (asked === undefined) return this.#clock.time();
    asked.making--;
    return asked.at;
  }
}
