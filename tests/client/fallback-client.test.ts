import { Client, FallbackClient, HashClient, JsonSerde, MetaCommand, PooledClient, RetryingClient, type Command, type ExecuteOptions, type Executor, type FallbackOptions } from '../../src';
import { MemcachedServer } from '../../src/server';
import { failure, illegal, rejection } from '../support/contract';
import { freePort } from '../support/memcached';
import { ScriptedServer } from '../support/scripted-server';
import { turns } from '../support/virtual-clock';

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

it('a deletion that a server of one cache missed names that server, and not the cache', async () => {
  const dead = `127.0.0.1:${await freePort()}`;
  const addresses = servers.map(({ address }) => address);
  const client = new FallbackClient([new Client(addresses[0] ?? ''), new HashClient([addresses[1] ?? '', dead])]);
  const error = await rejection(client.flushAll());
  expect(error).toMatchObject({ code: 'MEMCACHE_PARTIAL', certainty: 'maybeExecuted', failures: new Map([[dead, expect.objectContaining({ code: 'MEMCACHE_CONNECT' })]]) });
  await client.close();
});

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
  // A value that cannot be read is there, and an older one is no answer.
  const [first, second] = servers.map(({ address }) => new Client(address, { serde: new JsonSerde<string>() })) as [Client<string>, Client<string>];
  await fresh.set('unreadable', '{');
  await second.set('unreadable', 'older');
  const reading = new FallbackClient([first, second]);
  expect(await failure(reading.get('unreadable'))).toMatchObject({ code: 'MEMCACHE_SERDE' });
  await reading.close();
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

  it('copies what was deleted or flushed before, and is there again', async () => {
    const client = makeClient({ copyHits: true });
    await client.delete('deleted');
    await client.flushAll();
    await old.setMany({ deleted: 'x', flushed: 'y' });
    expect(await client.getMany(['deleted', 'flushed'])).toEqual(new Map([['deleted', 'x'], ['flushed', 'y']]));
    await client.close();
    expect(await fresh.getMany(['deleted', 'flushed'])).toEqual(new Map([['deleted', 'x'], ['flushed', 'y']]));
  });

  it('copies once more what the first has lost since', async () => {
    await old.set('k', 'x');
    const client = makeClient({ copyHits: true });
    for (let round = 0; round < 2; round++) {
      expect(await client.get('k')).toBe('x');
      await client.close();
      expect(await fresh.get('k')).toBe('x');
      await fresh.delete('k');
    }
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

describe('deletions', () => {
  it('by meta commands reach all caches too', async () => {
    const keys = ['a', 'b', 'c', 'd'];
    for (const cache of [fresh, old]) for (const key of keys) await cache.set(key, 'x');
    const client = makeClient();
    expect(await client.metaDelete('a')).toMatchObject({ status: 'done' });
    expect((await client.executeMeta(new MetaCommand('md', 'b'))).code).toBe('HD');
    expect((await client.executeMeta(new MetaCommand('md', Buffer.from('c').toString(), ['b', 'q']))).code).toBe('HD');
    await client.metaDelete('d', { invalidate: true, expire: 30 });
    for (const cache of [fresh, old]) {
      expect([...(await cache.getMany(keys)).keys()]).toEqual(['d']);
      expect(await cache.metaGet('d')).toMatchObject({ stale: true });
    }
    await client.close();
  });

  it('with a token are made where it comes from first, and elsewhere when that was done', async () => {
    for (const cache of [fresh, old]) await cache.setMany({ a: 'x', b: 'x' });
    const client = makeClient();
    const [, cas = ''] = await client.gets('a');
    expect(await client.metaDelete('a', { cas })).toMatchObject({ status: 'done' });
    expect(await client.metaDelete('b', { cas })).toMatchObject({ status: 'exists' });
    expect([await fresh.get('a'), await old.get('a'), await fresh.get('b'), await old.get('b')]).toEqual([undefined, undefined, 'x', 'x']);
    await client.close();
  });

  it.each<[string, (client: Client) => Promise<unknown>]>([
    ['delete', (c) => c.delete('a')],
    ['deleteMany', (c) => c.deleteMany(['a'])],
    ['metaDelete', (c) => c.metaDelete('a')],
    ['flushAll', (c) => c.flushAll()],
  ])('%s that one cache has done and another could not do is not one that was not sent', async (_, call) => {
    const nowhere = `127.0.0.1:${await freePort()}`;
    await fresh.set('a', 'x');
    const client = new FallbackClient([new Client(servers[0]?.address), new Client(nowhere)]);
    expect(await rejection(call(client))).toMatchObject({ code: 'MEMCACHE_PARTIAL', certainty: 'maybeExecuted' });
    expect(await fresh.get('a')).toBeUndefined();
    await client.close();
    const none = new FallbackClient([new Client(nowhere), new Client(nowhere)]);
    expect(await rejection(call(none))).toMatchObject({ code: 'MEMCACHE_CONNECT', certainty: 'notSent' });
    await none.close();
  });

  it('are over when all caches have answered, and tell of the worst', async () => {
    const slow = await ScriptedServer.start(async (connection) => {
      await connection.expectMatch(/\r\n/);
      await turns(30);
      await connection.rst();
    });
    const client = new FallbackClient([new Client(`127.0.0.1:${await freePort()}`), new Client(slow.address)]);
    let settled = false;
    const deletion = failure(client.delete('a')).finally(() => (settled = true));
    await turns(15);
    expect(settled).toBe(false);
    expect(await deletion).toMatchObject({ code: 'MEMCACHE_UNEXPECTED_CLOSE', certainty: 'maybeExecuted' });
    await client.close();
    await slow.close();
  });
});

describe('the token of an older cache', () => {
  /** Brings the first cache to where its next item has the token that the older one gave. */
  async function untilTokensMeet(key: string): Promise<void> {
    const [, token = '0'] = await old.gets(key);
    for (;;) {
      await fresh.set(key, 'theirs');
      const [, cas = '0'] = await fresh.gets(key);
      if (cas === token) return;
      if (BigInt(cas) > BigInt(token)) await old.set(key, 'old');
      if (BigInt(cas) > BigInt(token)) return untilTokensMeet(key);
    }
  }

  it.each<[string, (client: Client) => Promise<string | undefined>]>([
    ['gets', async (c) => (await c.gets('k'))[1]],
    ['gats', async (c) => (await c.gats('k', 100))[1]],
    ['getsMany', async (c) => (await c.getsMany(['k'])).get('k')?.[1]],
    ['metaGet', async (c) => (await c.metaGet('k', { cas: true }))?.cas],
  ])('%s: is not spent on the first', async (_, read) => {
    await old.set('k', 'old');
    const client = makeClient();
    const cas = (await read(client)) ?? '';
    await untilTokensMeet('k');
    expect(await client.cas('k', 'mine', cas)).toBe(false);
    expect(await client.metaSet('k', 'mine', { cas })).toMatchObject({ status: 'exists' });
    expect(await client.metaDelete('k', { cas })).toMatchObject({ status: 'exists' });
    expect(await fresh.get('k')).toBe('theirs');
    await client.close();
  });

  it('stores when the first still has no such item, so that a loop of gets and cas ends', async () => {
    await old.setMany({ a: ['x'], b: ['x'] });
    const client = makeClient();
    const [list = [], cas = ''] = await client.gets<string[]>('a');
    expect(await client.cas('a', [...list, 'y'], cas)).toBe(true);
    expect(await client.get('a')).toEqual(['x', 'y']);
    const item = await client.metaGet('b', { cas: true });
    expect(await client.metaSet('b', ['z'], { cas: item?.cas ?? '' })).toMatchObject({ status: 'done' });
    expect(await fresh.get('b')).toEqual(['z']);
    // Its own tokens are what they are.
    const [, own = ''] = await client.gets('a');
    expect(await client.cas('a', ['w'], own)).toBe(true);
    await client.close();
  });
});

describe('copyHits and what is done meanwhile', () => {
  const kinds: [string, (address: string) => Client][] = [
    ['Client', (address) => new Client(address)],
    ['PooledClient', (address) => new PooledClient(address)],
    ['RetryingClient', (address) => new RetryingClient(new Client(address))],
  ];

  it.each(kinds)('%s: delete and set in one tick end in that order, wherever a copy is', async (_, make) => {
    const client = new FallbackClient(servers.map(({ address }) => make(address)), { copyHits: true });
    for (let round = 0; round < 60; round++) {
      await old.set('k', 'old');
      await client.get('k');
      await turns(round % 6);
      await Promise.all([client.delete('k'), client.set('k', 'new')]);
      expect([await client.get('k'), await fresh.get('k'), await old.get('k')]).toEqual(['new', 'new', undefined]);
      await client.delete('k');
    }
    await client.close();
  });

  it.each(kinds)('%s: what is deleted while it is read or copied does not come back', async (_, make) => {
    const client = new FallbackClient(servers.map(({ address }) => make(address)), { copyHits: true });
    for (let round = 0; round < 60; round++) {
      await old.set('k', 'old');
      const reading = client.get('k');
      await turns(round % 8);
      await (round % 3 === 0 ? client.metaDelete('k') : client.delete('k'));
      await reading;
      await turns(5);
      expect([await fresh.get('k'), await old.get('k')]).toEqual([undefined, undefined]);
    }
    await client.close();
  });

  it.each<[string, (client: Client) => Promise<unknown>]>([
    ['delete', (client) => client.delete('k')],
    ['flush_all', (client) => client.flushAll()],
  ])('what is read of the older cache while a %s reaches it late does not come back', async (verb, remove) => {
    const older = new Client(servers[1]?.address);
    let go: () => void = () => undefined;
    const gone = new Promise<void>((resolve) => { go = resolve; });
    const late: Executor = {
      async execute<R>(command: Command<R>, options?: ExecuteOptions): Promise<R> {
        if (command.verb === verb) await gone;
        return older.executor.execute(command, options);
      },
      close: () => older.close(),
    };
    const client = new FallbackClient([new Client(servers[0]?.address), new Client(late, older.options)], { copyHits: true });
    await old.set('k', 'old');
    const removing = remove(client);
    expect(await client.get('k')).toBe('old');
    // A copy would be made by now.
    for (let i = 0; i < 5; i++) await fresh.get('k');
    go();
    await removing;
    expect([await fresh.get('k'), await old.get('k')]).toEqual([undefined, undefined]);
    await client.close();
  });

  it('flushAll leaves no copy behind', async () => {
    const client = makeClient({ copyHits: true });
    for (let round = 0; round < 20; round++) {
      await old.set('k', 'old');
      const reading = client.get('k');
      await turns(round % 8);
      await client.flushAll();
      await reading;
      await turns(5);
      expect([await fresh.get('k'), await old.get('k')]).toEqual([undefined, undefined]);
    }
    await client.close();
  });

  it('close leaves no connection behind, whatever is being read', async () => {
    for (let round = 0; round < 6; round++) {
      await old.set('k', 'old');
      const client = makeClient({ copyHits: true });
      const reading = client.get('k');
      await turns(round);
      await client.close();
      expect(await reading).toBe('old');
      await turns(5);
      for (const cache of [fresh, old]) expect([...(await cache.stats()).values()][0]?.get('curr_connections')).toBe('1');
    }
  });
});
