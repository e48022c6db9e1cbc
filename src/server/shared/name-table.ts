/**
 * Commands by their names, which are found in the bytes of a request without making a string: that would cost as much as a `get`.
 * Who looks for one computes the hash of the bytes, and compares them with the name of what it found.
 */
export class NameTable<T> {
  readonly #entries = new Map<number, T>();

  define(name: string, entry: T): void {
    let hash = 0;
    for (let i = 0; i < name.length; i++) hash = nextHash(hash, name.charCodeAt(i));
    if (this.#entries.has(hash)) throw new Error(`two names have the hash of ${name}`);
    this.#entries.set(hash, entry);
  }

  find(hash: number): T | undefined {
    return this.#entries.get(hash);
  }
}

/** The hash of some bytes and one more; it begins with 0. */
export function nextHash(hash: number, byte: number): number {
  return (hash * 31 + byte) | 0;
}
