import { Client, FallbackClient, HashClient, MetaCommand, PooledClient, type FallbackOptions } from '../../src';
import { MemcachedServer } from '../../src/server';
import { failure, illegal } from '../support/contract';
import { freePort } from '../support/memcached';

let servers: MemcachedServer[];
let fresh: Client;
let old: Client;
beforeEach(async () => {
  servers = await Promise.all([1, 2].map(() => MemcachedServer.start()));
  [fresh, old] = servers.map(({ address }) => new Client(address)) as [Client, Client];
});
afterEach(async () => {
  await Promise.all([fresh, old].map((client) => client.close()));
  await Promise.all(servers.map((server) => server.close()));
});

/** Over clients of its own, so that the tests look from outside. */
function makeClient(options: FallbackOptions = {}): FallbackClient {
  return new FallbackClient(servers.map(({ address }) => new Client(address)), options);
}

it('reads fall through to what the older cache has', async () => {
  await old.setMany({ a: 'old a', b: 'old b' });
  await fresh.set('a', 'new a');
  const client = makeClient();
  expect(await client.get('a')).toBe('new a');
  expect(await client.get('b')).toBe('old b');
  expect((await client.gets('b'))[0]).toBe('old b');
  expect(await client.gat('b', 100)).toBe('old b');
  expect((await client.gats('b', 100))[0]).toBe('old b');
  expect((await client.metaGet('b', { ttl: true }))?.value).toBe('old b');
  expect((await client.executeMeta(new MetaCommand('mg', 'b', ['v']))).value?.toString()).toBe('old b');
  expect(await client.get('c')).toBeUndefined();
  expect(await client.gat('c', 1)).toBeUndefined();
  expect(await client.metaGet('c')).toBeUndefined();
  expect(await client.getMany(['c', 'b', 'a'])).toEqual(new Map([['b', 'old b'], ['a', 'new a']]));
  expect([...(await client.getMany(['c', 'b', 'a'])).keys()]).toEqual(['b', 'a']);
  expect((await client.getsMany(['b', 'a'])).get('b')?.[0]).toBe('old b');
  await client.close();
});

it('writes go to the first, deletes to all', async () => {
  await old.setMany({ a: 'old', b: 'old', c: 'old', n: 5 });
  const client = makeClient();
  await client.set('a', 'new');
  expect([await fresh.get('a'), await old.get('a')]).toEqual(['new', 'old']);
  expect(await client.incr('n')).toBeUndefined();
  expect(await client.add('c', 'new')).toBe(true);
  await client.delete('a');
  await client.deleteMany(['b', 'c']);
  expect((await fresh.getMany(['a', 'b', 'c'])).size + (await old.getMany(['a', 'b', 'c'])).size).toBe(0);
  expect(await client.get('a')).toBeUndefined();
  await client.set('d', 1);
  await old.set('d', 2);
  await client.flushAll();
  expect(await client.get('d')).toBeUndefined();
  await client.close();
});

it('a cache that fails is one that misses, as long as another answers', async () => {
  const nowhere = `127.0.0.1:${await freePort()}`;
  await old.set('a', 'old');
  const client = new FallbackClient([new Client(nowhere), new Client(servers[1]?.address)]);
  expect(await client.get('a')).toBe('old');
  expect(await client.getMany(['a', 'b'])).toEqual(new Map([['a', 'old']]));
  expect(await failure(client.set('a', 'x'))).toMatchObject({ code: 'MEMCACHE_CONNECT' });
  await client.close();
  const none = new FallbackClient([new Client(nowhere), new Client(nowhere)]);
  expect(await failure(none.get('a'))).toMatchObject({ code: 'MEMCACHE_CONNECT' });
  await none.close();
  const strict = new FallbackClient([new Client(nowhere), new Client(servers[1]?.address)], { ignoreFailures: false });
  expect(await failure(strict.get('a'))).toMatchObject({ code: 'MEMCACHE_CONNECT' });
  await strict.close();
  expect(() => new FallbackClient([])).toThrow('clients');
  expect(() => new FallbackClient([fresh], { ignoreFailures: illegal(1) })).toThrow('ignoreFailures');
  expect(() => new FallbackClient([fresh], { copyHits: illegal('yes') })).toThrow('copyHits');
});

