import { isObject } from '../options/rule';
import { objectOf, type AdapterClient } from './adapter-client';
import { secondsOf } from './lifetimes';
import { Pieces } from './pieces';
import type { Tags } from './tags';

/** The stored form of an entry. Times are in milliseconds since 1970. */
export interface Stored {
  readonly time: number;
  /** When it was made, as its tags count; `time` unless given. */
  readonly made?: number;
  readonly tags: readonly string[];
  readonly entry: object;
}

/** What a read has found, and the last revalidation of the tags, as {@link Tags} count. */
export interface Answer<E> {
  readonly since: number;
  readonly found?: { readonly entry: E; readonly time: number; readonly stale: boolean };
}

export const NOT_FOUND: Answer<never> = { since: 0 };

/** Entries that their tags make outdated, in pieces where they are large. */
export class TaggedEntries {
  readonly #items: Pieces;
  readonly #tags: Tags;

  constructor(client: AdapterClient, prefix: string, tags: Tags) {
    this.#items = new Pieces(client, prefix);
    this.#tags = tags;
  }

  /** @param seconds to live, 0 and less = until memcached needs the room */
  async write(key: string, stored: Stored, seconds: number): Promise<void> {
    await this.#tags.make(stored.tags, madeAt(stored));
    await this.#items.write(key, JSON.stringify(stored), seconds <= 0 ? 0 : secondsOf(seconds * 1000));
  }

  /**
   * @param tags that make it outdated beside its own
   * @param open makes the entry of what was stored, or throws where it is none
   */
  async read<E>(key: string, tags: readonly string[], open: (stored: object) => E): Promise<Answer<E>> {
    const found = objectOf(await this.#items.read(key));
    const stored = found !== undefined && isStored(found) ? found : undefined;
    // Also on a miss: tags that are created now are older than the entry that will be made.
    const { state, since } = await this.#tags.freshness([...(stored?.tags ?? []), ...tags], stored === undefined ? 0 : madeAt(stored));
    if (stored === undefined || state === 'expired') return { since };
    try {
      return { since, found: { entry: open(stored.entry), time: stored.time, stale: state === 'stale' } };
    } catch {
      // Somebody else has stored what only looks like an entry.
      return { since };
    }
  }
}

function madeAt({ time, made = time }: Stored): number {
  return made;
}

function isStored(value: object): value is Stored {
  if (!('time' in value && 'tags' in value && 'entry' in value)) return false;
  return isTime(value.time) && (!('made' in value) || isTime(value.made)) && isStrings(value.tags) && isObject(value.entry);
}

/** Also: to which one can be added. */
function isTime(value: unknown): boolean {
  return typeof value === 'number' && value <= Number.MAX_SAFE_INTEGER;
}

function isStrings(value: unknown): boolean {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}
