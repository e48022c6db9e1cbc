import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { SnapshotError } from '../../../src/server/snapshot/format';
import { Persistence } from '../../../src/server/snapshot/persistence';
import { readSnapshot } from '../../../src/server/snapshot/snapshot-reader';
import { MemoryStore } from '../../../src/server/engine/store';
import { crc32Bytes } from '../../../src/runtime/crc32';
import { contents, makeFolder, save } from './files';

const folder = makeFolder();

/** What {@link readSnapshot} says of a file with these bytes. */
async function refusal(bytes: Uint8Array): Promise<SnapshotError> {
  const file = join(folder, 'refused');
  writeFileSync(file, bytes);
  const error: unknown = await readSnapshot(file).catch((reason: unknown) => reason);
  if (error instanceof SnapshotError) return error;
  throw new Error('not refused');
}

/** A snapshot of such blocks with right checksums, whatever is in them. */
function forge(blocks: readonly Buffer[], count: number, version = 2): Buffer {
  const parts: Buffer[] = [];
  let crc = 0;
  const add = (part: Buffer): void => {
    crc = crc32Bytes(part, 0, part.length, crc);
    const checksum = Buffer.alloc(4);
    checksum.writeUInt32LE(crc);
    parts.push(part, checksum);
  };
  const header = Buffer.alloc(36);
  header.write('TSMCSNAP', 'latin1');
  header.writeUInt32LE(version, 8);
  header.writeDoubleLE(1000, 20);
  add(header);
  for (const block of blocks) {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(block.length);
    add(Buffer.concat([length, block]));
  }
  const footer = Buffer.alloc(12);
  footer.writeDoubleLE(count, 4);
  add(footer);
  return Buffer.concat(parts);
}

function record(change: (head: Buffer) => void = () => undefined, rest = 'kv'): Buffer {
  const head = Buffer.alloc(37);
  head.writeUInt32LE(1, 0);
  head.writeUInt32LE(1, 4);
  change(head);
  return Buffer.concat([head, Buffer.from(rest)]);
}

describe('a snapshot of many blocks', () => {
  it('is refused when anything in it is wrong, moved, doubled or left out', async () => {
    const sizes = Array.from({ length: 60 }, (_, index) => (index * 7919) % 20_000);
    const bytes = await save(join(folder, 'large'), [...sizes, 300_000, 100]);
    const other = await save(join(folder, 'other'), [...sizes, 300_000, 100], 'w');
    expect(bytes.length).toBe(other.length);
    const position = fc.nat(bytes.length - 1);
    const damage = fc.oneof(
      fc.record({ at: position, bytes: fc.uint8Array({ minLength: 1, maxLength: 100 }) }).map(({ at, bytes: written }) => {
        const copy = Buffer.from(bytes);
        copy.set(written.subarray(0, copy.length - at), at);
        return copy;
      }),
      position.map((at) => Buffer.concat([bytes.subarray(0, at), other.subarray(at)])),
      fc.tuple(position, position).map(([a, b]) => Buffer.concat([bytes.subarray(0, a), bytes.subarray(b)])),
      fc.uint8Array({ minLength: 1, maxLength: 50 }).map((more) => Buffer.concat([bytes, more])),
    );
    await fc.assert(
      fc.asyncProperty(damage, async (damaged) => {
        fc.pre(!damaged.equals(bytes) && !damaged.equals(other));
        await refusal(damaged);
      }),
      { numRuns: 500 },
    );
  });

  it('cannot borrow a block from another snapshot', async () => {
    const mine = forge([record(), record((head) => head.writeUInt32LE(7, 8))], 2);
    const theirs = forge([record(undefined, 'kw'), record((head) => head.writeUInt32LE(8, 8))], 2);
    const blockSize = 4 + 39 + 4;
    for (const at of [40 + blockSize, 40 + 2 * blockSize]) {
      const spliced = Buffer.concat([mine.subarray(0, at), theirs.subarray(at)]);
      expect((await refusal(spliced)).message).toContain('wrong checksum');
    }
  });
});

describe('what has right checksums', () => {
  it('is read as the format says', async () => {
    const file = join(folder, 'forged');
    const block = record((head) => {
      head.writeUInt32LE(3, 0);
      head.writeUInt32LE(5, 4);
      head.writeUInt32LE(0xdeadbeef, 8);
      head.writeUInt8(255, 12);
      head.writeBigUInt64LE(2n ** 64n - 1n, 13);
      head.writeDoubleLE(1.7e12, 21);
      head.writeDoubleLE(1.6e12, 29);
    }, 'keyvalue');
    writeFileSync(file, forge([block, record()], 2));
    const { header, items } = await readSnapshot(file);
    expect(header).toEqual({ savedAt: 0, lastCas: 1000, flushAt: 0 });
    expect(items).toMatchObject([
      { key: 'key', value: 'value', flags: 0xdeadbeef, marks: 26, cas: 2n ** 64n - 1n, deadline: 1.7e12, accessed: 1.6e12 },
      { key: 'k', value: 'v', flags: 0, marks: 0, cas: 0, deadline: 0 },
    ]);
  });

  it.each([
    ['another version', forge([], 0, 3), 'version 3 of the format is not known, only 1 and 2', 0],
    ['another kind of file', Buffer.from('#!/bin/sh\necho this is not a snapshot\n'), 'not a snapshot', 0],
    ['no file at all', Buffer.alloc(0), 'cut short, the file has 0 bytes', 0],
    ['zeros', Buffer.alloc(4096), 'not a snapshot', 0],
    ['too few items', forge([record()], 2), '2 items are announced, 1 are there', 87],
    ['a count that is none', forge([record()], NaN), 'NaN items are announced, 1 are there', 87],
    ['an item without end', forge([record((head) => head.writeUInt32LE(5, 4), 'kvv')], 0), 'the last item has no end', 88],
    ['a divided head', forge([Buffer.alloc(36)], 0), 'the head of an item is divided', 40],
    ['an item of 8 GB', forge([record((head) => head.fill(255, 0, 8))], 1), 'an item is longer than the file', 40],
    ['half a cas', forge([record((head) => head.writeDoubleLE(0.5, 13))], 1, 1), '0.5 is not a whole number', 40],
    ['a deadline that is none', forge([record((head) => head.writeDoubleLE(NaN, 21))], 1), 'NaN is not a whole', 40],
    ['a deadline before all time', forge([record((head) => head.writeDoubleLE(-1, 21))], 1), '-1 is not a whole', 40],
    ['a block of 4 GB', Buffer.concat([forge([], 0).subarray(0, 40), Buffer.alloc(100, 255)]), 'a block of 4294967295 bytes', 40],
  ])('is refused all the same: %s', async (_, bytes, problem, offset) => {
    const error = await refusal(bytes);
    expect(error.message).toContain(`snapshot ${join(folder, 'refused')}: ${problem}`);
    expect(error.offset).toBe(offset);
  });
});

it('an item may be as large as the store allows, and ends where its bytes end', async () => {
  const file = join(folder, 'item');
  const store = new MemoryStore({ maxItemSize: 40_000_000, maxBytes: 200_000_000 });
  for (const size of [65_494, 65_495, 65_496, 131_072, 30_000_000, 0]) {
    store.store('set', `k${size}`, Buffer.alloc(size, `${size} `), 0, 0);
  }
  await (await Persistence.open(store, { file, interval: 0 })).save();
  const loaded = new MemoryStore({ maxItemSize: 40_000_000, maxBytes: 200_000_000 });
  await Persistence.open(loaded, { file, interval: 0 });
  expect(contents(loaded)).toEqual(contents(store));
});
