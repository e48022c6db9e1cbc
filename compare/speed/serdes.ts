/** `npm run bench -- serdes [--quick] [--write-docs]`: CPU to write and read a value, per serde, and what a serde adds to a `get`. */
import { parseArgs } from 'node:util';
import { deserialize, serialize } from 'node:v8';
import { deflateSync, inflateSync } from 'node:zlib';
import type { TopLevelSpec } from 'vega-lite';
import { brotli } from '../../examples/custom-codec';
import { Client, CompressedSerde, JsonSerde, PythonSerde, RawSerde, StringSerde, StructuredSerde, TypedSerde, VersionedSerde } from '../../src';
import type { Serde } from '../../src';
import { machine, writeChart, writePart } from '../../tools/page';
import { startMemcached } from './server';

const { values: options } = parseArgs({ options: { quick: { type: 'boolean', default: false }, 'write-docs': { type: 'boolean', default: false } } });

/** Milliseconds of CPU per measurement, and measurements per figure, of which the median counts. */
const [SPAN, ROUNDS] = options.quick ? [20, 3] : [100, 9];

interface Contestant {
  readonly name: string;
  readonly role: 'ours' | 'peer' | 'baseline';
  readonly takes: 'record' | 'text' | 'bytes';
  readonly write: (value: unknown) => { data: Buffer; flags: number };
  readonly read: (data: Buffer, flags: number) => unknown;
}

function ours(name: string, serde: Serde<unknown, never>, takes: Contestant['takes'] = 'record'): Contestant {
  return {
    name,
    role: 'ours',
    takes,
    write: (value) => {
      const { data, flags } = serde.serialize(value as never, 'key');
      return { data: typeof data === 'string' ? Buffer.from(data) : Buffer.from(data.buffer, data.byteOffset, data.length), flags };
    },
    read: (data, flags) => serde.deserializeInPlace?.(data, 0, data.length, flags, 'key') ?? serde.deserialize(data, flags, 'key'),
  };
}

/** What npm's memcached escapes in a value, although no client need. */
const LINE_END = /(\r|\n)/g;
const ESCAPED_LINE_END = /\\(\r|\n)/g;

/** The npm packages as their own code does it, without the network: `lib/memcached.js` and `lib/value-packer.js`. */
const contestants: readonly Contestant[] = [
  {
    name: 'JSON.stringify, JSON.parse',
    role: 'baseline',
    takes: 'record',
    write: (value) => ({ data: Buffer.from(JSON.stringify(value)), flags: 0 }),
    read: (data) => JSON.parse(data.toString()) as unknown,
  },
  ours('JsonSerde', new JsonSerde()),
  ours('TypedSerde', new TypedSerde()),
  ours('VersionedSerde(JsonSerde)', new VersionedSerde(new JsonSerde(), 1)),
  {
    name: 'npm memcached',
    role: 'peer',
    takes: 'record',
    write: (value) => ({ data: Buffer.from(JSON.stringify(value).replace(LINE_END, '\\$1')), flags: 2 }),
    read: (data) => JSON.parse(data.toString().replace(ESCAPED_LINE_END, '$1')) as unknown,
  },
  {
    name: 'npm memcache-client',
    role: 'peer',
    takes: 'record',
    write: (value) => ({ data: Buffer.from(JSON.stringify(value)), flags: 2 }),
    // Its JSON.parse is given the Buffer.
    read: (data) => JSON.parse(data as unknown as string) as unknown,
  },
  ours('StructuredSerde', new StructuredSerde()),
  { name: 'node:v8 alone', role: 'baseline', takes: 'record', write: (value) => ({ data: serialize(value), flags: 0 }), read: (data) => deserialize(data) as unknown },
  ours('PythonSerde', new PythonSerde()),
  {
    name: 'JSON, node:zlib',
    role: 'baseline',
    takes: 'record',
    write: (value) => ({ data: deflateSync(JSON.stringify(value)), flags: 0 }),
    read: (data) => JSON.parse(inflateSync(data).toString()) as unknown,
  },
  ours('CompressedSerde(JsonSerde)', new CompressedSerde(new JsonSerde())),
  ours('CompressedSerde, level 1', new CompressedSerde(new JsonSerde(), { level: 1 })),
  ours('CompressedSerde, Brotli codec', new CompressedSerde(new JsonSerde(), { codec: brotli })),
  ours('TypedSerde, text', new TypedSerde(), 'text'),
  ours('StringSerde, text', new StringSerde(), 'text'),
  ours('TypedSerde, bytes', new TypedSerde(), 'bytes'),
  ours('RawSerde, bytes', new RawSerde(), 'bytes'),
];

/** Records whose JSON is of about `length` bytes. */
function record(length: number): unknown {
  const entry = (i: number): object => ({ id: i, name: `user ${i * 7919}`, tags: ['a', 'b'], score: i / 7 });
  const list: object[] = [];
  while (JSON.stringify(list).length < length - 40) list.push(entry(list.length));
  return list;
}

interface Line {
  readonly name: string;
  readonly role: Contestant['role'];
  readonly size: string;
  readonly write: number;
  readonly read: number;
  readonly stored: number;
}

const median = (figures: readonly number[]): number => [...figures].sort((a, b) => a - b)[Math.floor((figures.length - 1) / 2)] ?? 0;

/** Microseconds of CPU per call. */
function cost(call: () => unknown): number {
  let calls = 1;
  for (;;) {
    const before = process.cpuUsage();
    for (let i = 0; i < calls; i++) call();
    const { user, system } = process.cpuUsage(before);
    if (user + system >= SPAN * 1000) return (user + system) / calls;
    calls *= 2;
  }
}

