import { runInNewContext } from 'node:vm';
import * as fc from 'fast-check';
import { MemcacheIllegalInputError, MemcacheSerdeError } from '../../src/errors';
import { CompressedSerde, PythonSerde, type CacheValue } from '../../src/serde';
import { pythonVectors } from './python-vectors';
import { anyCharacter, anyCodeUnit } from '../support/any-string';

const python = new PythonSerde();
const compressed = new CompressedSerde(python, { minLength: 0 });

function roundTrip(value: CacheValue, serde: typeof compressed | PythonSerde = python): unknown {
  const { data, flags } = serde.serialize(value, 'key');
  const bytes = Buffer.from(data);
  const around = Buffer.concat([Buffer.from('('), bytes, Buffer.from('.')]);
  const inPlace = serde.deserializeInPlace(around, 1, 1 + bytes.length, flags, 'key');
  around.fill(0);
  expect(serde.deserialize(bytes, flags, 'key')).toEqual(inPlace);
  return inPlace;
}

/** What is written and read back as the same. */
const plain = fc.letrec<{ value: unknown; key: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, false, 0, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 2 ** 31, -(2 ** 31), 2 ** 53, 2 ** 63, 2n ** 63n, -(2n ** 64n)),
    fc.double(),
    fc.maxSafeInteger(),
    fc.bigInt().filter((value) => !Number.isSafeInteger(Number(value))),
    fc.string({ unit: anyCharacter }),
    fc.string({ unit: anyCodeUnit }),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    fc.date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }),
    fc.array(tie('value')),
    fc.dictionary(fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', '1')), tie('value')),
    fc.array(tie('key')).map((items) => new Set(items)),
    fc.array(fc.tuple(tie('key'), tie('value')), { minLength: 1 }).map((pairs) => new Map<unknown, unknown>([[1, 'not only text'], ...pairs])),
  ),
  key: fc.oneof({ maxDepth: 2 }, fc.integer(), fc.string(), fc.boolean(), fc.double({ noNaN: true }), fc.constant(null), fc.array(tie('key'), { maxLength: 3 })),
})).value;

