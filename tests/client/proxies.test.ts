import { Client, FallbackClient, HashClient, MemcachePartialError, MemcacheUnknownCommandError, MetaCommand, ModuloHash, PooledClient, RetryingClient, type ClientOptions } from '../../src';
import { failure, illegal } from '../support/contract';
import { FakeProxy, type ProxyKind } from '../support/fake-proxy';
import { memcachedBinary, startMemcached, type MemcachedProcess } from '../support/memcached';
import { memcachedProxyBinary, startMemcachedProxy, startTwemproxy, twemproxyBinary, type ProxyProcess, type StartProxy } from '../support/proxies';
import { ScriptedServer, type ScriptedConnection } from '../support/scripted-server';
import { turns, VirtualClock } from '../support/virtual-clock';

type Make = (address: string, options?: ClientOptions) => Client;
const kinds: readonly (readonly [string, Make])[] = [
  ['Client', (address, options) => new Client(address, options)],
  ['PooledClient', (address, options) => new PooledClient(address, options)],
  ['HashClient', (address, options) => new HashClient([address], options)],
  ['RetryingClient', (address, options) => new RetryingClient(new Client(address, options))],
  ['FallbackClient', (address, options) => new FallbackClient([new Client(address, options)])],
];

/** To a FallbackClient a cache that fails is one that misses. */
const telling = kinds.filter(([name]) => name !== 'FallbackClient');

/** How each of several calls ended: the value, or the code of the error. */
async function outcomes(calls: readonly Promise<unknown>[]): Promise<unknown[]> {
  return Promise.all(calls.map((call) => call.catch((error: unknown) => (error as { code?: unknown }).code)));
}

const KEYS = Array.from({ length: 20 }, (_, i) => `key-${i}`);
const valueOf = (key: string): string => `value of ${key}`;
const SERVER_ERROR = 'MEMCACHE_SERVER_ERROR';

