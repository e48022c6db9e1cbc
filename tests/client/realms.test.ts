import { runInNewContext } from 'node:vm';
import { Client, PythonSerde, RawSerde, TypedSerde, type Serde } from '../../src';
import { ReadThroughCache } from '../../src/cache';
import { MemcachedServer } from '../../src/server';

/** Bytes that are no `Uint8Array` of this realm, as a Buffer is none where jest gives tests the globals of a browser. */
function foreignBytes(text: string): Uint8Array {
  const bytes = runInNewContext('Uint8Array.from(codes)', { codes: [...Buffer.from(text)] }) as Uint8Array;
  expect(bytes).not.toBeInstanceOf(Uint8Array);
  // A Buffer has it, and JSON would then take the bytes for an object.
  return Object.assign(bytes, { toJSON: () => ({ type: 'Buffer', data: [] }) });
}

describe('bytes of another realm', () => {
  let server: MemcachedServer;
  let client: Client;
  beforeAll(async () => {
    server = await MemcachedServer.start();
    client = new Client(server.address);
  });
  afterAll(async () => {
    await client.close();
    await server.close();
  });

  it.each<[string, Serde<unknown, Uint8Array>]>([
    ['TypedSerde', new TypedSerde()],
    ['RawSerde', new RawSerde()],
    ['PythonSerde', new PythonSerde()],
  ])('are values of a %s', async (_, serde) => {
    const other = new Client(server.address, { serde });
    await other.set('k', foreignBytes('bytes'));
    expect(String(await other.get('k'))).toBe('bytes');
    await other.close();
  });

  it('may come from a serde', async () => {
    const other = new Client(server.address, { serde: { serialize: (value: string) => ({ data: foreignBytes(value), flags: 0 }), deserialize: String } });
    await other.set('k', 'written');
    expect(await other.get('k')).toBe('written');
    await other.close();
  });

  it('are keys, prefixes and ends of replies', async () => {
    const other = new Client(server.address, { keyPrefix: foreignBytes('p:') });
    await other.set(foreignBytes('k'), 1);
    expect([await client.get('p:k'), (await other.getMany([foreignBytes('k')])).size, await other.deleteMany([foreignBytes('k')])]).toEqual([1, 1, 1]);
    expect((await client.raw('mn', foreignBytes('MN\r\n'))).length).toBe(0);
    await client.metaSet('m', foreignBytes('meta'));
    expect(await client.metaGet('m', { value: true })).toMatchObject({ value: Buffer.from('meta') });
    await other.close();
  });

  it('are one key of a cache, not many', async () => {
    const cache = new ReadThroughCache(client, { expire: 60 });
    expect(await cache.get(foreignBytes('cached'), () => Promise.resolve(1))).toBe(1);
    expect(await client.get('cached')).toBe(1);
    await cache.delete(foreignBytes('cached'));
    expect(await client.get('cached')).toBeUndefined();
    await cache.close();
  });
});

describe('of another realm', () => {
  const foreignDate = runInNewContext('new Date(2e12)') as Date;

  it('a Date says when an item expires', async () => {
    const server = await MemcachedServer.start();
    const client = new Client(server.address);
    expect(foreignDate).not.toBeInstanceOf(Date);
    await client.set('k', 1, { expire: foreignDate });
    const { ttl = 0 } = (await client.metaGet('k', { ttl: true })) ?? {};
    expect(Math.abs(ttl - (2e12 - Date.now()) / 1000)).toBeLessThan(60);
    await client.close();
    await server.close();
  });

  it('Dates, Maps and Sets go into a pickle', () => {
    const serde = new PythonSerde();
    const { data, flags } = serde.serialize(runInNewContext('({ map: new Map([[1, new Set(["a"])]]), at })', { at: foreignDate }) as object);
    expect(serde.deserialize(Buffer.from(data), flags)).toEqual({ map: new Map([[1, new Set(['a'])]]), at: new Date(2e12) });
  });

  it.each(['get', 'cache.get'])('an AbortSignal aborts %s, as that of Node does where a test has the globals of a browser', async (method) => {
    const server = await MemcachedServer.start();
    const client = new Client(server.address);
    const cache = new ReadThroughCache(client, { expire: 60, cacheTimeout: 0 });
    const own = new AbortController();
    // No AbortSignal by its class, and all that one has.
    const signal = Object.create(EventTarget.prototype, {
      aborted: { get: () => own.signal.aborted },
      reason: { get: () => own.signal.reason as unknown },
      throwIfAborted: { value: () => { own.signal.throwIfAborted(); } },
      addEventListener: { value: own.signal.addEventListener.bind(own.signal) },
      removeEventListener: { value: own.signal.removeEventListener.bind(own.signal) },
    }) as AbortSignal;
    const call = method === 'get' ? client.get('k', { signal }) : cache.get('k', () => 1, { signal });
    own.abort(new Error('no longer wanted'));
    await expect(call).rejects.toThrow('no longer wanted');
    await Promise.all([cache.close(), client.close()]);
    await server.close();
  });
});

it('a pickle takes a plain object of another realm, as fetch gives them', () => {
  const serde = new PythonSerde();
  class Own {
    field = 1;
  }
  const { data, flags } = serde.serialize(runInNewContext('({ a: [1, { b: null }] })') as Record<string, unknown>);
  expect(serde.deserialize(Buffer.from(data), flags)).toEqual({ a: [1, { b: null }] });
  expect(() => serde.serialize(new Own())).toThrow('a pickle cannot hold a Own');
});
