import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { valueBytes } from '../../../src/server/engine/item';
import type { MemoryStore } from '../../../src/server/engine/store';

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