describe('copyHits', () => {
  it('copies what an older cache had, bytes, flags and time to live as they are', async () => {
    const value = Buffer.alloc(50_000, '\r\nEND\r\n');
    await old.set('short', 'x', { expire: 100 });
    await old.set('long', value, { expire: 45 * 86_400 });
    await old.set('forever', { deep: [1, 2] });
    await old.set('many', 12n);
    const client = makeClient({ copyHits: true });
    expect(await client.get('short')).toBe('x');
    await client.gets('long');
    expect((await client.getMany(['forever', 'many', 'none'])).size).toBe(2);
    await client.close();
    expect(await fresh.get('short')).toBe('x');
    expect((await fresh.metaGet('short', { ttl: true }))?.ttl).toBeGreaterThan(95);
    expect((await fresh.metaGet('short', { ttl: true }))?.ttl).toBeLessThanOrEqual(100);
    expect((await fresh.metaGet('long', { ttl: true }))?.ttl).toBeGreaterThan(45 * 86_400 - 5);
    expect(value.equals((await fresh.get<Buffer>('long')) ?? Buffer.alloc(0))).toBe(true);
    expect(await fresh.getMany(['forever', 'many'])).toEqual(new Map<string, unknown>([['forever', { deep: [1, 2] }], ['many', 12n]]));
    expect((await fresh.metaGet('forever', { ttl: true }))?.ttl).toBe(-1);
  });

  it('never overwrites what the first has by then, nor brings back what is deleted', async () => {
    await old.setMany({ a: 'old', b: 'old' });
    const client = makeClient({ copyHits: true });
    const reading = client.get('a');
    const writing = client.set('a', 'new');
    expect(['old', 'new']).toContain(await reading);
    await writing;
    await client.get('b');
    await client.delete('b');
    await client.close();
    expect(await fresh.get('a')).toBe('new');
    expect([await fresh.get('b'), await old.get('b')]).toEqual([undefined, undefined]);
  });

  it('does not copy what is not asked for, nor what is stale', async () => {
    await old.setMany({ a: 'x', stale: 'y' });
    await old.metaDelete('stale', { invalidate: true, expire: 30 });
    const client = makeClient();
    await client.get('a');
    await client.close();
    expect(await fresh.get('a')).toBeUndefined();
    const copying = makeClient({ copyHits: true });
    expect(await copying.get('stale')).toBe('y');
    await copying.close();
    expect(await fresh.get('stale')).toBeUndefined();
  });

  it('a copy that fails disturbs nobody', async () => {
    await old.set('a', 'x');
    const nowhere = `127.0.0.1:${await freePort()}`;
    const client = new FallbackClient([new Client(nowhere), new Client(servers[1]?.address)], { copyHits: true });
    for (let i = 0; i < 5; i++) expect(await client.get('a')).toBe('x');
    await client.close();
  });
});

it('of a cluster that fails in part, what the others of its servers have is taken', async () => {
  const gone = await MemcachedServer.start();
  const cluster = new HashClient([servers[0]?.address ?? '', gone.address]);
  const keys = Array.from({ length: 40 }, (_, i) => `k${i}`);
  await cluster.setMany(keys.map((key): [string, string] => [key, 'new']));
  await old.setMany(keys.map((key): [string, string] => [key, 'old']));
  await gone.close();
  const client = new FallbackClient([cluster, new Client(servers[1]?.address)]);
  const found = await client.getMany(keys);
  for (const key of keys) expect(found.get(key)).toBe(cluster.serverFor(key) === gone.address ? 'old' : 'new');
  expect([...found.keys()]).toEqual(keys);
  await client.close();
});

it('goes over clusters and pools, and three of them', async () => {
  const third = await MemcachedServer.start();
  await new Client(third.address).set('k', 'oldest');
  const client = new FallbackClient([
    new HashClient(servers.map(({ address }) => address)),
    new PooledClient(servers[1]?.address),
    new Client(third.address),
  ]);
  expect(await client.get('k')).toBe('oldest');
  await client.close();
  await third.close();
});
