import { execFileSync } from 'node:child_process';
import { serialize } from 'node:v8';
import * as fc from 'fast-check';
import { MemcacheSerdeError } from '../../src/errors';
import { CompressedSerde, StructuredSerde } from '../../src/serde';
import { anyCharacter, anyCodeUnit } from '../support/any-string';

const structured = new StructuredSerde();
const FLAGS = 256 + 512 * (serialize(null)[1] ?? 0);

function roundTrip(value: unknown): unknown {
  const { data, flags } = structured.serialize(value);
  expect(flags).toBe(FLAGS);
  const bytes = Buffer.from(data);
  const around = Buffer.concat([Buffer.from('!'), bytes, Buffer.from('!')]);
  const read = structured.deserializeInPlace(around, 1, 1 + bytes.length, flags);
  around.fill(0);
  bytes.fill(0);
  return read;
}

/** A value as one character per byte, behind the header of version 15. */
function read(format: string): unknown {
  return structured.deserialize(Buffer.from(`\xff\x0f${format}`, 'latin1'), 256 + 512 * 15);
}

const anything = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(undefined, null, true, 0, -0, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 63, 2n ** 63n, -(2n ** 200n), /a+[b]/giu),
    fc.double(),
    fc.bigInt(),
    fc.string({ unit: anyCharacter }),
    fc.string({ unit: anyCodeUnit }),
    // Jest says of a date that is none that it is not equal to itself.
    fc.date({ noInvalidDate: true }),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    fc.oneof(fc.uint8Array(), fc.int16Array(), fc.float64Array(), fc.bigInt64Array()),
    fc.array(tie('value')),
    fc.sparseArray(tie('value')),
    fc.dictionary(fc.oneof(fc.string(), fc.constantFrom('__proto__', '1', '4000')), tie('value')),
    fc.array(tie('value')).map((items) => new Set(items)),
    fc.array(fc.tuple(tie('value'), tie('value'))).map((pairs) => new Map(pairs)),
    fc.tuple(fc.string(), tie('value')).map(([message, cause]) => new RangeError(message, { cause })),
  ),
})).value;

function thrownBy(action: () => unknown): unknown {
  try {
    return action();
  } catch (error) {
    return error;
  }
}

describe('StructuredSerde', () => {
  it.each<[string, unknown, string]>([
    ['a function', () => 'hush', 'a function or a symbol could not be cloned'],
    ['a method, of several lines', { hush() {
      return 'hush';
    } }, 'a function or a symbol could not be cloned'],
    ['a class', class { hush = 1; }, 'a function or a symbol could not be cloned'],
    ['a symbol', [Symbol('hush could not be cloned.')], 'a function or a symbol could not be cloned'],
    ['a Promise', new Map([['hush', Promise.resolve('hush')]]), '[object Promise] could not be cloned'],
    ['a generator', (function* hush() { yield 1; })(), '[object Generator] could not be cloned'],
  ])('refuses %s without quoting it', (_, value, message) => {
    const error = thrownBy(() => structured.serialize(value));
    expect(error).toEqual(new MemcacheSerdeError(message));
    expect(error).not.toHaveProperty('cause');
  });

  it('lets pass what a getter throws', () => {
    // One of them cannot be made a string.
    for (const mine of [new Error('mine'), Object.create(null), null] as unknown[]) {
      expect(thrownBy(() => structured.serialize({ get a() { throw mine; } }))).toBe(mine);
    }
  });

  it('gives back a date that is none', () => {
    expect(String(roundTrip(new Date(Number.NaN)))).toBe('Invalid Date');
  });

  it('gives back an object with thousands of keys that are numbers', () => {
    const byNumber = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [i, 0]));
    expect(roundTrip(byNumber)).toEqual(byNumber);
  });

  it('gives back what went in', () => {
    fc.assert(
      fc.property(anything, (value) => {
        expect(roundTrip(value)).toEqual(value);
      }),
      { numRuns: 800 },
    );
  });

  it.each<[string, unknown]>([
    ['1 MB of text', 'x'.repeat(1_000_000)],
    ['1 MB of text beyond Latin-1', '漢字🍺'.repeat(250_000)],
    ['an array with holes', Object.assign([1, undefined, 3], { 5: 6, named: 'property' })],
    ['a sparse array', Object.assign([], { 100_000: 'far' })],
    ['objects of primitives', [Object(1), Object('s'), Object(true), Object(3n)]],
    ['an ArrayBuffer and a DataView', [new ArrayBuffer(3), new DataView(new ArrayBuffer(2))]],
    ['a large array of numbers', Array.from({ length: 100_000 }, (_, i) => i * 1.5)],
    ['nothing', {}],
    ['an error without a stack', Object.assign(new TypeError('t'), { stack: undefined })],
  ])('carries %s', (_, value) => {
    expect(roundTrip(value)).toEqual(value);
  });

  it('keeps classes of errors, causes, Buffers, and what is shared or circular', () => {
    const shared = { bytes: Buffer.from('bytes'), view: new Float64Array([1.5]) };
    const circle: Record<string, unknown> = { error: new RangeError('far', { cause: new TypeError('why') }), a: shared, b: shared };
    circle['self'] = circle;
    const value = roundTrip(circle) as typeof circle;
    expect(value['self']).toBe(value);
    expect(value['a']).toBe(value['b']);
    expect(Buffer.isBuffer((value['a'] as typeof shared).bytes)).toBe(true);
    expect((value['a'] as typeof shared).view).toEqual(new Float64Array([1.5]));
    // By name: V8 reads into the realm of Node, and jest runs tests in another.
    expect((value['error'] as Error).constructor.name).toBe('RangeError');
    expect(((value['error'] as Error).cause as Error).constructor.name).toBe('TypeError');
  });

  it('works compressed, and in flags of 32 bits', () => {
    const serde = new CompressedSerde(structured);
    const value = new Map([['a'.repeat(1000), new Date(5)]]);
    const { data, flags } = serde.serialize(value, 'key');
    expect(flags).toBe(FLAGS + 8);
    expect(serde.deserialize(Buffer.from(data), flags, 'key')).toEqual(value);
  });

  it.each<[string, unknown]>([
    ['a function', () => 0],
    ['a symbol', Symbol('s')],
    ['a promise', Promise.resolve()],
    ['shared memory', new SharedArrayBuffer(1)],
    ['an array of thirty million holes', Object.assign([], { length: 30_000_000 })],
  ])('refuses to write %s', (_, value) => {
    expect(() => structured.serialize(value)).toThrow();
  });

  it('tells what is wrong with the flags', () => {
    const data = serialize('x');
    for (const flags of [0, 64, 256, 512 * 15, 256 + 512 * 14, 256 + 512 * 256, FLAGS + 1]) expect(() => structured.deserialize(data, flags)).toThrow(/flags \d+/);
    expect(() => structured.deserialize(data, 256 + 512 * 200)).toThrow('a newer Node stored it');
    expect(() => structured.deserialize(Buffer.from('\xff\x0e0', 'latin1'), FLAGS)).toThrow('version');
  });

  it('makes __proto__ a property', () => {
    const value = roundTrip(JSON.parse('{"__proto__": {"polluted": true}}')) as object;
    expect(Object.keys(value)).toEqual(['__proto__']);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});

