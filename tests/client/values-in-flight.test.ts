/** What was given at the time of the call is what is stored or read, whatever becomes of the caller's buffer or list; or the call alone fails. */
import { Client, HashClient, MemcacheIllegalInputError, PooledClient, RawSerde, type ClientOptions } from '../../src';
import { EmbeddedClient } from '../../src/embedded';
import { MemcachedServer } from '../../src/server';
import { describeWithMemcached } from '../support/describe';
import { isOlderThan, startMemcached } from '../support/memcached';
import { turns } from '../support/virtual-clock';

type Bytes = Client<Buffer, string | Uint8Array>;
type Options = ClientOptions<Buffer, string | Uint8Array>;

/** The largest value that is copied. */
const COPIED = 65_536;

let server: MemcachedServer;
beforeAll(async () => {
  server = await MemcachedServer.start();
});
afterAll(() => server.close());

const kinds: [name: string, make: (options: Options) => Bytes][] = [
  ['Client', (options) => new Client(server.address, options)],
  ['PooledClient', (options) => new PooledClient(server.address, options)],
  ['HashClient', (options) => new HashClient([server.address], options)],
  ['EmbeddedClient', (options) => new EmbeddedClient(undefined, options)],
];

/** Of Node 20, and not yet of the types in use. */
interface ResizableBuffer extends ArrayBuffer {
  resize(size: number): void;
}

function resizable(size: number): Uint8Array {
  return new Uint8Array(Reflect.construct(ArrayBuffer, [size, { maxByteLength: 2 * size }]) as ResizableBuffer);
}

function resize({ buffer }: Uint8Array, size: number): void {
  (buffer as ResizableBuffer).resize(size);
}

function transfer({ buffer }: Uint8Array): void {
  structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
}

const misuses: [name: string, make: (size: number) => Uint8Array, misuse: (value: Uint8Array) => void][] = [
  ['overwritten', (size) => new Uint8Array(size), (value) => value.fill(0x62)],
  ['transferred', (size) => new Uint8Array(size), transfer],
  ['made shorter', resizable, (value) => { resize(value, 1); }],
  ['made longer', resizable, (value) => { resize(value, 2 * value.length); }],
];

const writes: [name: string, write: (client: Bytes, key: string, value: Uint8Array) => Promise<unknown>][] = [
  ['set', (client, key, value) => client.set(key, value)],
  ['set with noreply', (client, key, value) => client.set(key, value, { noreply: true })],
  ['append', (client, key, value) => client.append(key, value)],
  ['setMany', (client, key, value) => client.setMany([[key, value]])],
  ['metaSet', (client, key, value) => client.metaSet(key, value)],
];

