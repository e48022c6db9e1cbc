import { runInNewContext } from 'node:vm';
import * as fc from 'fast-check';
import { MemcacheSerdeError } from '../../src/errors';
import { TypedSerde, type CacheValue } from '../../src/serde';
import { pythonVectors } from './python-vectors';
import { anyCharacter } from '../support/any-string';

const typed = new TypedSerde();

function roundTrip(value: CacheValue): CacheValue {
  const { data, flags } = typed.serialize(value);
  const bytes = Buffer.from(data);
  const around = Buffer.concat([Buffer.from('1'), bytes, Buffer.from('1')]);
  const inPlace = typed.deserializeInPlace(around, 1, 1 + bytes.length, flags);
  around.fill(0);
  expect(typed.deserialize(bytes, flags)).toEqual(inPlace);
  return inPlace;
}

describe('TypedSerde', () => {
  it.each<[string, fc.Arbitrary<CacheValue>]>([
    ['text', fc.string({ unit: anyCharacter })],
    ['bytes', fc.uint8Array().map((bytes) => Buffer.from(bytes))],
    ['numbers', fc.oneof(fc.double(), fc.integer(), fc.maxSafeInteger(), fc.constantFrom(-0, Number.NaN, Infinity, -Infinity, 2 ** 53, 2 ** 63, Number.MIN_VALUE))],
    ['bigints', fc.oneof(fc.bigInt(), fc.constantFrom(0n, 2n ** 63n, -(2n ** 64n)))],
    ['booleans and null', fc.constantFrom(true, false, null)],
    ['JSON', fc.oneof(fc.array(fc.jsonValue()), fc.dictionary(fc.string(), fc.jsonValue())).map((value) => JSON.parse(JSON.stringify(value)) as object)],
  ])('gives back %s', (_, values) => {
    fc.assert(
      fc.property(values, (value) => {
        expect(roundTrip(value)).toEqual(value);
      }),
      { numRuns: 300 },
    );
  });

  it('carries 1 MB', () => {
    const read = (value: CacheValue): CacheValue => {
      const { data, flags } = typed.serialize(value);
      return typed.deserialize(Buffer.from(data), flags);
    };
    for (const text of ['x'.repeat(1_000_000), '漢'.repeat(350_000)]) expect(read(text) === text).toBe(true);
    const bytes = Buffer.alloc(1_000_000, 7);
    expect(bytes.equals(read(bytes) as Buffer)).toBe(true);
    const list = Array.from({ length: 100_000 }, (_, i) => i);
    expect(read(list)).toEqual(list);
  });

  it.each<[CacheValue, string, number]>([
    ['text', 'text', 16],
    [7, '7', 2],
    [-0, '-0', 128],
    [1.5, '1.5', 128],
    [2 ** 63, '9223372036854776000', 128],
    [7n, '7', 4],
    [true, 'true', 64],
    [null, 'null', 64],
  ])('writes %p as %s with flags %d', (value, data, flags) => {
    expect(typed.serialize(value)).toEqual({ data, flags });
  });

  it.each(pythonVectors().filter(({ flags }) => flags === 0 || flags === 2 || flags === 16))('reads what pymemcache wrote, $name', ({ data, flags, value }) => {
    expect(typed.deserialize(data, flags)).toEqual(value);
  });

  it('reads counters, with the blanks that are left after counting down, and beyond 2^53', () => {
    expect(typed.deserialize(Buffer.from('9 '), 2)).toBe(9);
    expect(typed.deserialize(Buffer.from('18446744073709551615'), 2)).toBe(2n ** 64n - 1n);
    expect(typed.deserialize(Buffer.from('5'), 4)).toBe(5n);
  });

  it.each(['', ' 1', '1x', '0x10', '1.5', 'NaN', '9'.repeat(20_001)])('takes %j for no integer', (text) => {
    for (const flags of [2, 4]) expect(() => typed.deserialize(Buffer.from(text), flags)).toThrow(MemcacheSerdeError);
  });

  it.each(['', ' ', '1.5x', 'x1.5', '1,5', 'NaN1', 'nan', '1.5\n2'])('takes %j for no number', (text) => {
    expect(() => typed.deserialize(Buffer.from(text), 128)).toThrow('the item is flagged as a number, but is not');
  });

  it('reads a number that the server has counted down', () => {
    expect(typed.deserialize(Buffer.from('9223372036854776 '), 128)).toBe(9223372036854776);
  });

  it.each<[string, number, RegExp]>([
    ["true of Java's clients and PHP's memcache", 256, /StructuredSerde/],
    ["a long of Java's clients, an integer of PHP's memcache", 768, /StructuredSerde/],
    ["a double of Java's clients and PHP's memcache", 1792, /StructuredSerde/],
    ["an integer of PHP's memcached, with flags of its user's", 65_537, /PythonSerde/],
  ])('recommends no serde that cannot read %s', (_, flags, serde) => {
    const read = (): unknown => typed.deserialize(Buffer.from('1'), flags);
    expect(read).toThrow('use the serde it was stored with, or a RawSerde');
    expect(read).not.toThrow(serde);
  });

  it.each<[number, RegExp]>([
    [8, /CompressedSerde/],
    [24, /CompressedSerde/],
    [1, /PythonSerde/],
    ...[1, 3, 5, 6, 7].map((flags): [number, RegExp] => [flags, /a value of PHP, Ruby or Java/]),
    [256 + 512 * 15, /StructuredSerde/],
    [32, /RawSerde/],
    [0xffff_ffff, /CompressedSerde/],
  ])('says which serde reads flags %d', (flags, advice) => {
    expect(() => typed.deserialize(Buffer.from('x'), flags)).toThrow(advice);
  });

  it.each<[string, unknown]>([
    ['undefined', undefined],
    ['a function', () => 0],
    ['a symbol', Symbol('s')],
    ['half a surrogate pair', 'a\ud800'],
    ['a bigint of 30 000 digits', 10n ** 30_000n],
  ])('refuses to write %s', (_, value) => {
    expect(() => typed.serialize(value as CacheValue)).toThrow(MemcacheSerdeError);
  });
});

