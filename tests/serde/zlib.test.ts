import { brotliCompressSync, constants, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { MemcacheSerdeError } from '../../src/errors';
import { readZlib, zlibCodec, type CompressionLevel } from '../../src/serde/zlib';
import { compressible } from './bytes-to-compress';

const MAX = 1 << 20;

/** What reading gives, or undefined when it is refused; any other error fails the test. */
function read(data: Buffer, maxOutput = MAX): Buffer | undefined {
  try {
    return readZlib(data, maxOutput);
  } catch (error) {
    expect(error).toBeInstanceOf(MemcacheSerdeError);
    return undefined;
  }
}

const strategies = [constants.Z_DEFAULT_STRATEGY, constants.Z_FILTERED, constants.Z_HUFFMAN_ONLY, constants.Z_RLE, constants.Z_FIXED];

describe('readZlib', () => {
  it('reads what zlib writes, in every level, strategy, memory and window', () => {
    const options = fc.record({
      level: fc.integer({ min: 0, max: 9 }),
      strategy: fc.constantFrom(...strategies),
      memLevel: fc.integer({ min: 1, max: 9 }),
      windowBits: fc.integer({ min: 9, max: 15 }),
    });
    fc.assert(
      fc.property(compressible(100_000), options, (data, how) => {
        expect(read(deflateSync(data, how))?.equals(data)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('reads what fflate writes, in every level', () => {
    fc.assert(
      fc.property(compressible(100_000), fc.integer({ min: 0, max: 9 }), (data, level) => {
        expect(read(Buffer.from(zlibCodec(level as CompressionLevel).compress(data)))?.equals(data)).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  it.each([1_000_000, 262_144, 262_144 - 258, 3_000_000])('reads %d bytes, more than one chunk of output', (length) => {
    const noise = Buffer.from(Array.from({ length: 32_768 }, (_, i) => (i * i * 31 + (i >> 3) * 17) & 255));
    for (const data of [Buffer.alloc(length), Buffer.alloc(length, noise), Buffer.alloc(length, noise.subarray(0, 300))]) {
      for (const level of [0, 1, 9]) expect(read(deflateSync(data, { level }), length)?.equals(data)).toBe(true);
    }
  });

  it('of streams that were changed takes only what still says the same', () => {
    let taken = 0;
    fc.assert(
      fc.property(compressible(2000), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }), fc.constantFrom(...strategies), (data, changes, strategy) => {
        const changed = Buffer.from(deflateSync(data, { strategy }));
        for (const [at, byte] of changes) changed[at % changed.length] = byte;
        const value = read(changed);
        if (value === undefined) return;
        taken++;
        expect(value.equals(data)).toBe(true);
      }),
      { numRuns: 1500 },
    );
    expect(taken).toBeGreaterThan(50);
  });

  it('refuses what is no zlib stream', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.boolean(), (bytes, withHeader) => {
        const data = Buffer.from(withHeader ? [0x78, 0x9c, ...bytes] : bytes);
        expect(read(data)).toBeUndefined();
      }),
      { numRuns: 2500 },
    );
  });

  it.each<[string, (good: Buffer) => Buffer]>([
    ['nothing', () => Buffer.alloc(0)],
    ['one byte', (good) => good.subarray(0, 1)],
    ['no checksum', (good) => good.subarray(0, -4)],
    ['a byte behind the end', (good) => Buffer.concat([good, Buffer.of(0)])],
    ['a second stream behind the end', (good) => Buffer.concat([good, good])],
    ['something between the end and the checksum', (good) => Buffer.concat([good.subarray(0, -4), Buffer.of(1, 2, 3), good.subarray(-4)])],
    ['a wrong checksum', (good) => Buffer.concat([good.subarray(0, -4), Buffer.of(1, 2, 3, 4)])],
    ['a dictionary asked for', () => deflateSync('text', { dictionary: Buffer.from('text') })],
    ['another method', (good) => Buffer.concat([Buffer.of(0x79, 0x99), good.subarray(2)])],
  ])('refuses %s', (_, change) => {
    const good = deflateSync('good '.repeat(100));
    expect(read(good)?.toString()).toBe('good '.repeat(100));
    expect(read(change(good))).toBeUndefined();
  });

  it.each([gzipSync, deflateRawSync, brotliCompressSync])('says of what %p wrote that it may be of another format', (compress) => {
    expect(() => readZlib(compress(Buffer.from('text '.repeat(100))), MAX)).toThrow('not in the format of zlib');
  });

  it('stops at maxOutput', () => {
    const data = deflateSync(Buffer.alloc(1000));
    expect(read(data, 1000)?.length).toBe(1000);
    expect(() => readZlib(data, 999)).toThrow('larger than 999 bytes');
    expect(read(deflateSync(''), 0)?.length).toBe(0);
  });

  it('gives out memory of its own', () => {
    const [one, two] = [deflateSync(Buffer.alloc(50_000, 1)), deflateSync(Buffer.alloc(50_000, 2))].map((data) => readZlib(data, MAX));
    expect(one?.every((byte) => byte === 1)).toBe(true);
    expect(two?.every((byte) => byte === 2)).toBe(true);
    expect(one?.buffer.byteLength).toBe(50_000);
  });

  it('refuses a bomb of 1000:1 at the cost of maxOutput and 1 MiB, counting what is garbage by then', () => {
    const bomb = deflateSync(Buffer.alloc(62_000_000));
    expect(bomb.length).toBeLessThan(62_000);
    const allocations = jest.spyOn(Buffer, 'allocUnsafe');
    expect(() => readZlib(bomb, 16 << 20)).toThrow('maxOutput');
    const used = allocations.mock.calls.reduce((sum, [length]) => sum + length, 0);
    allocations.mockRestore();
    expect(used).toBeGreaterThan(15 << 20);
    expect(used).toBeLessThan((16 << 20) + (1 << 20));
  });
});
