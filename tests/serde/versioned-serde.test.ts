import * as fc from 'fast-check';
import { MemcacheIllegalInputError } from '../../src/errors';
import { Client } from '../../src';
import { CompressedSerde, JsonSerde, MISS, RawSerde, TypedSerde, VersionedSerde } from '../../src/serde';
import { MemcachedServer } from '../../src/server';

const KEY = 'key';

describe('VersionedSerde', () => {
  it('gives back what its inner serde does', () => {
    const json = new VersionedSerde(new JsonSerde(), 3);
    const raw = new VersionedSerde(new RawSerde(), 'schema-2024');
    fc.assert(
      fc.property(fc.jsonValue(), fc.uint8Array(), (value, bytes) => {
        const { data, flags } = json.serialize(value, KEY);
        expect(json.deserialize(Buffer.from(data), flags, KEY)).toEqual(JSON.parse(JSON.stringify(value)));
        const stored = Buffer.from(raw.serialize(bytes, KEY).data);
        expect(raw.deserialize(stored, 0, KEY)).toEqual(Buffer.from(bytes));
        expect(raw.deserializeInPlace(Buffer.concat([Buffer.of(0), stored]), 1, 1 + stored.length, 0, KEY)).toEqual(Buffer.from(bytes));
      }),
    );
  });

  it('writes the version in front, and leaves the flags as they are', () => {
    expect(new VersionedSerde(new JsonSerde(), 3).serialize({ a: 1 }, KEY)).toEqual({ data: '#3\n{"a":1}', flags: 64 });
    expect(new VersionedSerde(new RawSerde(), 3).serialize(Buffer.of(0, 255), KEY)).toEqual({ data: Buffer.from('#3\n\0\xff', 'latin1'), flags: 0 });
  });

  it.each(['#4\n"v"', '#33\n"v"', '#3', '#3 ', '', '"v"', 'garbage \xff', '##3\n"v"'])('takes %j for a miss', (data) => {
    const serde = new VersionedSerde(new JsonSerde(), 3);
    const bytes = Buffer.from(data, 'latin1');
    expect(serde.deserialize(bytes, 64, KEY)).toBe(MISS);
    expect(serde.deserializeInPlace(bytes, 0, bytes.length, 12_345, KEY)).toBe(MISS);
  });

  it('does not look beyond the value', () => {
    const serde = new VersionedSerde(new JsonSerde(), 3);
    expect(serde.deserializeInPlace(Buffer.from('#3\n1'), 0, 2, 64, KEY)).toBe(MISS);
  });

  it('compresses well with the version inside or outside', () => {
    const value = 'v'.repeat(1000);
    for (const serde of [new VersionedSerde(new CompressedSerde(new TypedSerde()), 1), new CompressedSerde(new VersionedSerde(new TypedSerde(), 1))]) {
      const { data, flags } = serde.serialize(value, KEY);
      expect(flags).toBe(24);
      expect(serde.deserialize(Buffer.from(data), flags, KEY)).toBe(value);
    }
  });

  it.each(['', 'a b', 'é', 'a\n', 'x'.repeat(65)])('refuses the version %j', (version) => {
    expect(() => new VersionedSerde(new RawSerde(), version)).toThrow(MemcacheIllegalInputError);
  });

  it('makes a client miss what another version stored, in every kind of read', async () => {
    const server = await MemcachedServer.start();
    const [old, current] = [1, 2].map((version) => new Client(server.address, { serde: new VersionedSerde(new JsonSerde(), version) }));
    try {
      await old?.setMany({ a: 'old', b: 'old' });
      await current?.set('b', 'new');
      expect(await current?.get('a')).toBeUndefined();
      expect(await current?.get('b')).toBe('new');
      expect(await current?.gets('a')).toEqual([undefined, undefined]);
      expect(await current?.getMany(['a', 'b'])).toEqual(new Map([['b', 'new']]));
      expect(await old?.get('b')).toBeUndefined();
    } finally {
      await Promise.all([old?.close(), current?.close()]);
      await server.close();
    }
  });
});

it('grows as docs/serdes.md says: by a client with the inner serde, at its end', async () => {
  const server = await MemcachedServer.start();
  const inner = new Client(server.address);
  const whole = new Client(server.address, { serde: new CompressedSerde(new VersionedSerde(new TypedSerde(), 2)) });
  await whole.set('k', 'a');
  for (let i = 0; i < 3; i++) await inner.append('k', 'b'.repeat(400));
  expect(await whole.get('k')).toBe(`a${'b'.repeat(1200)}`);
  await inner.prepend('k', 'c');
  expect(await whole.get('k')).toBeUndefined();
  await Promise.all([inner.close(), whole.close()]);
  await server.close();
});