it.each<[string, object]>([
  ['Map', new Map([[1, 2]])],
  ['Set', new Set([1])],
  ['Date', new Date(0)],
  ['RegExp', /x/],
  ['Promise', Promise.resolve(1)],
  ['ArrayBuffer', new ArrayBuffer(8)],
  ['Float64Array', new Float64Array(2)],
  ['TypeError', new TypeError('x')],
  ['SharedArrayBuffer', new SharedArrayBuffer(8)],
  ['URLSearchParams', new URLSearchParams('a=1')],
  ['Headers', new Headers({ a: '1' })],
  ['Blob', new Blob(['x'])],
  ['Generator', (function* () { yield 1; })()],
  ['Iterator', [1].values()],
  ['RegExp String Iterator', 'a'.matchAll(/a/g)],
  ['Map', runInNewContext('new Map([[1, 2]])') as object],
  ['Set', runInNewContext('new Set([1])') as object],
  ['Date', runInNewContext('new Date(0)') as object],
  ['Own', new (class Own extends Map<string, string> { override get [Symbol.toStringTag]() { return 'whatever'; } })()],
])('a %s, of which JSON would make something else, is refused', (name, value) => {
  expect(() => new TypedSerde().serialize(value)).toThrow(name);
  expect(() => new TypedSerde().serialize(value)).toThrow(MemcacheSerdeError);
});

it('objects of other classes are what JSON makes of them', () => {
  class Point {
    constructor(readonly x: number) {}
  }
  const told = { toJSON: () => 'told' };
  const read = (value: object): unknown => {
    const { data, flags } = new TypedSerde().serialize(value);
    return new TypedSerde().deserialize(Buffer.from(data as string), flags);
  };
  expect([read(new Point(1)), read(told), read(Object.create(null) as object), read([new Date(0)])]).toEqual([{ x: 1 }, 'told', {}, ['1970-01-01T00:00:00.000Z']]);
});
