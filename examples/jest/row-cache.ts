import type { Client } from 'tsmemcache';

/** Reads rows through a cache. The cache may fail in any way: it costs time, never a request. */
export class RowCache {
  readonly #cache: Client;
  readonly #readRow: (id: number) => Promise<string>;

  constructor(cache: Client, readRow: (id: number) => Promise<string>) {
    this.#cache = cache;
    this.#readRow = readRow;
  }

  /** The row, no older than a minute. */
  async get(id: number): Promise<string> {
    const key = `row:${id}`;
    const found = await this.#cache.get<string>(key).catch(() => undefined);
    if (found !== undefined) return found;
    const row = await this.#readRow(id);
    await this.#cache.set(key, row, { expire: 60 }).catch(() => undefined);
    return row;
  }
}
