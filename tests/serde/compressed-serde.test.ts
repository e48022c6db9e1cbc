import { isDeepStrictEqual } from 'node:util';
import { deflateSync, inflateSync } from 'node:zlib';
import * as fc from 'fast-check';
import { MemcacheIllegalInputError, MemcacheSerdeError } from '../../src/errors';
import { CompressedSerde, JsonSerde, MISS, RawSerde, StringSerde, TypedSerde, VersionedSerde, type Codec, type Serde, type SerializedValue } from '../../src/serde';
import { compressible } from './bytes-to-compress';

const KEY = 'key';
const raw = new CompressedSerde(new RawSerde());

/** Through both ways of reading, which must agree. */
function read<Out>(serde: Serde<Out, never>, { data, flags }: SerializedValue): Out | typeof MISS {
  const bytes = Buffer.from(data);
  const around = Buffer.concat([Buffer.from('before'), bytes, Buffer.from('after')]);
  const inPlace = serde.deserializeInPlace?.(around, 6, 6 + bytes.length, flags, KEY);
  const value = serde.deserialize(bytes, flags, KEY);
  around.fill(0);
  expect(inPlace).toEqual(value);
  return value;
}

describe('CompressedSerde', () => {
  it('gives back what went in', () => {
    fc.assert(
      fc.property(compressible(10_000), (data) => {
        expect((read(raw, raw.serialize(data, KEY)) as Buffer).equals(data)).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  it('carries what its inner serde carries', () => {
    const serde = new CompressedSerde(new TypedSerde(), { minLength: 0 });
    const values = [0, -0, Number.NaN, 2n ** 70n, '', 'a'.repeat(1_000_000), '漢字 🍺'.repeat(1000), { deep: [{ a: 'b'.repeat(500) }] }, null];
    for (const value of values) expect(read(serde, serde.serialize(value as string, KEY))).toEqual(value);
  });

  it('compresses from minLength on, where it helps', () => {
    expect(raw.serialize(Buffer.alloc(399), KEY).flags).toBe(0);
    expect(raw.serialize(Buffer.alloc(400), KEY).flags).toBe(8);
    const noise = deflateSync(Buffer.from(Array.from({ length: 3000 }, (_, i) => (i * i * i) & 255)));
    expect(raw.serialize(noise, KEY)).toEqual({ data: noise, flags: 0 });
    const short = new CompressedSerde(new StringSerde(), { minLength: 20 });
    expect(short.serialize('é'.repeat(9), KEY).flags).toBe(16);
    expect(short.serialize('é'.repeat(10), KEY).flags).toBe(24);
  });

  it('keeps all 32 bits of the inner flags', () => {
    const seen: number[] = [];
    const inner: Serde<Buffer> = {
      serialize: (data) => ({ data, flags: 0xffff_fff7 }),
      deserialize: (data, flags) => {
        seen.push(flags);
        return data;
      },
    };
    const serde = new CompressedSerde(inner);
    const stored = serde.serialize(Buffer.alloc(500), KEY);
    expect(stored.flags).toBe(0xffff_ffff);
    serde.deserialize(Buffer.from(stored.data), stored.flags, KEY);
    expect(seen).toEqual([0xffff_fff7]);
  });

  it('writes zlib at the level asked for', () => {
    const text = 'to be or not to be '.repeat(40);
    const at = (level: 0 | 1 | 6 | 9) => Buffer.from(new CompressedSerde(new StringSerde(), { level }).serialize(text, KEY).data);
    for (const level of [1, 6, 9] as const) expect(inflateSync(at(level)).toString()).toBe(text);
    // The header tells the level (RFC 1950: FLEVEL).
    expect([at(1)[1], at(6)[1], at(9)[1]].map((byte) => (byte ?? 0) >> 6)).toEqual([1, 2, 3]);
    expect(at(0).toString()).toBe(text);
  });

  it('passes on what the inner serde takes for a miss', () => {
    const serde = new CompressedSerde<string>({ serialize: (data) => ({ data, flags: 0 }), deserialize: () => MISS });
    expect(read(serde, { data: 'x', flags: 0 })).toBe(MISS);
    expect(read(serde, { data: deflateSync('x'), flags: 8 })).toBe(MISS);
  });

  it('refuses an inner serde that uses its flag', () => {
    const twice = new CompressedSerde(raw);
    expect(() => twice.serialize(Buffer.alloc(1000), KEY)).toThrow(MemcacheSerdeError);
  });

  it.each([{ minLength: -1 }, { minLength: 1.5 }, { maxOutput: Number.POSITIVE_INFINITY }, { level: 10 as 9 }])('refuses %j', (options) => {
    expect(() => new CompressedSerde(new RawSerde(), options)).toThrow(MemcacheIllegalInputError);
  });

  it('takes another codec, and does not trust it', () => {
    const reversing: Codec = { compress: (data) => data.slice(1).reverse(), decompress: (data) => Uint8Array.of(7, ...data.slice().reverse()) };
    const serde = new CompressedSerde(new RawSerde(), { codec: reversing, minLength: 1, maxOutput: 3 });
    const stored = serde.serialize(Buffer.of(7, 8, 9), KEY);
    expect(stored).toEqual({ data: Buffer.of(9, 8), flags: 8 });
    expect(read(serde, stored)).toEqual(Buffer.of(7, 8, 9));
    expect(() => serde.deserialize(Buffer.of(1, 2, 3), 8, KEY)).toThrow('maxOutput');
  });
});

describe('hostile bytes', () => {
  const samples = [
    ...[1, 7].map((i) => Buffer.alloc(400 + 97 * i, `sample ${i} `)),
    ...[1, 7].map((i) => Buffer.from(JSON.stringify(Array.from({ length: 30 + i }, (__, j) => ({ id: j * i, name: `name ${j}` }))))),
    ...[1, 7].map((i) => Buffer.from(Array.from({ length: 500 }, (__, j) => (j * j * (i + 1)) % 61))),
    ...[1, 7].map((i) => Buffer.alloc(1000 * (i + 1), i)),
  ];

  /** Whether the value is right or refused: anything else is the worst that can happen. */
  function survives(data: Buffer, right: Buffer): boolean {
    try {
      return (raw.deserialize(data, 8, KEY) as Buffer).equals(right);
    } catch (error) {
      return error instanceof MemcacheSerdeError;
    }
  }

  it.each(samples.map((sample, i) => [i, sample] as const))('value %d: every truncation and every flipped bit is an error or the right value', (_, sample) => {
    const { data, flags } = raw.serialize(sample, KEY);
    expect(flags).toBe(8);
    const good = Buffer.from(data);
    for (let length = 0; length < good.length; length++) expect(() => raw.deserialize(good.subarray(0, length), 8, KEY)).toThrow(MemcacheSerdeError);
    let wrong = 0;
    for (let bit = 0; bit < good.length * 8; bit++) {
      const changed = Buffer.from(good);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      if (!survives(changed, sample)) wrong++;
    }
    expect(wrong).toBe(0);
  });

  it('refuses bombs, nested ones too, at once', () => {
    const small = new CompressedSerde(new RawSerde(), { maxOutput: 1 << 20 });
    const bomb = deflateSync(Buffer.alloc(60_000_000));
    const nested = deflateSync(bomb);
    const started = process.cpuUsage();
    expect(() => small.deserialize(bomb, 8, KEY)).toThrow('maxOutput');
    // One layer is taken off, and no more: what is in it is only bytes.
    expect(small.deserialize(nested, 8, KEY)).toEqual(bomb);
    const { user, system } = process.cpuUsage(started);
    expect(user + system).toBeLessThan(500_000);
  });

  it.each<[string, CompressedSerde<unknown>, string]>([
    ['TypedSerde', new CompressedSerde<unknown, never>(new TypedSerde()), ''],
    ['JsonSerde', new CompressedSerde(new JsonSerde()), ''],
    ['VersionedSerde', new CompressedSerde(new VersionedSerde(new JsonSerde(), 1)), '#1\n'],
  ])('refuses JSON that would take all memory once it is parsed, by a %s', (_, serde, prefix) => {
    for (const unit of ['{},', '{"a":0},', '[[0]],']) {
      const bomb = deflateSync(`${prefix}[${unit.repeat(13_600_000 / unit.length)}0]`);
      expect(bomb.length).toBeLessThan(100_000);
      expect(() => serde.deserialize(bomb, 72, KEY)).toThrow('the value would take too much memory; see maxOutput');
    }
  });

  it('refuses to write JSON that it would not read, and takes what is only long', () => {
    const json = new CompressedSerde(new JsonSerde(), { level: 1 });
    expect(() => json.serialize(Array.from({ length: 2_000_000 }, () => []), KEY)).toThrow('the value would take too much memory');
    const records = Array.from({ length: 20_000 }, (_, i) => ({ id: i, name: `name ${i}`, tags: ['a', 'b'], text: '[{"\\,:'.repeat(20) }));
    for (const value of [records, ['[]{}:,\\"'.repeat(150_000)], ['"[[[[[[[['.repeat(600_000)]]) {
      const { data, flags } = json.serialize(value, KEY);
      expect(flags).toBe(72);
      // Jest's own comparison takes seconds of this many.
      expect(isDeepStrictEqual(json.deserialize(Buffer.from(data), flags, KEY), value)).toBe(true);
    }
  });

  it('takes a million pairs, which fill 72 MB', () => {
    const json = new CompressedSerde(new JsonSerde(), { level: 1 });
    const { data, flags } = json.serialize(Array.from({ length: 1_000_000 }, () => [0, 0]), KEY);
    expect((json.deserialize(Buffer.from(data), flags, KEY) as unknown[]).at(-1)).toEqual([0, 0]);
  });

  it('counts nothing in text, which is not parsed', () => {
    const typed = new CompressedSerde(new TypedSerde());
    const text = '['.repeat(2_200_000);
    const { data, flags } = typed.serialize(text, KEY);
    expect(flags).toBe(24);
    expect(typed.deserialize(Buffer.from(data), flags, KEY) === text).toBe(true);
  });

  it('takes JSON that is twice as expensive with a maxOutput that is twice as high', () => {
    const lists = Array.from({ length: 2_000_000 }, () => []);
    const json = new CompressedSerde(new JsonSerde(), { level: 1, maxOutput: 128 << 20 });
    const { data, flags } = json.serialize(lists, KEY);
    expect((json.deserialize(Buffer.from(data), flags, KEY) as unknown[]).length).toBe(2_000_000);
  });

  it('gives the caller an error that says nothing of the value', () => {
    const json = new CompressedSerde(new JsonSerde());
    const { data, flags } = json.serialize({ secret: 'hunter2 '.repeat(100) }, KEY);
    const cut = Buffer.from(data).subarray(0, -1);
    expect(() => json.deserialize(cut, flags, KEY)).toThrow(/^the compressed value is cut short$/);
  });
});
