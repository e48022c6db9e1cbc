import { clockOf, ifReadable, keyOf, objectOf, readTexts, type AdapterClient } from './adapter-client';
import { Doubts } from './doubts';

/** Seconds for which entries may be served as stale after a revalidation; not at all when undefined. */
export interface Durations {
  readonly expire?: number | undefined;
}

/** Since when older entries with the tag are stale, and since when they are expired: milliseconds since 1970. */
interface Tag {
  readonly stale?: number;
  readonly expired?: number;
  /** Since when older entries were expired already when the tag was revalidated anew: they do not come back as stale. */
  readonly gone?: number;
}

/** How fresh an entry is, and the last revalidation of its tags: what is made from now on is no older than that. */
export interface Freshness {
  readonly state: 'fresh' | 'stale' | 'expired';
  readonly since: number;
}

/**
 * The tags of entries: one item each, with the time of its last revalidation. A tag whose item was lost counts as revalidated
 * now: an entry may be made once too often, but an outdated one is never served.
 *
 * Times are those of the wall clock, unless that has been set back: a revalidation is always later than the entries that this process has
 * made and read, and an entry no earlier than the revalidations of its tags before it was asked for.
 */
export class Tags {
  readonly #client: AdapterClient;
  readonly #prefix: string;
  readonly #doubts: Doubts;
  /** When the last of the entries was made that this process knows. */
  #latest = 0;

  constructor(client: AdapterClient, prefix: string) {
    this.#client = client;
    this.#prefix = prefix;
    this.#doubts = new Doubts(client);
  }

  /** How fresh an entry made at `made` is. */
  async freshness(tags: readonly string[], made: number): Promise<Freshness> {
    this.#latest = Math.max(this.#latest, made);
    const now = clockOf(this.#client).time();
    // Entries made from now on are newer than tags that are created here, and those that are there are older.
    const created = this.#latest > now ? this.#latest + 1 : now - 1;
    const known = await this.#create(tags, created);
    const all = [...known.values()];
    const expired = Math.max(0, ...all.map((tag) => expiryOf(tag, now)));
    const stale = Math.max(0, ...all.map((tag) => tag.stale ?? 0));
    if (known.size < new Set(tags).size) return { state: 'expired', since: Math.max(created, expired, stale) };
    return { state: expired > made ? 'expired' : stale > made ? 'stale' : 'fresh', since: Math.max(expired, stale) };
  }

  /** Creates those of `tags` that are missing, so that an entry made at `made` is fresh and older ones are expired. */
  async make(tags: readonly string[], made: number): Promise<void> {
    this.#latest = Math.max(this.#latest, made);
    await this.#create(tags, made - 1);
  }

  /** Revalidates `tags`: stale now and expired after `durations.expire`, or expired now. */
  async update(tags: readonly string[], durations?: Durations): Promise<void> {
    const clock = clockOf(this.#client);
    // Entries made in this millisecond must count as older, and those made after this call as newer, so it resolves only in the
    // next millisecond.
    const now = clock.time() + 1;
    const since = Math.max(now, this.#latest + 1);
    const updates = [...new Set(tags)].map(async (tag) => {
      if (durations !== undefined && (await this.#mark(tag, since, now, durations))) return;
      await this.#client.set(this.#item(tag), JSON.stringify({ expired: since } satisfies Tag), { noreply: false });
    });
    await Promise.all(updates);
    // Bounded, as a test's clock may stand still.
    for (let turns = 0; clock.time() < now && turns < 10_000; turns++) {
      await new Promise<void>((resolve) => {
        clock.setImmediate(resolve);
      });
    }
  }

  /** False for a tag that is missing, or that others keep changing: its entries then expire at once. */
  async #mark(tag: string, stale: number, now: number, { expire }: Durations): Promise<boolean> {
    for (let attempt = 0; attempt < 8; attempt++) {
      const [value, cas] = (await ifReadable(this.#client.gets(this.#item(tag)))) ?? [];
      const before: Tag | undefined = objectOf(value);
      if (before === undefined || cas === undefined) return false;
      const after: Tag = { ...before, stale, gone: expiryOf(before, stale), ...(expire !== undefined && { expired: now + expire * 1000 }) };
      if ((await this.#client.cas(this.#item(tag), JSON.stringify(after), cas, { noreply: false })) === true) return true;
    }
    return false;
  }

  /** The tags that were there; the others are created. */
  async #create(tags: readonly string[], expired: number): Promise<Map<string, Tag>> {
    const unique = [...new Set(tags)];
    const begun = this.#doubts.now();
    const known = await this.#read(unique);
    const text = JSON.stringify({ expired } satisfies Tag);
    const create = async (tag: string): Promise<boolean> => known.has(tag) || this.#client.add(this.#item(tag), text, { noreply: false });
    const created = await Promise.all(unique.map(create));
    await this.#replace(unique.filter((_, index) => created[index] === false), begun);
    return known;
  }

  /** Another process has created these tags meanwhile; or they cannot be read, as after a change of the serde, and would be expired for good. */
  async #replace(tags: readonly string[], begun: number): Promise<void> {
    const known = await this.#read(tags);
    const lost = tags.filter((tag) => !known.has(tag) && this.#doubts.isUnreadable(tag, begun));
    // Nobody knows when they were revalidated.
    const text = JSON.stringify({ expired: clockOf(this.#client).time() - 1 } satisfies Tag);
    await Promise.all(lost.map((tag) => this.#client.set(this.#item(tag), text, { noreply: false })));
  }

  /** Those of `tags` that are there. */
  async #read(tags: readonly string[]): Promise<Map<string, Tag>> {
    const known = new Map<string, Tag>();
    const found = await readTexts(this.#client, tags.map((tag) => this.#item(tag)));
    for (const tag of tags) {
      const state: Tag | undefined = objectOf(found.get(this.#item(tag)));
      if (state === undefined) continue;
      this.#doubts.wasRead(tag);
      known.set(tag, state);
    }
    return known;
  }

  #item(tag: string): string {
    return keyOf(this.#client, this.#prefix, tag);
  }
}

/** Older entries are expired by now; 0 when none are. */
function expiryOf({ expired = 0, stale = expired, gone = 0 }: Tag, now: number): number {
  // What expires without having been stale expires at once, also where the clock is behind that of whoever revalidated.
  return expired <= Math.max(now, stale) ? Math.max(expired, gone) : gone;
}
