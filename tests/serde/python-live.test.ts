import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Client, CompressedSerde, JsonSerde, PythonSerde, TypedSerde, type CacheValue } from '../../src';
import { memcachedBinary, startMemcached, type MemcachedProcess } from '../support/memcached';

/** A Python that has pymemcache: `PYTHON_BIN`, Debian's, or the one on the PATH. */
const python = [process.env['PYTHON_BIN'], '/usr/bin/python3', 'python3'].find(
  (binary) => binary !== undefined && spawnSync(binary, ['-c', 'import pymemcache']).status === 0,
);
if (python === undefined) console.warn('pymemcache was not found, so the tests with Python are skipped. Install it: apt-get install python3-pymemcache');

/** What Python stores, as an expression, and what is read for it. */
const values: readonly (readonly [expression: string, value: CacheValue])[] = [
  ["'text'", 'text'],
  ["''", ''],
  ["'naïve 漢字 🍺\\r\\nEND\\r\\n'", 'naïve 漢字 🍺\r\nEND\r\n'],
  ["'the same over and over ' * 5000", 'the same over and over '.repeat(5000)],
  ["b''", Buffer.alloc(0)],
  ['bytes(range(256))', Buffer.from(Array.from({ length: 256 }, (_, i) => i))],
  ["b'bytes' * 1000", Buffer.alloc(5000, 'bytes')],
  ['0', 0],
  ['-9007199254740991', -9007199254740991],
  ['None', null],
  ['True', true],
  ['False', false],
  ['1.5', 1.5],
  ['-0.0', -0],
  ["float('inf')", Number.POSITIVE_INFINITY],
  ["float('nan')", Number.NaN],
  ['float(2 ** 63)', 2 ** 63],
  ['[]', []],
  ["[1, -1, 255, 256, 65535, 65536, -2147483648, 2147483648, 9007199254740991, 2 ** 63, -(2 ** 200), 'two', [3.25, None]]", [1, -1, 255, 256, 65535, 65536, -2147483648, 2147483648, 9007199254740991, 2n ** 63n, -(2n ** 200n), 'two', [3.25, null]]],
  ['10 ** 4299', 10n ** 4299n],
  ["[b'', b'\\x00\\xff', 'a\\ud800z', '\\n\\\\u0041']", [Buffer.alloc(0), Buffer.of(0, 255), 'a\ud800z', '\n\\u0041']],
  ['{}', {}],
  ["{'a': {'b': [1, {'c': 'd'}]}, '__proto__': 1, 'é': None}", JSON.parse('{"a": {"b": [1, {"c": "d"}]}, "__proto__": 1, "é": null}') as object],
  ["{1: 'one', (2, 3): 'pair', 'text': 4, None: False}", new Map<unknown, unknown>([[1, 'one'], [[2, 3], 'pair'], ['text', 4], [null, false]])],
  ['{1}', new Set([1])],
  ['datetime(2024, 2, 29, 12, 30, 15, 123000, timezone.utc)', new Date('2024-02-29T12:30:15.123Z')],
  ["[{'id': i, 'name': 'user %d' % i, 'seen': datetime(1970, 1, 1, 0, 0, i % 60, tzinfo=timezone.utc)} for i in range(300)]", Array.from({ length: 300 }, (_, i) => ({ id: i, name: `user ${i}`, seen: new Date((i % 60) * 1000) }))],
];

/** What only Python writes. */
const onlyPython: readonly (readonly [expression: string, value: CacheValue])[] = [
  ['(1, 2)', [1, 2]],
  ['frozenset([1])', new Set([1])],
  ["bytearray(b'ab')", Buffer.from('ab')],
  ["[bytearray(b'ab'), bytearray()]", [Buffer.from('ab'), Buffer.alloc(0)]],
  ['datetime(2024, 2, 29, 12, 30)', new Date('2024-02-29T12:30:00Z')],
  ['datetime(2024, 2, 29, 12, tzinfo=timezone(timedelta(hours=-5, minutes=-30)))', new Date('2024-02-29T17:30:00Z')],
  ['date(2024, 2, 29)', new Date('2024-02-29')],
  ['2 ** 64', 2n ** 64n],
  ['list(range(3000))', Array.from({ length: 3000 }, (_, i) => i)],
];

(python !== undefined && memcachedBinary() !== undefined ? describe : describe.skip)('with pymemcache over one memcached', () => {
  let server: MemcachedProcess;
  let child: ChildProcessWithoutNullStreams;
  let answers: AsyncIterator<string>;

  beforeAll(async () => {
    server = await startMemcached();
    child = spawn(python ?? '', [join(__dirname, 'python-live.py'), String(server.port)]);
    child.stderr.pipe(process.stderr);
    answers = createInterface(child.stdout)[Symbol.asyncIterator]();
  });

  afterAll(async () => {
    child.stdin.end();
    await once(child, 'exit');
    await server.stop();
  });

  async function ask(command: object): Promise<unknown> {
    child.stdin.write(`${JSON.stringify(command)}\n`);
    const { value } = (await answers.next()) as { value: string };
    return JSON.parse(value);
  }

  describe.each([false, true])('compressed: %s', (compressed) => {
    it.each([0, 1, 2, 3, 4, 5])('Node reads what Python stores, protocol %d', async (protocol) => {
      const client = new Client(server.address, { serde: new PythonSerde() });
      for (const [expression, value] of [...values, ...onlyPython]) {
        expect(await ask({ do: 'set', key: 'python', expression, protocol, compressed })).toBe(true);
        expect([expression, await client.get('python')]).toEqual([expression, value]);
      }
      await client.close();
    });

    it('Python reads what Node stores', async () => {
      const serde = compressed ? new CompressedSerde(new PythonSerde()) : new PythonSerde();
      const client = new Client(server.address, { serde });
      for (const [expression, value] of values) {
        await client.set('node', value);
        expect([expression, await ask({ do: 'get', key: 'node', expression, compressed })]).toEqual([expression, 'equal']);
      }
      await client.close();
    });
  });

  it('JSON with flags of 64 is the same to a JsonSerde', async () => {
    const client = new Client(server.address, { serde: new JsonSerde() });
    const value = { text: 'naïve 漢字', list: [1, 1.5, null, true] };
    await client.set('json', value);
    expect(await ask({ do: 'json', key: 'json', expression: "{'text': 'naïve 漢字', 'list': [1, 1.5, None, True]}", compressed: false })).toBe(true);
    expect((await client.metaGet('json', { flags: true, value: true }))?.flags).toBe(64);
    expect(await client.get('json')).toEqual(value);
    await client.close();
  });

  it('text, bytes and integers are the same to a TypedSerde, compressed too', async () => {
    const client = new Client(server.address, { serde: new CompressedSerde(new TypedSerde()) });
    for (const [expression, value] of values.slice(0, 9)) {
      expect(await ask({ do: 'set', key: 'python', expression, compressed: true })).toBe(true);
      expect(await client.get('python')).toEqual(value);
      await client.set('node', value);
      expect(await ask({ do: 'get', key: 'node', expression, compressed: true })).toBe('equal');
    }
    await client.close();
  });
});
