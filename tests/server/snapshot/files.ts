import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { valueBytes } from '../../../src/server/engine/item';
import { MemoryStore } from '../../../src/server/engine/store';
import { Persistence } from '../../../src/server/snapshot/persistence';

/** A folder of the test's own, removed after all tests of the file. */
export function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tsmemcache-'));
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/** What a client can see of a store, by key; deadlines as times of the wall clock. */
export function contents(store: MemoryStore): Record<string, unknown> {
  const { epoch } = store;
  return Object.fromEntries(
    Array.from(store.items(), ({ key, value, flags, cas, deadline, marks }) => [
      key,
      { digest: createHash('sha256').update(valueBytes(value)).digest('hex'), flags, cas, deadline: deadline === 0 ? 0 : deadline + epoch, shown: marks & 10 },
    ]),
  );
}

/** Saves items of a size each. */
export async function save(file: string, sizes: readonly number[], fill = 'v'): Promise<Buffer> {
  const store = new MemoryStore();
  for (const [index, size] of sizes.entries()) {
    store.store('set', `key${index}`, Buffer.alloc(size, fill), index, index % 2 === 0 ? 0 : store.deadline(1000));
  }
  const persistence = await Persistence.open(store, { file, interval: 0 });
  await persistence.save();
  return readFileSync(file);
}