function measure(size: string, length: number): Line[] {
  const json = JSON.stringify(record(length));
  const values = { record: record(length), text: json, bytes: Buffer.from(json) };
  const prepared = contestants.map((contestant) => {
    const value = values[contestant.takes];
    const { data, flags } = contestant.write(value);
    if (JSON.stringify(contestant.read(data, flags)) !== JSON.stringify(value)) throw new Error(`${contestant.name} does not read what it wrote`);
    return { contestant, value, data, flags, write: [] as number[], read: [] as number[] };
  });
  for (let round = 0; round < ROUNDS; round++) {
    for (const { contestant, value, data, flags, write, read } of prepared) {
      write.push(cost(() => contestant.write(value)));
      read.push(cost(() => contestant.read(data, flags)));
    }
  }
  return prepared.map(({ contestant: { name, role }, data, write, read }) => ({ name, role, size, write: median(write), read: median(read), stored: data.length }));
}

/** What a `TypedSerde` adds to the CPU of a `get` of 100 bytes, over a serde that makes the same value and looks at no flags. */
async function shareOfGet(): Promise<string[]> {
  const server = await startMemcached();
  const address = `127.0.0.1:${server.port}`;
  const pairs = {
    text: { typed: new Client(address), plain: new Client(address, { serde: new StringSerde() }) },
    bytes: { typed: new Client(address), plain: new Client(address, { serde: new RawSerde() }) },
  };
  await pairs.text.typed.set('text', 'x'.repeat(100));
  await pairs.bytes.typed.set('bytes', Buffer.alloc(100));
  const shares: string[] = [];
  for (const [kind, { typed, plain }] of Object.entries(pairs)) {
    const figures: { typed: number[]; plain: number[] } = { typed: [], plain: [] };
    for (let round = 0; round < 3 * ROUNDS; round++) {
      figures.typed.push(await costOfGet(typed, kind));
      figures.plain.push(await costOfGet(plain, kind));
    }
    const [typedCost, base] = [median(figures.typed), median(figures.plain)];
    shares.push(`${kind}: ${typedCost.toFixed(2)} µs of CPU per \`get\`, against ${base.toFixed(2)} µs with a ${kind === 'text' ? 'StringSerde' : 'RawSerde'} (${typedCost < base ? '−' : '+'}${Math.abs((typedCost / base - 1) * 100).toFixed(0)} %)`);
    await Promise.all([typed.close(), plain.close()]);
  }
  server.stop();
  return shares;
}

/** Microseconds of CPU per `get`, 100 under way at a time. */
async function costOfGet(client: { get(key: string): Promise<unknown> }, key: string): Promise<number> {
  const batches = options.quick ? 100 : 400;
  const before = process.cpuUsage();
  for (let i = 0; i < batches; i++) await Promise.all(Array.from({ length: 100 }, () => client.get(key)));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / batches / 100;
}

function table(lines: readonly Line[], sizes: readonly string[]): string {
  const figure = (value: number): string => value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
  const rows = contestants.map(({ name }) => {
    const cells = sizes.map((size) => {
      const line = lines.find((candidate) => candidate.name === name && candidate.size === size);
      return line === undefined ? '–' : `${figure(line.write)} + ${figure(line.read)} | ${line.stored.toLocaleString('en')}`;
    });
    return `| ${name} | ${cells.join(' | ')} |`;
  });
  return `| | ${sizes.map((size) => `${size}: µs | bytes`).join(' | ')} |\n|---|${sizes.map(() => '---:|---:').join('|')}|\n${rows.join('\n')}`;
}

function chart(lines: readonly Line[], sizes: readonly string[]): TopLevelSpec {
  const values = lines.flatMap(({ name, role, size, write, read }) => [
    { name, size, part: `${role}, writing`, cpu: write, order: 0 },
    { name, size, part: `${role}, reading`, cpu: read, order: 1 },
  ]);
  const parts = ['ours', 'peer', 'baseline'].flatMap((role) => [`${role}, writing`, `${role}, reading`]);
  return {
    data: { values },
    facet: { field: 'size', type: 'nominal', sort: [...sizes], title: 'CPU time to write and read a value, in µs (shorter is better)' },
    spec: {
      width: 230,
      height: { step: 14 },
      mark: 'bar',
      encoding: {
        y: { field: 'name', type: 'nominal', sort: contestants.map(({ name }) => name), title: null },
        x: { field: 'cpu', type: 'quantitative', title: null },
        order: { field: 'order' },
        color: { field: 'part', type: 'nominal', title: null, scale: { domain: parts, range: ['#2b6cb0', '#90cdf4', '#718096', '#cbd5e0', '#b7791f', '#f6e05e'] } },
      },
    },
    resolve: { scale: { x: 'independent' } },
    config: { background: 'white' },
  };
}

async function main(): Promise<void> {
  const sizes = ['100 B', '4 KB', '100 KB'];
  const lines = [100, 4096, 102_400].flatMap((length, i) => measure(sizes[i] ?? '', length));
  const shares = await shareOfGet();
  const report = `${table(lines, sizes)}\n\nWhat a \`TypedSerde\` adds to a \`get\` of 100 bytes:\n\n${shares.map((share) => `- ${share}`).join('\n')}`;
  console.log(report);
  if (!options['write-docs']) return;
  await writeChart('benchmarks/serdes.svg', chart(lines, sizes));
  await writePart('serdes.md', 'bench -- serdes', `${report}\n\n${machine()}`);
}

void main();
