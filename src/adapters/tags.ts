import { clockOf, keyOf, textOf, type AdapterClient } from './shared';

/** Seconds after which what is marked as stale must not be served any more; at once, when there are none. */
export interface Durations {
  readonly expire?: number | undefined;
}

/** When what bears a tag became stale, and when it ceased to be served: milliseconds since 1970. */
interface Tag {
  readonly stale?: number;
  readonly expired?: number;
}

/**
 * Tags that entries bear, one item each that tells when it was revalidated. A tag whose item was lost is taken as
 * revalidated now: an entry may be made once too often, but none is served that should not be.
 */
export class Tags {
  readonly #client: AdapterClient;
  readonly #prefix: string;

  constructor(client: AdapterClient, prefix: string) {
    this.#client = client;
    this.#prefix = prefix;
  }

  /** How fresh what was made at `made` is. */
  async freshness(tags: readonly string[], made: number): Promise<'fresh' | 'stale' | 'expired'> {
    const now = clockOf(this.#client).time();
    // An entry made from now on is newer than the tags that are made here.
    const known = await this.#create(tags, now - 1);
    if (known.size < new Set(tags).size) return 'expired';
    const all = [...known.values()];
    if (all.some(({ expired = 0 }) => expired > made && expired <= now)) return 'expired';
    return all.some(({ stale = 0 }) => stale > made) ? 'stale' : 'fresh';
  }

  /** Makes those of `tags` that are not there, so that what was made at `made` is fresh and all that is older expired. */
  async make(tags: readonly string[], made: number): Promise<void> {
    await this.#create(tags, made - 1);
  }

  /** Revalidates `tags`: stale now and expired after `durations.expire`, or expired now. */
  async update(tags: readonly string[], durations?: Durations): Promise<void> {
    const clock = clockOf(this.#client);
    // What was made in this millisecond is older; what is made after this call is newer, so the millisecond must be over by then.
    const now = clock.time() + 1;
    const updates = [...new Set(tags)].map(async (tag) => {
      if (durations !== undefined && (await this.#mark(tag, now, durations))) return;
      await this.#client.set(this.#item(tag), JSON.stringify({ expired: now } satisfies Tag), { noreply: false });
    });
    await Promise.all(updates);
    // Bounded, as a clock of tests stands still.
    for (let turns = 0; clock.time() < now && turns < 10_000; turns++) {
      await new Promise<void>((resolve) => {
        clock.setImmediate(resolve);
      });
    }
  }

  /** False for a tag that is not there, or that others change all the time: all that bears it is then to expire. */
  async #mark(tag: string, stale: number, { expire }: Durations): Promise<boolean> {
    for (let attempt = 0; attempt < 8; attempt++) {
      const [value, cas] = await this.#client.gets(this.#item(tag));
      const text = textOf(value);
      if (text === undefined || cas === undefined) return false;
      const after: Tag = { ...(JSON.parse(text) as Tag), stale, ...(expire !== undefined && { expired: stale + expire * 1000 }) };
      if ((await this.#client.cas(this.#item(tag), JSON.stringify(after), cas, { noreply: false })) === true) return true;
    }
    return false;
  }

  /** Those that were there; the others are made. */
  async #create(tags: readonly string[], expired: number): Promise<Map<string, Tag>> {
    const known = new Map<string, Tag>();
    if (tags.length === 0) return known;
    const unique = [...new Set(tags)];
    const found = await this.#client.getMany(unique.map((tag) => this.#item(tag)));
    for (const tag of unique) {
      const text = textOf(found.get(this.#item(tag)));
      if (text !== undefined) known.set(tag, JSON.parse(text) as Tag);
    }
    const text = JSON.stringify({ expired } satisfies Tag);
    await Promise.all(unique.filter((tag) => !known.has(tag)).map((tag) => this.#client.add(this.#item(tag), text, { noreply: false })));
    return known;
  }

  #item(tag: string): string {
    return keyOf(this.#client, this.#prefix, tag);
  }
}
