import { Client, FallbackClient, HashClient, JsonSerde, ManualClock, MemcacheConnectError, MemcacheIllegalInputError, type Serde } from '../../src';
import { ReadThroughCache, type CacheOptions, type LoadContext } from '../../src/cache';
import { EmbeddedClient } from '../../src/embedded';
import { MemcachedServer } from '../../src/server';
import { Before } from './support/executors';
import { Fleet } from './support/fleet';

describe('what the caller changes while a call is under way', () => {
  const client = (): Client => new EmbeddedClient();

  it('getMany loads and returns the keys that were given', async () => {
    const cache = new ReadThroughCache(client(), { namespace: 'n' });
    const keys = ['a', 'b'];
    const loaded: string[][] = [];
    const values = cache.getMany(keys, (wanted) => {
      loaded.push([...wanted]);
      return new Map(wanted.map((key) => [key, `of ${key}`]));
    });
    keys.splice(0, 2, 'c', 'd');
    expect(await values).toEqual(new Map([['a', 'of a'], ['b', 'of b']]));
    expect(loaded).toEqual([['a', 'b']]);
    await cache.close();
  });

  it.each([['of the call', true], ['of the cache', false]])('the tags %s are those that were given', async (_, ofCall) => {
    const tags = ['t'];
    const cache = new ReadThroughCache(client(), { expire: 60, ...(!ofCall && { tags }) });
    const value = cache.get('k', () => 'old', ofCall ? { tags } : undefined);
    tags[0] = 'another';
    expect(await value).toBe('old');
    await cache.invalidateTags('t');
    expect(await cache.get('k', () => 'new', { tags: ['t'] })).toBe('new');
    await cache.close();
  });

  it.each([
    ['text', 5], ['copied', 50_000], ['large', 300_000],
  ])('a set stores the bytes that were given: %s', async (_, size) => {
    await using own = client();
    const cache = new ReadThroughCache(own);
    const value = Buffer.alloc(size, 'a');
    const stored = cache.set('k', value);
    value.fill('z');
    expect(await stored).toBe(true);
    expect(Buffer.alloc(size, 'a').equals((await cache.peek('k'))!)).toBe(true);
    const gone = new Uint8Array(10);
    structuredClone(gone, { transfer: [gone.buffer] });
    await expect(cache.set('k', gone)).rejects.toThrow(MemcacheIllegalInputError);
  });

  it('a value in pieces is the one that was loaded', async () => {
    await using own = client();
    const cache = new ReadThroughCache(new Client(own.executor, { ...own.options, maxValueSize: 200_000 }), { chunk: { maxValue: 1e6 } });
    const load = jest.fn(() => Buffer.alloc(600_000, 'a'));
    (await cache.get('k', load)).fill('z');
    await cache.close();
    expect((await cache.get('k', load)).equals(Buffer.alloc(600_000, 'a'))).toBe(true);
    expect(load).toHaveBeenCalledTimes(1);
  });

  it.each<[string, CacheOptions<{ list: number[] }>]>([
    ['without tags', {}],
    ['with tags', { tags: ['t'] }],
    ['with tags of the value', { tags: ({ list }) => [`t${list.length}`] }],
    ['with a namespace', { namespace: 'n', tags: ({ list }) => [`t${list.length}`], l1: { admit: 'all' } }],
  ])('a value is stored as it was loaded, whatever its caller makes of it: %s', async (_, options) => {
    await using own = new EmbeddedClient<{ list: number[] }>(undefined, { serde: new JsonSerde<{ list: number[] }>() });
    const cache = new ReadThroughCache(own, options);
    const value = await cache.get('k', () => ({ list: [1] }));
    value.list.push(2);
    await cache.close();
    expect(await cache.peek('k')).toEqual({ list: [1] });
    const many = await cache.getMany(['m'], () => [{ list: [1] }]);
    many.get('m')?.list.push(2);
    await cache.close();
    expect(await cache.peek('m')).toEqual({ list: [1] });
  });

  it.each<[string, CacheOptions, ((client: Client) => Client)?]>([
    ['at once', {}],
    ['after softTimeout', { softTimeout: 10 }],
    ['with tags of the value', { tags: () => ['t'] }],
    ['in pieces', { chunk: { maxValue: 1e6 } }, (own) => new Client(own.executor, { ...own.options, maxValueSize: 1000 })],
    ['on servers without meta commands', {}, (own) => new Client(own.executor, { ...own.options, proxy: true })],
    ['of an older cache', {}, (own) => new FallbackClient([new EmbeddedClient(undefined, { clock: own.options.clock }), own])],
  ])('an old value is that of the loader alone, whatever a caller makes of it: %s', async (_, options, around = (own) => own) => {
    const clock = new ManualClock();
    await using own = new EmbeddedClient(undefined, { clock });
    const value = (): { list: number[] } => ({ list: Array.from({ length: 600 }, (_, i) => i) });
    await new ReadThroughCache(_ === 'of an older cache' ? own : around(own), { ...options, expire: 1, stale: 60 }).set('k', value());
    clock.advance(3000);
    const cache = new ReadThroughCache(around(own), { ...options, expire: 1, stale: 60 });
    let go = (): void => undefined;
    const may = new Promise<void>((resolve) => (go = resolve));
    const read = cache.get<{ list: number[] }>('k', async ({ old }) => {
      await may;
      return old ?? { list: [] };
    });
    for (let i = 0; i < 20; i++) await new Promise(setImmediate);
    clock.advance(10);
    const given = await read;
    expect(given).toEqual(value());
    given.list.length = 0;
    go();
    await cache.close();
    expect(await cache.peek('k')).toEqual(value());
    expect(cache.stats()).toMatchObject({ 'stale-hit': 1, refresh: 1, stored: 1 });
  });

  it.each<[string, CacheOptions]>([
    ['another process loads for too long', {}],
    ['only the near cache has one', { l1: { admit: 'all', ttl: 10, staleIfError: 60_000 } }],
  ])('nor is it when %s', async (_, options) => {
    const fleet = new Fleet(2, 0, { ...options, expire: 5, staleIfError: 60, earlyRefresh: 0, leaseWait: 100, softTimeout: 150 });
    const [a, b] = fleet.processes;
    const near = options.l1 !== undefined;
    const load = async ({ old }: LoadContext<{ n: number }>): Promise<{ n: number }> => {
      await fleet.clock.sleep(500);
      return old ?? { n: 0 };
    };
    await fleet.clock.until(a!.cache.set('k', { n: 1 }));
    if (near) await fleet.clock.until(b!.cache.get('k', load));
    await fleet.clock.pass(10_000);
    if (near) b!.line.state = 'down';
    else void a!.cache.get('k', () => new Promise(() => undefined));
    await fleet.clock.pass(10);
    const loaded = jest.fn(load);
    const read = b!.cache.get<{ n: number }>('k', loaded);
    await fleet.clock.pass(300);
    const given = await read;
    expect(given).toEqual({ n: 1 });
    given.n = 2;
    // Whoever joins the load gets what it returns.
    const other = b!.cache.get<{ n: number }>('k', loaded, { softTimeout: 0 });
    expect(await fleet.clock.until(other)).toEqual({ n: 1 });
    expect(loaded).toHaveBeenCalledTimes(1);
  });

  it('each caller has its own value of the near cache when nothing else is left', async () => {
    const clock = new ManualClock();
    let down = false;
    await using own = new EmbeddedClient(undefined, { clock });
    const line = new Before(own.executor, (_, go) => (down ? Promise.reject(new MemcacheConnectError('down')) : go()));
    const cache = new ReadThroughCache(new Client(line, own.options), { l1: { admit: 'all', ttl: 10, staleIfError: 60_000 } });
    await cache.get('k', () => ({ list: [1] }));
    await cache.close();
    clock.advance(1000);
    down = true;
    const fail = (): never => {
      throw new Error('down too');
    };
    const [first, second] = (await Promise.all([cache.get('k', fail), cache.get('k', fail)])) as { list: number[] }[];
    expect(first).toEqual({ list: [1] });
    expect(second).toEqual({ list: [1] });
    expect(second).not.toBe(first);
  });

  it('what a serde marks as only this layer may is refused, and not taken for an entry of this layer', async () => {
    const serde: Serde<string> = {
      serialize: (value) => ({ data: `1 v t=1\n${value}`, flags: 2 ** 31 }),
      deserialize: (bytes) => Buffer.from(bytes).toString(),
    };
    await using client = new EmbeddedClient(undefined, { serde });
    const cache = new ReadThroughCache(client);
    await expect(cache.set('k', 'v')).rejects.toThrow('bit 31');
    expect(await cache.get('k', () => 'v')).toBe('v');
    await cache.close();
    expect(cache.stats()).toMatchObject({ 'store-error': 1, stored: 0 });
    expect(client.store.size).toBe(0);
  });

  it('bytes that two calls read at once are not the same', async () => {
    await using server = await MemcachedServer.start({ port: 0 });
    await using own = new Client(`127.0.0.1:${server.port}`);
    const load = (): Buffer => Buffer.alloc(0);
    for (const chunked of [false, true]) {
      const cache = new ReadThroughCache(new Client(own.executor, { maxValueSize: chunked ? 200_000 : 1e6 }), { chunk: { maxValue: 1e6 } });
      await cache.set('k', Buffer.alloc(500_000, 'a'));
      const [first, second] = await Promise.all([cache.get('k', load), cache.get('k', load)]);
      first.fill('z');
      expect(second.equals(Buffer.alloc(500_000, 'a'))).toBe(true);
    }
  });

  it('a near cache keeps no bytes of a caller, on servers without meta commands', async () => {
    await using own = client();
    const old = new Client(new Before(own.executor, (command, go) => (command.verb === 'version' ? Promise.resolve(new Map([['old', '1.5.22']])) : go())), own.options);
    const cache = new ReadThroughCache(old, { l1: { admit: 'all', ttl: 60_000 } });
    await cache.set('k', Buffer.alloc(50_000, 'a'));
    const load = (): Buffer => Buffer.alloc(0);
    (await cache.get('k', load)).fill('z');
    expect((await cache.get('k', load)).equals(Buffer.alloc(50_000, 'a'))).toBe(true);
    expect(cache.stats()['l1-hit']).toBe(1);
  });

  it('a key of bytes is the one that was given', async () => {
    await using own = client();
    const cache = new ReadThroughCache(own, { namespace: 'n' });
    const key = Buffer.from('a');
    const read = cache.get(key, () => 'of a');
    key.write('b');
    expect(await read).toBe('of a');
    const many = cache.getMany([key], () => ['of b']);
    key.write('a');
    expect(await many).toEqual(new Map([[key, 'of b']]));
    const second = Buffer.from('d');
    const scoped = cache.scope().getMany([key, second], (keys) => keys.map((_, i) => i));
    second.write('e');
    expect(await scoped).toEqual(new Map<Buffer, unknown>([[key, 'of a'], [second, 0]]));
    const peeked = cache.peek(key);
    key.write('c');
    expect(await peeked).toBe('of a');
    expect(await cache.peek('b')).toBe('of b');
  });

  it('a key of bytes that is deleted is deleted on its own server', async () => {
    await using first = await MemcachedServer.start({ port: 0 });
    await using second = await MemcachedServer.start({ port: 0 });
    await using cluster = new HashClient([first, second].map(({ port }) => `127.0.0.1:${port}`));
    const cache = new ReadThroughCache(cluster);
    const keys = Array.from({ length: 26 }, (_, i) => String.fromCharCode(97 + i));
    const other = keys.find((key) => cluster.serverFor(key) !== cluster.serverFor('a'))!;
    await cache.set('a', 'outdated');
    const key = Buffer.from('a');
    const deleted = cache.delete(key);
    key.write(other);
    expect(await deleted).toBe(true);
    expect(await cache.peek('a')).toBeUndefined();
  });
});
