import { crc32 } from '../../runtime/crc32';

const BUCKETS = 1024;

/**
 * Which keys were deleted when, so that what was read before is not written back afterwards. It remembers buckets of keys, not
 * keys: the deletion of another key in the bucket can at worst keep a key from being written back.
 */
export class Deletions {
  #now = 0;
  /** When the last deletion in each bucket began or ended. */
  readonly #last = new Float64Array(BUCKETS);
  /** How many deletions in each bucket are under way. */
  readonly #underWay = new Uint32Array(BUCKETS);
  #lastOfAll = 0;
  #allUnderWay = 0;

  /** The present moment, for {@link untouchedSince}. */
  now(): number {
    return ++this.#now;
  }

  /** @param keys - undefined for all keys */
  begin(keys: readonly string[] | undefined): void {
    this.#mark(keys, 1);
  }

  end(keys: readonly string[] | undefined): void {
    this.#mark(keys, -1);
  }

  /** Whether no deletion of `key` was under way since `moment`. */
  untouchedSince(moment: number, key: string): boolean {
    if (this.#allUnderWay > 0 || this.#lastOfAll > moment) return false;
    const bucket = bucketOf(key);
    return this.#underWay[bucket] === 0 && (this.#last[bucket] ?? 0) < moment;
  }

  #mark(keys: readonly string[] | undefined, change: 1 | -1): void {
    const now = this.now();
    if (keys === undefined) {
      this.#lastOfAll = now;
      this.#allUnderWay += change;
      return;
    }
    for (const key of keys) {
      const bucket = bucketOf(key);
      this.#last[bucket] = now;
      this.#underWay[bucket] = (this.#underWay[bucket] ?? 0) + change;
    }
  }
}

function bucketOf(key: string): number {
  return crc32(key) % BUCKETS;
}