describe.each(kinds)('%s', (_, make) => {
  let client: Bytes;
  beforeEach(() => {
    client = make({ serde: new RawSerde() });
  });
  afterEach(() => client.close());

  describe.each(writes)('%s', (_name, write) => {
    it.each(misuses)('stores what was given although the buffer is %s in the same tick', async (_misuse, makeValue, misuse) => {
      for (const size of [1, 2048, 2049, 9000, COPIED]) {
        const key = `k${size}`;
        await client.set(key, '');
        const value = makeValue(size).fill(0x61);
        const written = write(client, key, value);
        misuse(value);
        await written;
        expect((await client.get(key))?.equals(Buffer.alloc(size, 0x61))).toBe(true);
      }
    });

    it('of more than 64 KiB, fails alone when the buffer is transferred, and nothing of it is stored', async () => {
      await client.set('large', 'before');
      const value = new Uint8Array(COPIED + 1);
      const calls = [client.set('a', 'a'), write(client, 'large', value), client.set('b', 'b')];
      transfer(value);
      const outcomes = await Promise.allSettled(calls);
      expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      const [, failure] = outcomes;
      expect(failure).toMatchObject({ reason: { code: 'MEMCACHE_ILLEGAL_INPUT', certainty: 'notSent' } });
      expect(String(await client.get('large'))).toBe('before');
      expect([...(await client.getMany(['a', 'b'])).values()].map(String)).toEqual(['a', 'b']);
    });

    it('of more than 64 KiB, of a buffer that can be resized, is copied', async () => {
      await client.set('large', '');
      const value = resizable(100_000).fill(0x61);
      const written = write(client, 'large', value);
      resize(value, 3);
      await written;
      expect((await client.get('large'))?.equals(Buffer.alloc(100_000, 0x61))).toBe(true);
    });

    it('of more than 64 KiB, of shared memory that can grow, is copied', async () => {
      await client.set('large', '');
      const memory = Reflect.construct(SharedArrayBuffer, [100_000, { maxByteLength: 200_000 }]) as SharedArrayBuffer & { grow(size: number): void };
      const value = new Uint8Array(memory).fill(0x61);
      const written = write(client, 'large', value);
      memory.grow(200_000);
      await written;
      expect((await client.get('large'))?.equals(Buffer.alloc(100_000, 0x61))).toBe(true);
    });

    it('says that a value was gone before the call', async () => {
      const value = new Uint8Array(10);
      transfer(value);
      await expect(write(client, 'k', value)).rejects.toThrow('value: its buffer was transferred');
    });
  });

  it('reads and deletes the keys that were given, although their list is changed in the same tick', async () => {
    await client.setMany({ a: 'of a', b: 'of b', c: 'of c', d: 'of d' });
    const given = ['a', 'b'];
    const values = client.getMany(given);
    given[0] = 'c';
    expect(new Map(Array.from(await values, ([key, value]) => [key, String(value)]))).toEqual(new Map([['a', 'of a'], ['b', 'of b']]));
    const withTokens = client.getsMany(given);
    given.reverse();
    expect(Array.from(await withTokens, ([key, [value]]) => [key, String(value)])).toEqual([['c', 'of c'], ['b', 'of b']]);
    for (const options of [{}, { noreply: true }]) {
      const list = ['a', 'b'];
      const deleted = client.deleteMany(list, options);
      list.length = 0;
      expect(await deleted).toBe(2);
    }
    for (const { misses, ok, errors } of client.metrics().values()) expect({ misses, errors, deleted: ok >= 2 }).toEqual({ misses: 0, errors: {}, deleted: true });
  });

  it('metaSet stores bytes as they are', async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    await client.metaSet('bytes', bytes);
    expect((await client.get('bytes'))?.equals(bytes)).toBe(true);
  });
});

describeWithMemcached('over a memcached that does not read for a while', () => {
  it.each([10_000, COPIED, 150_000])('values of %i bytes that wait in full sockets are stored as they were given, or fail alone', async (size) => {
    const memcached = await startMemcached(['-m', '512']);
    const client = new Client(memcached.address, { serde: new RawSerde(), timeout: 20_000 });
    try {
      await client.set('first', 'x');
      process.kill(memcached.pid, 'SIGSTOP');
      const sizes = new Map<string, number>();
      const values: Uint8Array[] = [];
      const calls: Promise<unknown>[] = [];
      for (let i = 0; i < Math.ceil(12_000_000 / size); i++) {
        const length = size - (i % 7);
        const value = (i % 2 === 0 ? resizable(length) : new Uint8Array(length)).fill(0x61);
        sizes.set(`k${i}`, length);
        values.push(value);
        calls.push(client.set(`k${i}`, value));
        if (i % 10 === 0) await turns(1);
      }
      await turns(5);
      for (const [index, value] of values.entries()) {
        if (index % 2 === 0) resize(value, index % 4 === 0 ? 1 : 2 * value.length);
        // Those that wait in the client itself; what the system has taken is out of anybody's hands.
        else if (index > values.length / 2) transfer(value);
      }
      process.kill(memcached.pid, 'SIGCONT');
      const outcomes = await Promise.allSettled(calls);
      let stored = 0;
      for (const [index, outcome] of outcomes.entries()) {
        if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(MemcacheIllegalInputError);
        else {
          const value = await client.get(`k${index}`);
          expect(value?.length).toBe(sizes.get(`k${index}`));
          expect(value?.every((byte) => byte === 0x61)).toBe(true);
          stored++;
        }
      }
      if (size <= COPIED) expect(stored).toBe(calls.length);
      else expect(stored).toBeLessThan(calls.length);
    } finally {
      process.kill(memcached.pid, 'SIGCONT');
      await client.close();
      await memcached.stop();
    }
  });
});