describe.each<[ProxyKind]>([['memcached'], ['twemproxy']])('a proxy that behaves as that of %s, with a dead server behind it', (kind) => {
  let proxy: FakeProxy;
  const dead = (key: string): boolean => Number(key.slice(4)) % 2 === 1;
  const expected = (key: string): string => (dead(key) ? SERVER_ERROR : valueOf(key));
  const alive = new Map(KEYS.filter((key) => !dead(key)).map((key) => [key, valueOf(key)]));

  beforeEach(async () => {
    proxy = await FakeProxy.start(kind);
    const client = new Client(proxy.address);
    await client.setMany(KEYS.map((key): [string, string] => [key, valueOf(key)]));
    await client.close();
    proxy.isDead = dead;
  });
  afterEach(() => proxy.close());

  it.each(kinds)('%s: gets of one tick do not share the fate of one', async (_, make) => {
    for (const proxied of [false, true]) {
      const client = make(proxy.address, { proxy: proxied });
      expect(await outcomes(KEYS.map((key) => client.get(key)))).toEqual(KEYS.map(expected));
      const pairs = await outcomes(KEYS.map(async (key) => (await client.gets(key))[0]));
      expect(pairs).toEqual(KEYS.map(expected));
      await client.close();
    }
  });

  it.each(telling)('%s: nothing that is left of the reply answers a later call', async (_, make) => {
    const client = make(proxy.address);
    for (let round = 0; round < 30; round++) {
      const calls = [client.getMany(KEYS), client.gets('key-0'), client.get('key-2'), ...KEYS.map((key) => client.get(key))];
      const [many, withCas, value, ...values] = await outcomes(calls);
      // In a pool these go over other connections; none of them is ever a miss.
      expect(many).toBe('MEMCACHE_PARTIAL');
      expect(withCas).toEqual(['value of key-0', expect.stringMatching(/^[0-9]+$/)]);
      expect(value).toBe('value of key-2');
      expect(values).toEqual(KEYS.map(expected));
    }
    await client.close();
  });

  it('a cluster of such proxies asks once more for the keys of each, and for what else its connection was to read', async () => {
    const second = await FakeProxy.start(kind);
    // By the keys alone, so that each has dead keys whatever the ports are.
    const client = new HashClient([proxy.address, second.address], { hasher: new ModuloHash({ hash: 'crc' }) });
    const more = KEYS.map((key) => `more-${key.slice(4)}`);
    proxy.isDead = () => false;
    await client.setMany([...KEYS, ...more].map((key): [string, string] => [key, valueOf(key)]));
    second.isDead = proxy.isDead = (key) => key.startsWith('key-') && dead(key);
    const [error, whole] = await Promise.all([failure(client.getMany(KEYS)), client.getMany(more)]);
    expect((error as MemcachePartialError).partial).toEqual(alive);
    expect([...(error as MemcachePartialError).failures.values()].map(({ code }) => code)).toEqual([SERVER_ERROR, SERVER_ERROR]);
    expect(whole).toEqual(new Map(more.map((key) => [key, valueOf(key)])));
    await client.close();
    await second.close();
  });

  it.each(telling)('%s: getMany tells what did come', async (_, make) => {
    for (const proxied of [false, true]) {
      const client = make(proxy.address, { proxy: proxied });
      for (let round = 0; round < 3; round++) {
        const error = await failure(client.getMany(KEYS));
        expect(error).toBeInstanceOf(MemcachePartialError);
        expect((error as MemcachePartialError).partial).toEqual(alive);
        expect(error).toMatchObject({ code: 'MEMCACHE_PARTIAL', cause: { code: SERVER_ERROR } });
      }
      const all = await Promise.all(Array.from({ length: 30 }, () => failure(client.getMany(KEYS))));
      for (const error of all) expect((error as MemcachePartialError).partial).toEqual(alive);
      await client.close();
    }
  });

  it.each(kinds)('%s: with ignoreErrors the hits are there', async (_, make) => {
    const client = make(proxy.address, { ignoreErrors: true });
    expect(await client.getMany(KEYS)).toEqual(alive);
    expect(await Promise.all(KEYS.map((key) => client.get(key)))).toEqual(KEYS.map((key) => (dead(key) ? undefined : valueOf(key))));
    await client.close();
  });

  it('costs one connection, and a cluster does not take it for the server’s failure', async () => {
    const client = new HashClient([proxy.address]);
    const before = proxy.connections;
    for (let round = 0; round < 10; round++) await outcomes([...KEYS.map((key) => client.get(key)), client.getMany(KEYS)]);
    expect(proxy.connections - before).toBe(2);
    expect(client.servers()).toMatchObject([{ state: 'healthy' }]);
    await client.close();
  });

  it('a call that was written behind it is not repeated unless it only reads', async () => {
    const client = new Client(proxy.address);
    await client.set('count', 1);
    const [value, many, counted] = await Promise.all([
      client.get('key-0'),
      failure(client.getMany(KEYS)),
      client.incr('count').catch((error: unknown) => error),
    ]);
    expect(value).toBe('value of key-0');
    expect((many as MemcachePartialError).partial).toEqual(alive);
    expect(counted).toMatchObject({ certainty: 'maybeExecuted' });
    expect(proxy.lines.filter((line) => line.startsWith('incr')).length).toBeLessThanOrEqual(1);
    await client.close();
  });

  it('the deadline is the same one', async () => {
    const clock = new VirtualClock();
    const client = new Client(proxy.address, { clock, timeout: 300 });
    await client.get('key-0');
    proxy.allow(0);
    const before = proxy.connections;
    const calls = outcomes(KEYS.map((key) => client.get(key)));
    await clock.advance(200);
    // Their line fails when most of the time is over; then there is silence.
    proxy.allow(1);
    while (proxy.connections === before) await turns(1);
    let settled = false;
    void calls.then(() => (settled = true));
    await clock.advance(99);
    expect(settled).toBe(false);
    await clock.advance(1);
    expect(settled).toBe(true);
    // What one of the two answers before the first error has come.
    const came = kind === 'memcached' ? 1 : 0;
    expect(await calls).toEqual(KEYS.map((key, index) => (index < came ? valueOf(key) : 'MEMCACHE_TIMEOUT')));
    await client.close();
  });

  it('close() in the meantime: everybody is told', async () => {
    const client = new Client(proxy.address);
    await client.get('key-0');
    const calls = outcomes(KEYS.map((key) => client.get(key)));
    await new Promise((resolve) => setImmediate(resolve));
    await client.close();
    for (const [i, outcome] of (await calls).entries()) expect([SERVER_ERROR, expected(KEYS[i] ?? '')]).toContain(outcome);
  });
});

