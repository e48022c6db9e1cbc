import { closeSync, openSync, readFileSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { MemoryStore } from '../../../src/server/engine/store';
import { SnapshotError } from '../../../src/server/snapshot/format';
import { Persistence } from '../../../src/server/snapshot/persistence';
import { readSnapshot } from '../../../src/server/snapshot/snapshot-reader';
import { report } from '../../reliability/report';
import { makeFolder, save } from './files';

const folder = makeFolder();

describe('a snapshot of 4 KB', () => {
  const file = join(folder, 'small');
  let bytes: Buffer;

  beforeAll(async () => {
    bytes = await save(file, Array.from({ length: 44 }, (_, index) => (index * 13) % 110));
    expect(bytes.length).toBeGreaterThan(4000);
    await expect(readSnapshot(file)).resolves.toMatchObject({ items: { length: 44 } });
  });

  it('is refused when it is cut short anywhere', async () => {
    for (let size = bytes.length - 1; size >= 0; size--) {
      truncateSync(file, size);
      await expect(readSnapshot(file)).rejects.toBeInstanceOf(SnapshotError);
    }
    writeFileSync(file, bytes);
  });

  it('is refused when any of its bits is wrong', async () => {
    const handle = openSync(file, 'r+');
    const accepted: string[] = [];
    for (const [at, byte] of bytes.entries()) {
      for (let bit = 0; bit < 8; bit++) {
        writeSync(handle, Uint8Array.of(byte ^ (1 << bit)), 0, 1, at);
        const error: unknown = await readSnapshot(file).catch((reason: unknown) => reason);
        if (!(error instanceof SnapshotError)) accepted.push(`bit ${bit} of byte ${at}`);
      }
      writeSync(handle, Uint8Array.of(byte), 0, 1, at);
    }
    closeSync(handle);
    expect(accepted).toEqual([]);
    expect(readFileSync(file)).toEqual(bytes);
    report({ goal: 'G21', claim: 'Bits of a snapshot of 4 KB that may be wrong without being noticed', n: bytes.length * 8, value: 0, limit: 0, pass: true });
  });

  it('gives way to the one before, all of it and nothing else, when a part is wrong', async () => {
    const present = join(folder, 'two');
    const previous = await save(`${present}.1`, [1, 2, 3], 'old');
    const expected = new MemoryStore();
    await Persistence.open(expected, { file: `${present}.1`, interval: 0 });
    for (let at = 0; at < bytes.length; at += 37) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << at % 8);
      for (const content of [damaged, bytes.subarray(0, at)]) {
        writeFileSync(present, content);
        const store = new MemoryStore();
        await Persistence.open(store, { file: present, interval: 0 });
        const { epoch } = store;
        expect(Math.abs(epoch - expected.epoch)).toBeLessThan(60_000);
        expect(Array.from(store.items(), ({ key, value, cas }) => [key, value, cas])).toEqual(
          Array.from(expected.items(), ({ key, value, cas }) => [key, value, cas]),
        );
      }
    }
    expect(readFileSync(`${present}.1`)).toEqual(previous);
  });
});