describe('hostile bytes', () => {
  it.each<[string, string]>([
    ['nothing', ''],
    ['something behind the end', '00'],
    ['text that is cut short', '"\x05abc'],
    ['a length of 2^35', `"${'\xff'.repeat(5)}\x01abc`],
    ['a bigint that is cut short', 'Z\xfe\xff\xff\xff\x07'],
    ['bytes of another kind', '\\\x20\x01a'],
    ['bytes of a length they have not', '\\\x01\xff\xff\xff\xff\x0f'],
    ['an object without end', 'o"\x01aI\x02'],
    ['a wrong number of properties', 'o"\x01aI\x02{\x05'],
    ['shared memory', 'u\0'],
    ['a buffer that can grow', '~\x01\xff\xff\xff\xff\x0f\0'],
    ['a view of a buffer', 'B\x01\0VB\0\x01\0'],
    ['an error with a part that errors have not', 'rX.'],
    ['an error whose message is no text', 'rmI\x02.'],
    ['a reference to what is not there', '^\x05'],
    ['a RegExp that is none', 'R"\x01(\0'],
    ['a million objects in each other', 'o"\x01a'.repeat(1_000_000)],
  ])('refuses %s', (_, format) => {
    expect(() => read(format)).toThrow(MemcacheSerdeError);
  });

  it.each<[string, string]>([
    ['sparse arrays of thirty million elements', 'a\x80\x87\xa7\x0e'.repeat(8)],
    ['arrays with the one key 4000', `A\xd0\x0f${'A\x01I\x02"\x044000I\x02$\x01\x01'.repeat(2000)}$\0\xd0\x0f`],
    ['an array that claims 2^32 elements', 'a\xff\xff\xff\xff\x0f@\0\xff\xff\xff\xff\x0f'],
    ['arrays in each other, each with room for all that is left', Array.from({ length: 10_000 }, () => 'A\xff\x7f').join('')],
    ['a million Maps', `A\xc0\x84\x3d${';:\0'.repeat(1_000_000)}$\0\xc0\x84\x3d`],
    ['objects with one far element', `A\xa0\x8d\x06${'oU\xa0\x1fI\x02{\x01'.repeat(100_000)}$\0\xa0\x8d\x06`],
    ['objects with one far element, as text', `A\xa0\x8d\x06${'o"\x044000I\x02{\x01'.repeat(100_000)}$\0\xa0\x8d\x06`],
    ['objects with one far element, as wide text', `A\xa0\x8d\x06${'oc\x084\x000\x000\x000\x00I\x02{\x01'.repeat(100_000)}$\0\xa0\x8d\x06`],
  ])('bounds the memory of %s', (_, format) => {
    expect(() => read(format)).toThrow('too much memory');
  });

  it('sees what would have ended the process', () => {
    const program = "require('node:v8').deserialize(Buffer.from('\\xff\\x0f' + 'a\\x80\\x87\\xa7\\x0e'.repeat(8), 'latin1'))";
    const node = [process.execPath, ['--max-old-space-size=100', '--stack-trace-limit=0', '-e', program], { stdio: 'pipe' }] as const;
    expect(() => execFileSync(...node)).toThrow(/heap|memory/i);
  });
});

it.each([
  ['writes another format, as in Bun', () => Buffer.from([0x0e, 0, 0])],
  ["is a stub, as in Cloudflare's Workers, and the package loads", (value: unknown) => Buffer.from(value as Uint8Array)],
])('is refused where node:v8 %s', (_, serialize) => {
  jest.isolateModules(() => {
    jest.doMock('node:v8', () => ({ serialize, deserialize: () => null }));
    const serde = jest.requireActual<typeof import('../../src/serde')>('../../src/serde');
    expect(() => new serde.StructuredSerde()).toThrow(/^StructuredSerde needs the format of V8/);
    jest.dontMock('node:v8');
  });
});