describe('proxy: true', () => {
  const refused: readonly (readonly [string, (client: Client) => Promise<unknown>])[] = [
    ['gat', (c) => c.gat('k', 1)],
    ['gats', (c) => c.gats('k', 1)],
    ['metaGet', (c) => c.metaGet('k')],
    ['metaSet', (c) => c.metaSet('k', 1)],
    ['metaDelete', (c) => c.metaDelete('k')],
    ['metaArithmetic', (c) => c.metaArithmetic('k')],
    ['metaNoop', (c) => c.metaNoop()],
    ['metaDebug', (c) => c.metaDebug('k')],
    ['executeMeta', (c) => c.executeMeta(new MetaCommand('mg', 'k'))],
    ['stats', (c) => c.stats()],
    ['flushAll', (c) => c.flushAll()],
    ['flushAll without a reply', (c) => c.flushAll(0, { noreply: true })],
    ['verbosity', (c) => c.verbosity(1)],
    ['cacheMemlimit', (c) => c.cacheMemlimit(64)],
    ['shutdown', (c) => c.shutdown()],
  ];

  let proxy: FakeProxy;
  beforeEach(async () => {
    proxy = await FakeProxy.start('twemproxy');
  });
  afterEach(() => proxy.close());

  it.each(kinds)('%s: what not every proxy knows is refused before a byte is sent', async (_, make) => {
    for (const options of [{}, { ignoreErrors: true }]) {
      const client = make(proxy.address, { proxy: true, ...options });
      for (const [, call] of refused) {
        const error = await failure(call(client));
        expect(error).toBeInstanceOf(MemcacheUnknownCommandError);
        expect(error).toMatchObject({ code: 'MEMCACHE_UNKNOWN_COMMAND', certainty: 'notSent' });
      }
      expect(proxy.connections).toBe(0);
      await client.close();
    }
  });

  it.each(kinds)('%s: each get has a line of its own', async (_, make) => {
    const client = make(proxy.address, { proxy: true });
    await client.set('k', 1);
    expect(await Promise.all([client.get('k'), client.get('x'), client.get('k')])).toEqual([1, undefined, 1]);
    expect(await client.getMany(['k', 'x'])).toEqual(new Map([['k', 1]]));
    expect(proxy.lines.filter((line) => line.startsWith('get '))).toEqual(['get k', 'get x', 'get k', 'get k', 'get x']);
    await client.close();
  });

  it('is true or false', () => {
    expect(() => new Client('server', { proxy: illegal('yes') })).toThrow('proxy must be true or false');
  });
});

describe('a server that answers in another order than it was asked', () => {
  const values = new Map([['a', '1'], ['b', '2'], ['c', '3']]);
  /** Answers each line of get with its values in the wrong order. */
  const twist = async (connection: ScriptedConnection): Promise<void> => {
    for (;;) {
      const [line] = await connection.expectMatch(/^gets? .*\r\n/);
      const [verb = '', ...keys] = line.trim().split(' ');
      const lines = keys.reverse().flatMap((key) => {
        const value = values.get(key);
        return value === undefined ? [] : `VALUE ${key} 16 1${verb === 'gets' ? ' 7' : ''}\r\n${value}\r\n`;
      });
      await connection.send(`${lines.join('')}END\r\n`);
    }
  };
  const startTwisted = (): Promise<ScriptedServer> => ScriptedServer.start(...Array.from({ length: 8 }, () => twist));

  it.each(telling)('%s: no get is a miss for that', async (_, make) => {
    const server = await startTwisted();
    const client = make(server.address);
    const keys = ['none', 'a', 'other', 'b', 'a', 'c', 'b', 'none'];
    const expected = ['', '1', '', '2', '1', '3', '2', ''];
    for (let round = 0; round < 3; round++) {
      expect(await Promise.all(keys.map(async (key) => (await client.get(key)) ?? ''))).toEqual(expected);
      expect(await Promise.all(keys.map(async (key) => (await client.gets(key))[0] ?? ''))).toEqual(expected);
    }
    // Then each key has a line of its own.
    expect([...client.metrics().values()][0]).toMatchObject({ connects: 2, disconnects: 1, errors: {}, lookups: 48, hits: 30 });
    await client.close();
    await server.close();
  });

  it('close() in the meantime waits for those that are asked for again', async () => {
    const server = await startTwisted();
    const client = new Client(server.address);
    let settled = 0;
    const values = ['a', 'none', 'b'].map((key) => client.get(key).finally(() => settled++));
    await client.close();
    expect(settled).toBe(3);
    expect(await Promise.all(values)).toEqual(['1', undefined, '2']);
    await server.close();
  });
});

