/** The most entries. They are about keys that were used lately, and cost some hundred bytes each. */
const LIMIT = 10_000;

/** A map with a limit: beyond it the entry that was set longest ago is dropped. */
export class RecentMap<K, V> {
  readonly #entries = new Map<K, V>();

  get size(): number {
    return this.#entries.size;
  }

  get(key: K): V | undefined {
    return this.#entries.get(key);
  }

  set(key: K, value: V): void {
    const entries = this.#entries;
    entries.delete(key);
    entries.set(key, value);
    if (entries.size <= LIMIT) return;
    for (const oldest of entries.keys()) {
      entries.delete(oldest);
      return;
    }
  }

  delete(key: K): void {
    this.#entries.delete(key);
  }
}
