/** The most prefixes: there may be as many as keys, and none is ever forgotten. Those that come later are not counted. */
const MAX_PREFIXES = 65_536;

/** Counts by key prefix, the part before the first `:`, while `stats detail` is on. */
export class PrefixStats {
  enabled = false;
  readonly #prefixes = new Map<string, { get: number; hit: number; set: number; del: number }>();

  /** Counts an operation on `key`; keys without a prefix are not counted. */
  record(key: string, operation: 'get' | 'set' | 'del', hit = false): void {
    const end = key.indexOf(':');
    if (end < 0) return;
    const prefix = key.slice(0, end);
    let counts = this.#prefixes.get(prefix);
    if (counts === undefined && this.#prefixes.size === MAX_PREFIXES) return;
    if (counts === undefined) this.#prefixes.set(prefix, (counts = { get: 0, hit: 0, set: 0, del: 0 }));
    counts[operation]++;
    if (hit) counts.hit++;
  }

  /** One line for each prefix. */
  *lines(): IterableIterator<string> {
    for (const [prefix, { get, hit, set, del }] of this.#prefixes) {
      yield `PREFIX ${prefix} get ${get} hit ${hit} set ${set} del ${del}`;
    }
  }

  clear(): void {
    this.#prefixes.clear();
  }
}