describe('a proxy that answers a key once, however often the line holds it', () => {
  let proxy: FakeProxy;
  beforeEach(async () => {
    proxy = await FakeProxy.start('memcached');
  });
  afterEach(() => proxy.close());

  it.each(kinds)('%s: all callers are answered', async (_, make) => {
    const client = make(proxy.address);
    await client.setMany([['k', 1], ['a', 2], ['b', 3]]);
    const keys = ['k', 'k', 'a', 'k', 'none', 'k', 'b', 'a', 'none', 'k'];
    const values: Record<string, number | undefined> = { k: 1, a: 2, b: 3 };
    for (let length = 1; length <= keys.length; length++) {
      const some = keys.slice(0, length);
      expect(await Promise.all(some.map((key) => client.get(key)))).toEqual(some.map((key) => values[key]));
    }
    const pairs = await Promise.all(keys.map((key) => client.gets(key)));
    expect(pairs.map(([value]) => value)).toEqual(keys.map((key) => values[key]));
    await client.close();
  });

  it('the line holds each key once, and values are not shared', async () => {
    const client = new Client(proxy.address);
    await client.set('k', [1]);
    const before = proxy.lines.length;
    const [first, second] = await Promise.all([client.get('k'), client.get('k'), client.get('x'), client.get('k')]);
    expect(proxy.lines.slice(before)).toEqual(['get k x']);
    expect(first).toEqual([1]);
    expect(second).toEqual([1]);
    expect(second).not.toBe(first);
    await client.close();
  });

  it('one of them may be aborted, before or after it was sent', async () => {
    const client = new Client(proxy.address);
    await client.set('k', 1);
    for (const aborted of [0, 1, 2]) {
      for (const when of [(then: () => void) => { process.nextTick(then); }, setImmediate]) {
        const abort = new AbortController();
        const calls = [0, 1, 2].map((i) => client.get('k', i === aborted ? { signal: abort.signal } : {}).catch(() => 'aborted'));
        when(() => { abort.abort(); });
        for (const [i, value] of (await Promise.all(calls)).entries()) if (i !== aborted || value !== 'aborted') expect(value).toBe(1);
      }
    }
    await client.close();
  });

  it('getMany: a string and its bytes are two keys of the Map', async () => {
    const client = new Client(proxy.address);
    await client.set('k', 1);
    const bytes = Buffer.from('k');
    expect(await client.getMany(['k', bytes, 'none'])).toEqual(new Map<unknown, unknown>([['k', 1], [bytes, 1]]));
    expect(await client.getMany(['k', 'k'])).toEqual(new Map([['k', 1]]));
    await client.close();
  });

  it.each(kinds)('%s: a key that getMany names twice has one place in the line', async (_, make) => {
    for (const proxied of [false, true]) {
      const client = make(proxy.address, { proxy: proxied });
      const bytes = Buffer.from('k');
      await client.setMany([['k', [1]], ['a', [2]]]);
      const before = proxy.lines.length;
      const many = await client.getMany(['k', 'a', 'k', bytes, 'none', 'a', ['route', 'k'], 'none']);
      const pairs = await client.getsMany(['k', 'k', bytes]);
      const separated = ['get k', 'get a', 'get none', 'gets k'];
      expect(proxy.lines.slice(before)).toEqual(proxied ? separated : ['get k a none', 'gets k']);
      // In the order of the caller's keys.
      expect([...many]).toEqual([['k', [1]], ['a', [2]], [bytes, [1]], [['route', 'k'], [1]]]);
      expect(many.get(bytes)).toEqual([1]);
      expect(many.get(bytes)).not.toBe(many.get('k'));
      expect(pairs.get(bytes)).toEqual(pairs.get('k'));
      expect(pairs.size).toBe(2);
      const { hits, misses, calls } = [...client.metrics().values()][0] ?? {};
      // A key that was given twice counts twice.
      expect({ hits, misses, get: calls?.['get'] }).toEqual({ hits: 6 + 3, misses: 2, get: 8 });
      await client.close();
    }
  });

  it('thousands of keys, each asked for several times, at random', async () => {
    const client = new Client(proxy.address);
    const keys = Array.from({ length: 300 }, (_, i) => `user:${i}:profile`);
    await client.setMany(keys.map((key, i): [string, number] => [key, i]));
    const asked = Array.from({ length: 3000 }, (_, i) => (i * 7919) % 301);
    const values = await Promise.all(asked.map((i) => client.get(keys[i] ?? 'none')));
    expect(values).toEqual(asked.map((i) => (i === 300 ? undefined : i)));
    await client.close();
  });
});

