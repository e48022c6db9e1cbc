import type { WallClock } from '../protocol/exptime';

/** No request asks for more. */
const MOST_ASKED = 1000;

/** When an entry was made. */
export interface Made {
  /** When it was asked for, in milliseconds since 1970. */
  readonly time: number;
  /** The same, but not before the last revalidation of its tags, which another clock may have timed. */
  readonly made: number;
}

interface Asked extends Made {
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

  /**
   * @param since the last revalidation of its tags
   * @param fresh whether there was an entry that needed not be made anew on account of its tags: then none of them had changed until now
   */
  note(key: string, since: number, fresh: boolean): void {
    const asked = this.#asked.get(key);
    if (!fresh && asked !== undefined && asked.making > 0) {
      asked.making++;
      return;
    }
    this.#asked.delete(key);
    const time = this.#clock.time();
    this.#asked.set(key, { time, made: Math.max(time, since), making: fresh ? 0 : 1 });
    const [oldest] = this.#asked.keys();
    if (this.#asked.size > MOST_ASKED && oldest !== undefined) this.#asked.delete(oldest);
  }

  /** An entry was made. It is not older than what this says. */
  take(key: string): Made {
    const asked = this.#asked.get(key);
    if (asked !== undefined) {
      asked.making--;
      return asked;
    }
    const time = this.#clock.time();
    return { time, made: time };
  }
}