describeWithMemcached('over a memcached that reads late', () => {
  const early: [name: string, write: (client: Bytes, key: string, value: Buffer, signal: AbortSignal) => Promise<unknown>][] = [
    ['set with noreply', (client, key, value) => client.set(key, value, { noreply: true })],
    ['setMany with noreply', (client, key, value) => client.setMany([[key, value]], { noreply: true })],
    ['set that is aborted', (client, key, value, signal) => client.set(key, value, { signal })],
    ...(isOlderThan('1.6.0') ? [] : [['metaSet that is aborted', (client, key, value, signal) => client.metaSet(key, value, { signal })] satisfies (typeof early)[number]]),
  ];

  it.each(early)('%s: a large value may be overwritten once the promise has settled', async (_, write) => {
    const memcached = await startMemcached(['-m', '512']);
    const client = new Client(memcached.address, { serde: new RawSerde(), timeout: 20_000 });
    const abort = new AbortController();
    try {
      // Its version is known then.
      await client.metaSet('first', '').catch(() => undefined);
      await client.version();
      process.kill(memcached.pid, 'SIGSTOP');
      const keys = Array.from({ length: 12 }, (_key, i) => `k${i}`);
      const calls: Promise<unknown>[] = [];
      for (const key of keys) {
        const value = Buffer.alloc(900_000, 'a');
        calls.push(write(client, key, value, abort.signal).catch(() => undefined).then(() => value.fill('b')));
        await turns(1);
      }
      await turns(5);
      abort.abort();
      await turns(5);
      process.kill(memcached.pid, 'SIGCONT');
      await Promise.all(calls);
      let stored = 0;
      for (const key of keys) {
        const value = await client.get(key);
        if (value === undefined) continue;
        stored++;
        expect(value.indexOf('b')).toBe(-1);
      }
      expect(stored).toBeGreaterThan(0);
    } finally {
      process.kill(memcached.pid, 'SIGCONT');
      await client.close();
      await memcached.stop();
    }
  });
});

it('a serde that returns nothing is a serde that failed', async () => {
  const serde = { serialize: () => undefined as never, deserialize: () => 'x' };
  const client = new Client<string, string>(server.address, { serde });
  for (const call of [client.set('k', 'v'), client.setMany([['k', 'v']]), client.metaSet('k', 'v')]) {
    await expect(call).rejects.toMatchObject({ code: 'MEMCACHE_SERDE', certainty: 'notSent' });
  }
  await client.close();
});

describe.each(kinds)('%s: callers that read the same key in one tick', (_, make) => {
  it.each([5000, 900_000])('do not share the memory of a value of %d bytes', async (size) => {
    const client = make({ serde: new RawSerde() });
    await client.set('shared', Buffer.alloc(size, 'a'));
    const [first, second, [third]] = await Promise.all([client.get('shared'), client.get('shared'), client.gets('shared')]);
    const bytesKey = Buffer.from('shared');
    const many = await client.getMany(['shared', bytesKey]);
    for (const value of [first, third, many.get('shared')]) value?.fill('z');
    for (const value of [second, many.get(bytesKey), await client.get('shared')]) expect(value?.equals(Buffer.alloc(size, 'a'))).toBe(true);
    await client.close();
  });
});
