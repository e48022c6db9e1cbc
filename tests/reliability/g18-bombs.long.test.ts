import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { runAlone } from '../support/program';
import type { ReadOrder, ReadReport } from './alone/read-value';
import { report } from './report';

const MIB = 1024 * 1024;
const MAX_OUTPUT = 16 * MIB;
/** What a process takes for other reasons meanwhile: code that is compiled, garbage that waits. */
const SLACK = 8 * MIB;
/** What may be made of pickles and structured values, in the budget of their readers. */
const OBJECTS = 64 * MIB;

const le32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};

/** A pickle of protocol 2. */
const pickle = (...body: (Buffer | string)[]): Buffer =>
  Buffer.concat([Buffer.from([0x80, 2]), ...body.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)), Buffer.from('.')]);

/** Something of V8's format, version 15, that tells a length of 2^28 - 1, and has nothing behind it. */
const v8 = (tag: string, ...rest: number[]): Buffer => Buffer.concat([Buffer.from([0xff, 15]), Buffer.from(tag), Buffer.from([0xff, 0xff, 0xff, 0x7f, ...rest])]);
const V8_FLAGS = 256 + 512 * 15;

const bombs: readonly (readonly [name: string, serde: ReadOrder['serde'], data: Buffer, flags: number])[] = [
  ['zeros, 1000 : 1', 'compressed', deflateSync(Buffer.alloc(64 * MIB)), 8],
  ['a repeated sentence', 'compressed', deflateSync(Buffer.alloc(24 * MIB, 'all work and no play ')), 8],
  ['zeros, for Python', 'python', deflateSync(Buffer.alloc(64 * MIB)), 8],
  ['a compressed pickle', 'python', deflateSync(pickle('B', le32(0x3ff_fff0), Buffer.alloc(64 * MIB))), 9],
  ['bytes announced and not there', 'python', pickle('B', le32(0x7fff_ffff), 'x'), 1],
  ['text announced and not there', 'python', pickle('X', le32(0xffff_fff0), 'x'), 1],
  ['a long announced and not there', 'python', pickle('\x8b', le32(0x7fff_ffff), 'x'), 1],
  ['lists in lists', 'python', deflateSync(pickle(']'.repeat(4 * MIB), 'a'.repeat(4 * MIB - 1))), 9],
  ['millions of dicts', 'python', deflateSync(pickle('](', '}'.repeat(15 * MIB), 'e')), 9],
  ['a number of ten million digits', 'python', deflateSync(Buffer.alloc(10_000_000, '9')), 12],
  ['a long of ten million digits in a pickle', 'python', deflateSync(pickle('I', '9'.repeat(10_000_000), '\n')), 9],
  ['a dense array announced', 'structured', v8('A'), V8_FLAGS],
  ['a sparse array announced', 'structured', v8('a'), V8_FLAGS],
  ['a buffer announced', 'structured', v8('B', 0), V8_FLAGS],
  ['a bigint announced', 'structured', v8('Z', 0), V8_FLAGS],
  ['a string announced', 'structured', v8('"', 0), V8_FLAGS],
];

/** The most that one took, of those that are bytes and of those that become something else. */
let [mostBytes, mostObjects] = [0, 0];

it.each(bombs)('%s: refused, for no more memory than is allowed', async (name, serde, data, flags) => {
  const order: ReadOrder = { serde, data: data.toString('base64'), flags, maxOutput: MAX_OUTPUT };
  const { refused, growth, cpu } = await runAlone<ReadReport>(join(__dirname, 'alone', 'read-value.ts'), order);
  console.log(`${name}: ${refused}; ${(growth / MIB).toFixed(1)} MiB, ${cpu.toFixed(0)} ms`);
  expect(refused).toMatch(/./);
  expect(refused).not.toMatch(/^NOT OURS/);
  if (serde === 'compressed' || flags === 8) mostBytes = Math.max(mostBytes, growth);
  else mostObjects = Math.max(mostObjects, growth);
});

it('none took more than is allowed', () => {
  const outcome = (goal: string, what: string, most: number, limit: number): void => {
    report({
      goal,
      claim: `${what} are refused; MiB that the process took at the most, with a maxOutput of 16 MiB`,
      n: bombs.length,
      value: Math.round((most / MIB) * 10) / 10,
      limit: limit / MIB,
      pass: most < limit,
    });
  };
  outcome('G18', 'Bombs of zlib', mostBytes, MAX_OUTPUT + SLACK);
  outcome('G18-objects', 'Bombs of pickles and structured values', mostObjects, MAX_OUTPUT + OBJECTS + SLACK);
});
