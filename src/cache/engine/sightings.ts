import { RecentMap } from '../recent-map';

/** For how long this process has seen tokens that others hold. Tokens do not expire, and their holder may be dead. */
export class Sightings {
  readonly #seen = new RecentMap<string, { readonly cas: string; readonly since: number }>();

  /** For how many milliseconds this token has been seen. */
  age(wireKey: string, cas: string, now: number): number {
    const seen = this.#seen.get(wireKey);
    if (seen?.cas === cas) {
      // The one that is read all the time outlasts those that are seen once.
      this.#seen.set(wireKey, seen);
      return now - seen.since;
    }
    this.#seen.set(wireKey, { cas, since: now });
    return 0;
  }

  forget(wireKey: string): void {
    this.#seen.delete(wireKey);
  }
}