/** For a proxy and its servers, each of which may be slow. */
const patient = kinds.map(([name, make]): (typeof kinds)[number] => [name, (address, options) => make(address, { timeout: 20_000, ...options })]);

/**
 * Over two real servers, one of which then dies.
 *
 * @param noreply what reading the key `noreply` gives when `x` is stored there: memcached's proxy asks its server for `noreplY`
 */
function describeReal(name: string, binary: string | undefined, start: StartProxy, noreply: string | undefined): void {
  const describeOrSkip = binary === undefined ? describe.skip : describe;
  describeOrSkip(`${name}${binary === undefined ? ': is not there' : ''}`, () => {
    let backends: MemcachedProcess[];
    let proxy: ProxyProcess;
    beforeAll(async () => {
      // memcached's proxy sends older servers what they do not understand: both are of one version.
      const server = name === 'twemproxy' ? memcachedBinary() : binary;
      backends = await Promise.all([startMemcached([], undefined, server), startMemcached([], undefined, server)]);
      proxy = await start(backends.map(({ address }) => address));
    });
    afterAll(async () => {
      await proxy.stop();
      await Promise.all(backends.map((backend) => backend.stop()));
    });

    describe.each(patient)('%s', (_, make) => {
      it.each([false, true])('proxy: %s: stores, reads, counts, deletes', async (proxied) => {
        const client = make(proxy.address, { proxy: proxied });
        expect(await client.setMany(KEYS.map((key): [string, string] => [key, valueOf(key)]))).toEqual([]);
        expect(await Promise.all([...KEYS, ...KEYS].map((key) => client.get(key)))).toEqual([...KEYS, ...KEYS].map(valueOf));
        expect((await client.getMany(KEYS)).size).toBe(KEYS.length);
        const [, cas = ''] = await client.gets('key-0');
        expect(await client.cas('key-0', valueOf('key-0'), cas)).toBe(true);
        await client.set('n', 1);
        expect(await client.incr('n')).toBe(2);
        expect(await client.touch('n', 100)).toBe(true);
        expect(await client.deleteMany(['n', 'none'])).toBe(1);
        expect(await client.add('n', Buffer.alloc(500_000, 'x'))).toBe(true);
        expect(await client.get('n')).toHaveLength(500_000);
        expect(await client.delete('n')).toBe(true);
        expect((await client.version()).size).toBe(1);
        await client.close();
      });

      it('defaultNoreply works', async () => {
        const client = make(proxy.address, { defaultNoreply: true });
        for (let round = 0; round < 20; round++) {
          const calls = KEYS.flatMap((key) => [client.set(key, round), client.delete(`${key}-gone`), client.get(key), client.incr('none')]);
          for (const outcome of await outcomes(calls)) expect(String(outcome)).not.toMatch(/^MEMCACHE_/);
        }
        await client.close();
      });
    });

    it.each(patient)('%s: gets of one tick are no misses when keys between them are not there', async (_, make) => {
      const client = make(proxy.address);
      await client.setMany(KEYS.map((key): [string, string] => [key, valueOf(key)]));
      const keys = Array.from({ length: 90 }, (_each, i) => (i % 3 === 0 ? `none-${i}` : (KEYS[i % 20] ?? '')));
      const expected = keys.map((key) => (key.startsWith('none') ? undefined : valueOf(key)));
      expect(await Promise.all(keys.map((key) => client.get(key)))).toEqual(expected);
      expect(await Promise.all(keys.map(async (key) => (await client.gets(key))[0]))).toEqual(expected);
      await client.close();
    });

    it('the key noreply takes no connection down', async () => {
      const client = new Client(proxy.address, { timeout: 20_000 });
      await client.setMany({ noreply: 'x', a: 'y', 'noreply-': 'z' });
      expect(await client.get('noreply')).toBe(noreply);
      expect((await client.gets('noreply'))[0]).toBe(noreply);
      expect(await Promise.all([client.get('a'), client.get('noreply'), client.get('noreply')])).toEqual(['y', noreply, noreply]);
      expect(await Promise.all([client.get('noreply'), client.get('a')])).toEqual([noreply, 'y']);
      expect((await client.getMany(['a', 'noreply'])).get('a')).toBe('y');
      expect((await client.getMany(['noreply'])).get('noreply')).toBe(noreply);
      const separate = new Client(proxy.address, { proxy: true, timeout: 20_000 });
      expect(await Promise.all([separate.get('a'), separate.get('noreply'), separate.get('a')])).toEqual(['y', noreply, 'y']);
      expect((await separate.getMany(['noreply', 'a', 'noreply-'])).get('a')).toBe('y');
      await Promise.all([client.close(), separate.close()]);
    });

    it.each(patient)('%s: proxy: true: the key noreply is deleted, and costs its neighbours nothing', async (_, make) => {
      const client = make(proxy.address, { proxy: true });
      await client.setMany({ noreply: 'x', a: 'y' });
      const calls = [client.get('a'), client.delete('noreply'), client.incr('none'), client.delete('noreply'), client.get('a')];
      expect(await Promise.all(calls)).toEqual(['y', true, undefined, false, 'y']);
      expect(await client.add('noreply', 'z')).toBe(true);
      expect(await Promise.all([client.get('a'), client.deleteMany(['noreply', 'none', 'noreply']), client.get('a')])).toEqual(['y', 1, 'y']);
      expect(await client.add('noreply', 'z')).toBe(true);
      expect(await client.deleteMany(['a', 'noreply'])).toBe(2);
      expect(await client.get('a')).toBeUndefined();
      expect([...client.metrics().values()][0]).toMatchObject({ disconnects: 0, errors: {} });
      await client.close();
    });

    it.each(patient)('%s: proxy: true: what expires at once costs its neighbours nothing', async (_, make) => {
      const client = make(proxy.address, { proxy: true });
      await client.setMany({ a: 'y', b: 'y', c: 'y' });
      const [, cas = ''] = await client.gets('c');
      const calls = [client.get('a'), client.set('b', 'x', { expire: -1 }), client.add('new', 'x', { expire: new Date(0) }), client.cas('c', 'x', cas, { expire: -1 }), client.set('d', 'x', { expire: -1, noreply: true })];
      expect(await Promise.all([...calls, client.setMany({ e: 1, f: 2 }, { expire: -1 }), client.get('a')])).toEqual(['y', true, true, true, true, [], 'y']);
      expect(await client.getMany(['b', 'new', 'c', 'd', 'e', 'f'])).toEqual(new Map());
      expect([...client.metrics().values()][0]).toMatchObject({ disconnects: 0, errors: {} });
      await client.close();
    });

    it('one server dead: no false miss, and what the other has is there', async () => {
      const client = new Client(proxy.address, { timeout: 20_000 });
      await client.setMany(KEYS.map((key): [string, string] => [key, valueOf(key)]));
      await backends[1]?.stop();
      // One by one: which keys the living server has.
      const single = new Client(proxy.address, { timeout: 20_000 });
      const one: unknown[] = [];
      for (const key of KEYS) one.push(...(await outcomes([single.get(key)])));
      const alive = new Map(KEYS.filter((key, i) => one[i] === valueOf(key)).map((key) => [key, valueOf(key)]));
      expect(alive.size).toBeGreaterThan(0);
      expect(alive.size).toBeLessThan(KEYS.length);
      for (let round = 0; round < 10; round++) {
        for (const proxied of [false, true]) {
          const other = new Client(proxy.address, { proxy: proxied, timeout: 20_000 });
          expect(await outcomes(KEYS.map((key) => other.get(key)))).toEqual(one);
          expect(((await failure(other.getMany(KEYS))) as MemcachePartialError).partial).toEqual(alive);
          const [key = ''] = alive.keys();
          expect((await other.gets(key))[0]).toBe(valueOf(key));
          await other.close();
        }
      }
      const patient = new Client(proxy.address, { ignoreErrors: true });
      expect(await patient.getMany(KEYS)).toEqual(alive);
      await Promise.all([client.close(), single.close(), patient.close()]);
    });
  });
}

describeReal('memcached’s own proxy', memcachedProxyBinary(), startMemcachedProxy, undefined);
describeReal('twemproxy', twemproxyBinary(), (backends) => startTwemproxy(backends, 10_000), 'x');