describe('PythonSerde', () => {
  it.each(pythonVectors())('reads what pymemcache wrote, $name', ({ data, flags, value }) => {
    expect(python.deserialize(data, flags)).toEqual(value);
    const around = Buffer.concat([Buffer.from('before'), data, Buffer.from('after')]);
    expect(python.deserializeInPlace(around, 6, 6 + data.length, flags)).toEqual(value);
    expect(compressed.deserialize(data, flags, 'key')).toEqual(value);
  });

  it('gives back plain data as it went in, compressed or not', () => {
    fc.assert(
      fc.property(plain, (value) => {
        expect(roundTrip(value as CacheValue)).toEqual(value);
        expect(roundTrip(value as CacheValue, compressed)).toEqual(value);
      }),
      { numRuns: 500 },
    );
  });

  it.each<[string, CacheValue, number]>([
    ['text', 'tëxt', 16],
    ['half a surrogate pair, which needs a pickle', 'a\ud800', 1],
    ['an int', 42, 2],
    ['a bigint', 42n, 4],
    ['a bigint of 4300 digits', 10n ** 4299n, 4],
    ['a longer one, which Python does not read as text', -(10n ** 4300n), 1],
    ['-0', -0, 1],
    ['2^63', 2 ** 63, 1],
    ['a float', 1.5, 1],
    ['true', true, 1],
    ['bytes', Buffer.of(0, 255), 0],
    ['null', null, 1],
    ['an array', [], 1],
  ])('writes %s as Python does', (_, value, flags) => {
    expect(python.serialize(value).flags).toBe(flags);
    expect(roundTrip(value)).toEqual(value);
  });

  it('carries 1 MB of text and of bytes', () => {
    const text = 'é漢🍺'.repeat(150_000);
    const bytes = Buffer.alloc(1_000_000, 'bytes \xff');
    const read = (value: CacheValue): CacheValue => {
      const { data, flags } = python.serialize(value);
      return python.deserialize(Buffer.from(data), flags);
    };
    expect(read(text) === text).toBe(true);
    expect((read({ text }) as { text: string }).text === text).toBe(true);
    expect(bytes.equals(read(bytes) as Buffer)).toBe(true);
    expect(bytes.equals((read([bytes]) as [Buffer])[0])).toBe(true);
  });

  it('keeps what is shared shared, in circles too', () => {
    const shared = [1, new Date(0), Buffer.from('bytes')];
    const circle: Record<string, unknown> = { shared, again: shared, set: new Set([1]) };
    circle['self'] = circle;
    circle['map'] = new Map<unknown, unknown>([[1, circle]]);
    const read = roundTrip(circle) as typeof circle;
    expect(read['self']).toBe(read);
    expect(read['shared']).toBe(read['again']);
    expect((read['map'] as Map<unknown, unknown>).get(1)).toBe(read);
    expect(read['shared']).toEqual(shared);
  });

  it('leaves out what is undefined, and reads a Map with keys of text as an object', () => {
    expect(roundTrip({ a: undefined, b: 1 })).toEqual({ b: 1 });
    expect(roundTrip(new Map([['a', 1]]))).toEqual({ a: 1 });
    expect(roundTrip(Object.assign(Object.create(null) as object, { a: 1 }))).toEqual({ a: 1 });
  });

  it('makes __proto__ a property, and changes no prototype', () => {
    const value = roundTrip(JSON.parse('{"__proto__": {"polluted": true}}') as object) as object;
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(Object.keys(value)).toEqual(['__proto__']);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  it('writes Dates, Sets, Maps and objects of another realm', () => {
    const value = runInNewContext("[new Date(5), new Set([1]), new Map([[1, { a: ['b'] }]])]") as unknown[];
    expect(value[0]).not.toBeInstanceOf(Date);
    expect(roundTrip(value)).toEqual([new Date(5), new Set([1]), new Map([[1, { a: ['b'] }]])]);
  });

  it('writes Proxies of Sets and Maps that work as these do', () => {
    const working = <T extends object>(target: T): T =>
      new Proxy(target, { get: (of, name) => (typeof Reflect.get(of, name, of) === 'function' ? (Reflect.get(of, name, of) as (...args: unknown[]) => unknown).bind(of) : Reflect.get(of, name, of)) as unknown });
    expect(roundTrip([working(new Set([1])), working(new Map([[1, 2]]))])).toEqual([new Set([1]), new Map([[1, 2]])]);
  });

  class Thing {
    readonly kind = 'thing';
  }
  it.each<[string, unknown]>([
    ['undefined', undefined],
    ['undefined in an array', [undefined]],
    ['a function', () => 0],
    ['a symbol', { s: Symbol('s') }],
    ['a class instance', new Thing()],
    ['an object of no class', Object.create(Object.create(Object.create(null) as object) as object)],
    ['an object that hides its class', Object.assign(new Thing(), { constructor: null })],
    ['an object that is no Date', Object.create(Date.prototype)],
    ['an invalid date', new Date(Number.NaN)],
    ['a date that Python has not', new Date(-1e15)],
    ['an object in a set', new Set([{}])],
    ['a Map as a key', new Map([[new Map(), 1]])],
    ['a bigint of 30 000 digits', 10n ** 30_000n],
  ])('refuses to write %s', (_, value) => {
    expect(() => python.serialize(value as CacheValue)).toThrow(MemcacheSerdeError);
  });

  it('carries values nested 1000 deep, and refuses deeper ones both ways', () => {
    const nested = (depth: number): unknown => {
      let value: unknown = [];
      for (let i = 1; i < depth; i++) value = i % 2 === 0 ? [value] : { deeper: value };
      return value;
    };
    expect(python.serialize(nested(1000) as object).flags).toBe(1);
    let value = python.deserialize(Buffer.from(python.serialize(nested(1000) as object).data), 1) as unknown;
    let depth = 0;
    for (; typeof value === 'object'; depth++) value = Array.isArray(value) ? (value as unknown[])[0] : (value as { deeper: unknown }).deeper;
    expect(depth).toBe(1000);
    for (const tooDeep of [1001, 1_000_000]) expect(() => python.serialize(nested(tooDeep) as object)).toThrow('nested deeper');
    for (const tooDeep of [1001, 400_000]) {
      expect(() => python.deserialize(Buffer.from(`${']'.repeat(tooDeep)}${'a'.repeat(tooDeep - 1)}.`), 1)).toThrow('nested deeper');
    }
  });

  it.each([3, 5, 64, 256, 32, 17])('refuses flags %d, which no Python client writes', (flags) => {
    expect(() => python.deserialize(Buffer.from('1'), flags)).toThrow(MemcacheSerdeError);
  });

  it('bounds what it decompresses', () => {
    const { data, flags } = compressed.serialize('x'.repeat(1000), 'key');
    expect(() => new PythonSerde({ maxOutput: 999 }).deserialize(Buffer.from(data), flags)).toThrow('maxOutput');
    expect(() => new PythonSerde({ maxOutput: -1 })).toThrow(MemcacheIllegalInputError);
  });
});
