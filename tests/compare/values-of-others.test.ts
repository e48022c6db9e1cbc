/** What docs/migration.md says of values that other clients of Node's have stored. */
import { Client, FallbackClient, MemcacheSerdeError, RawSerde, StringSerde } from '../../src';
import { MemcachedServer } from '../../src/server';
import { addressesOf, type Adapter, type MakeAdapter } from '../../compare/speed/clients/adapter';
import { makeMemcacheClient, makeMemcached, makeMemjs } from '../../compare/speed/clients/peers';
import { memcachedSerde } from '../../examples/memcached-serde';
import { memcachedBinary, startMemcached } from '../support/memcached';

const BYTES = Buffer.from([0, 1, 128, 255, 13, 10]);

let site: { readonly address: string; stop(): Promise<void> };
let strings: Client<string>;
let bytes: Client<Buffer, string | Uint8Array>;

beforeAll(async () => {
  if (memcachedBinary() === undefined) {
    const server = await MemcachedServer.start();
    site = { address: server.address, stop: () => server.close() };
  } else {
    site = await startMemcached();
  }
  strings = new Client(site.address, { serde: new StringSerde() });
  bytes = new Client(site.address, { serde: new RawSerde() });
});

afterAll(async () => {
  await Promise.all([strings.close(), bytes.close()]);
  await site.stop();
});

interface Memcache {
  get(key: string): Promise<string | undefined>;
  set(key: string, value: unknown): Promise<boolean>;
  disconnect(): Promise<void>;
}

/** Loaded by `require`: Jest knows no `import()`. */
const makeMemcache: MakeAdapter = (where) => {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- see above
  const { Memcache: Class } = require('memcache') as { Memcache: new (options: object) => Memcache };
  const client = new Class({ nodes: addressesOf(where) });
  const never = (): Promise<never> => Promise.reject(new Error('not used'));
  return { get: (key) => client.get(key), set: (key, value) => client.set(key, value), delete: never, getMany: never, close: () => client.disconnect() };
};

/** Opens the other client for one case. */
async function withOther(make: MakeAdapter, work: (other: Adapter) => Promise<void>): Promise<void> {
  const other = await make({ ports: [Number(site.address.split(':').at(-1))], build: '' });
  try {
    await work(other);
  } finally {
    await other.close();
  }
}

it.each([
  ['memcached', makeMemcached],
  ['memjs', makeMemjs],
  ['memcache-client', makeMemcacheClient],
  ['memcache', makeMemcache],
])('StringSerde reads the strings of %s', async (name, make) => {
  await withOther(make, async (other) => {
    await other.set(`string:${name}`, 'ä string €');
    expect(await strings.get(`string:${name}`)).toBe('ä string €');
  });
});

it.each([
  ['memjs', makeMemjs],
  ['memcache-client', makeMemcacheClient],
])('RawSerde reads the bytes of %s', async (name, make) => {
  await withOther(make, async (other) => {
    await other.set(`bytes:${name}`, BYTES);
    expect(await bytes.get(`bytes:${name}`)).toEqual(BYTES);
  });
});

it('memcached marks line ends, and stores a Buffer as a string of its bytes', async () => {
  const unmarked = (text = ''): string => text.replace(/\\([\r\n])/g, '$1');
  await withOther(makeMemcached, async (other) => {
    await other.set('lines:memcached', 'a\nb\r\n');
    expect(await strings.get('lines:memcached')).toBe('a\\\nb\\\r\\\n');
    expect(unmarked(await strings.get('lines:memcached'))).toBe('a\nb\r\n');
    await other.set('bytes:memcached', BYTES);
    expect(Buffer.from(unmarked(await strings.get('bytes:memcached')), 'latin1')).toEqual(BYTES);
  });
});

it('examples/memcached-serde.ts reads what memcached has stored, and writes what it reads', async () => {
  const shared = new Client(site.address, { serde: memcachedSerde });
  await withOther(makeMemcached, async (other) => {
    for (const value of ['ä string €', '', 'a\\\nb\r\nEND\r\n', 42, -1.5, true, null, { text: '\n', list: [1, null] }, BYTES, Buffer.alloc(0)]) {
      await other.set('theirs', value);
      expect(await shared.get('theirs')).toEqual(value);
      await shared.set('ours', value);
      expect(await other.get('ours')).toEqual(value);
    }
  });
  await shared.close();
});

it('a FallbackClient reads what an older cache holds by the serde of the first', async () => {
  await withOther(makeMemcached, (other) => other.set('object:memcached', { a: 1 }).then(() => undefined));
  const server = await MemcachedServer.start();
  const older = new Client(site.address, { serde: memcachedSerde });
  const plain = new FallbackClient([new Client(server.address), older]);
  await expect(plain.get('object:memcached')).rejects.toThrow(MemcacheSerdeError);
  const shared = new FallbackClient([new Client(server.address, { serde: memcachedSerde }), older]);
  expect(await shared.get('object:memcached')).toEqual({ a: 1 });
  await Promise.all([plain.close(), shared.close()]);
  await server.close();
});

it('memcache stores a Buffer as a string, and refuses one that is not UTF-8', async () => {
  await withOther(makeMemcache, async (other) => {
    expect(await other.set('utf8:memcache', Buffer.from('ä €'))).toBe(true);
    expect(await strings.get('utf8:memcache')).toBe('ä €');
    expect(await other.set('bytes:memcache', BYTES)).toBe(false);
    expect(await bytes.get('bytes:memcache')).toBeUndefined();
  });
});
