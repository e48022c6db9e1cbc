/** Bytes that were changed: each is refused with an error of ours, or read. Nothing else happens. */
import { serialize } from 'node:v8';
import { PythonSerde, StructuredSerde, type CacheValue } from '../../src/serde';
import { readMutated } from './mutations';
import { pythonVectors } from './python-vectors';

const structured = new StructuredSerde();
const FLAGS = 256 + 512 * (serialize(null)[1] ?? 0);
const python = new PythonSerde();

it('StructuredSerde survives 100 000 mutations of what it wrote', () => {
  const values = [
    { id: 1, name: 'Ada', tags: ['a', 'b'], nested: { deep: [1.5, null, undefined] } },
    [1, , 3, 'x'.repeat(50)], // eslint-disable-line no-sparse-arrays -- has a form of its own
    new Map<unknown, unknown>([['k', new Date(0)], [1, /a+/g]]),
    new Set([1n, 2n ** 80n, 'é', '漢']),
    new TypeError('t', { cause: new Error('c') }),
    [Buffer.from('bytes'), new Float64Array(3), new DataView(new ArrayBuffer(5)), new ArrayBuffer(9)],
    [Object(1), Object('s'), Object(true), -5, 2 ** 40, -0],
  ];
  const samples = values.map((value) => Buffer.from(structured.serialize(value).data));
  const good = readMutated(samples, 100_000, (data) => structured.deserialize(data, FLAGS));
  expect(good).toBeGreaterThan(5000);
});

it('PythonSerde survives 100 000 mutations of what Python and of what we wrote', () => {
  const ours: CacheValue[] = [[new Date(0), new Set([1, 2]), Buffer.from('bytes'), 1.5, -1, 2 ** 40, true, null], { a: { b: [1, 'text'] }, c: new Map([[1, 2]]) }];
  const samples = [
    ...pythonVectors().filter(({ data, flags }) => flags === 1 && data.length < 400).map(({ data }) => data),
    ...ours.map((value) => Buffer.from(python.serialize(value).data)),
  ];
  const good = readMutated(samples, 100_000, (data) => python.deserialize(data, 1));
  expect(good).toBeGreaterThan(1000);
});
