import { Client, FallbackClient, ManualClock, type CacheValue } from '../../src';
import { ReadThroughCache, type CacheOptions } from '../../src/cache';
import { EmbeddedClient, MemoryStore } from '../../src/embedded';
import { MemcachedServer } from '../../src/server';
import { SimulatedClock } from '../support/simulated-clock';
import { turns } from '../support/virtual-clock';
import { Before } from './support/executors';
import { Fleet } from './support/fleet';

describe('tags', () => {
  it('a version that the server tells only after a load has begun does not vouch for what was loaded', async () => {
    const store = new MemoryStore();
    const client = new EmbeddedClient(store);
    const other = new ReadThroughCache(new EmbeddedClient(store));
    let answer: () => void = () => undefined;
    const answered = new Promise<void>((resolve) => (answer = resolve));
    const late = new Client(new Before(client.executor, async (command, go) => {
      // A server that owns the tag, and answers only after the invalidation; the one that owns the key answers at once.
      if (command.verb === 'ma') await answered;
      return go();
    }), client.options);
    const cache = new ReadThroughCache(late, { tags: ['t'], cacheTimeout: 60_000 });
    let database = 'old';
    const call = cache.get('k', async () => {
      const seen = database;
      await answered;
      return seen;
    });
    // By now the loader would run, if it did not wait for the version.
    await turns(20);
    database = 'new';
    await other.invalidateTags('t');
    answer();
    await call;
    await cache.close();
    const load = jest.fn(() => database);
    expect(await other.get('k', load)).toBe('new');
    await client.close();
  });

  it('two invalidations at once, whose answers come in another order: what lies between them is invalid', async () => {
    const fleet = new Fleet(2, 0, { tags: ['t'], expire: 600 });
    const [a, b] = fleet.processes;
    let slow = true;
    // As over two connections: the answer to the first comes last.
    a!.line.onCommand = ({ verb }) => {
      if (verb !== 'ma' || !slow) return undefined;
      slow = false;
      return fleet.clock.sleep(50);
    };
    const first = a!.cache.invalidateTags('t');
    await fleet.clock.pass(10);
    expect(await fleet.clock.until(b!.get('k'))).toBe('k@0');
    await fleet.clock.pass(10);
    fleet.database.write('k');
    await fleet.clock.until(Promise.all([first, a!.cache.invalidateTags('t')]));
    expect(await fleet.clock.until(a!.get('k'))).toBe('k@1');
  });

  it.each<[string, CacheOptions]>([['a tag', { tags: ['t'] }], ['the namespace', { namespace: 'n' }]])('what this process hears of %s over another connection while it changes it is not believed afterwards', async (what, options) => {
    let slow = { before: 0, after: 0 };
    const fleet: Fleet = new Fleet(1, 0, { ...options, tagMaxAge: 100 }, (client) => new Client(new Before(client.executor, async (command, go) => {
      const { before, after } = command.verb === 'ma' ? slow : { before: 0, after: 0 };
      slow.before = 0;
      if (before > 0) await fleet.clock.sleep(before);
      const result = await go();
      if (before === 0 && after > 0) await fleet.clock.sleep(after);
      return result;
    }), client.options));
    const [process] = fleet.processes;
    await fleet.herd(1, 'k');
    await fleet.clock.pass(1000);
    fleet.database.write('k');
    // The change comes to the server after the question, whose answer takes longer.
    slow = { before: 20, after: 60 };
    const changed = what === 'a tag' ? process!.cache.invalidateTags('t') : process!.cache.invalidateNamespace();
    await fleet.clock.pass(10);
    const meanwhile = process!.get('k');
    await fleet.clock.until(changed);
    slow.after = 0;
    for (let i = 0; i < 10; i++) {
      expect(await fleet.clock.until(process!.get('k'))).toBe('k@1');
      await fleet.clock.pass(10);
    }
    await fleet.clock.until(meanwhile);
    // The read that was under way knows what the change has told, and is not loaded for itself alone.
    expect(fleet.database.loads).toBe(2);
  });

  it.each([false, true])('nobody joins a load that began before another process has invalidated its tag; without meta commands: %s', async (proxy) => {
    const fleet = new Fleet(2, 5000, { tags: ['t'], expire: 600 }, (client) => new Client(client.executor, { ...client.options, proxy }));
    const [a, b] = fleet.processes;
    const before = a!.get('k');
    await fleet.clock.pass(1000);
    fleet.database.write('k');
    await fleet.clock.until(b!.cache.invalidateTags('t'));
    // Within tagMaxAge.
    await fleet.clock.pass(1100);
    const after = [a!.get('k'), a!.get('k')];
    await fleet.clock.pass(100);
    after.push(a!.get('k'));
    expect(await fleet.clock.until(Promise.all([before, ...after]))).toEqual(['k@0', 'k@1', 'k@1', 'k@1']);
    expect(fleet.database.loads).toBe(2);
    await fleet.clock.pass(10);
    expect(await fleet.clock.until(b!.get('k'))).toBe('k@1');
    expect(fleet.database.loads).toBe(2);
  });

  it('an entry stays when its tag cannot be asked for', async () => {
    const fleet = new Fleet(1, 0, { tags: ['t'], expire: 600 });
    await fleet.herd(1, 'k');
    await fleet.clock.pass(10);
    const fresh = fleet.process('fresh');
    fresh.line.onCommand = (command) => (command.verb === 'ma' ? new Promise(() => undefined) : undefined);
    expect(await fleet.clock.until(fresh.get('k'))).toBe('k@0');
    expect(fresh.cache.stats()).toMatchObject({ load: 1, stored: 0, miss: 1 });
    await fleet.clock.pass(10);
    expect((await fleet.herd(1, 'k')).values).toEqual(['k@0']);
    expect(fleet.processes[0]!.cache.stats()).toMatchObject({ load: 1, hit: 1 });
  });

  it('what was loaded while its tag could not be asked for is not stored: nothing could invalidate it', async () => {
    const fleet = new Fleet(1, 0, { tags: ['t'], expire: 600 });
    const [process] = fleet.processes;
    process!.line.onCommand = (command) => (command.verb === 'ma' ? new Promise(() => undefined) : undefined);
    expect(await fleet.clock.until(process!.get('k'))).toBe('k@0');
    await fleet.clock.pass(10);
    expect(process!.cache.stats()).toMatchObject({ load: 1, stored: 0 });
    expect(fleet.store.find('k')).toBeUndefined();
  });

  it('what an older cache of a FallbackClient has with tags of its own is loaded once', async () => {
    await using first = new EmbeddedClient();
    await using second = new EmbeddedClient();
    const older = new ReadThroughCache(second, { tags: ['t'] });
    await older.get('k', () => 'older');
    await older.close();
    const cache = new ReadThroughCache(new FallbackClient<CacheValue>([first, second]), { tags: ['t'] });
    const load = jest.fn(() => 'new');
    for (let i = 0; i < 4; i++) {
      expect(await cache.get('k', load)).toBe('new');
      await cache.close();
    }
    expect(load).toHaveBeenCalledTimes(1);
  });

  it('what was invalidated in the first cache of a FallbackClient is refreshed by its next reader', async () => {
    await using first = new EmbeddedClient();
    await using second = new EmbeddedClient();
    const cache = new ReadThroughCache(new FallbackClient<CacheValue>([first, second]), { stale: 30 });
    let value = 'old';
    const load = jest.fn(() => value);
    await cache.get('k', load);
    await cache.close();
    value = 'new';
    await cache.invalidate('k');
    expect(await cache.get('k', load)).toBe('old');
    await cache.close();
    expect(await cache.get('k', load)).toBe('new');
    expect(load).toHaveBeenCalledTimes(2);
  });

  it('a refresh over a FallbackClient that was given up is left to the next reader', async () => {
    const clock = new SimulatedClock();
    const [first, older] = [new MemoryStore({ clock }), new MemoryStore({ clock })];
    const options: CacheOptions = { clock, expire: 5, staleIfError: 600, earlyRefresh: 0, abortUnused: true };
    const [a, b] = [1, 2].map(() => new ReadThroughCache(new FallbackClient<CacheValue>([first, older].map((store) => new EmbeddedClient(store, { clock }))), options)) as [ReadThroughCache, ReadThroughCache];
    await clock.until(new ReadThroughCache(new EmbeddedClient(older, { clock }), options).set('k', 'old'));
    await clock.pass(10_000);
    const controller = new AbortController();
    const given = a.get('k', () => new Promise<never>(() => undefined), { signal: controller.signal }).catch(() => 'given up');
    await clock.pass(10);
    controller.abort();
    expect(await clock.until(given)).toBe('given up');
    await clock.pass(10);
    const at = clock.now();
    expect(await clock.until(b.get<string>('k', ({ old = 'none' }) => `${old}, refreshed`))).toBe('old, refreshed');
    expect(clock.now()).toBe(at);
  });

  it('what is invalidated over a FallbackClient is invalid for those who use its older cache alone', async () => {
    await using first = new EmbeddedClient();
    await using second = new EmbeddedClient();
    const [alone, both] = [second, new FallbackClient<CacheValue>([first, second])].map((client) => new ReadThroughCache(client, { namespace: 'n', tagMaxAge: 0 })) as [ReadThroughCache, ReadThroughCache];
    const read = (value: string): Promise<unknown> => Promise.all([alone.get('tagged', () => value, { tags: ['t'] }), alone.get('plain', () => value)]);
    expect(await read('old')).toEqual(['old', 'old']);
    await alone.close();
    await both.invalidateTags('t');
    expect(await read('new')).toEqual(['new', 'old']);
    await alone.close();
    await both.invalidateNamespace();
    expect(await read('newest')).toEqual(['newest', 'newest']);
    await alone.close();
  });

  it('what cannot be read in an older cache is stored in the first', async () => {
    await using first = new EmbeddedClient();
    await using second = new EmbeddedClient();
    await second.set('k', 'x', { flags: 12345 });
    const cache = new ReadThroughCache(new FallbackClient<CacheValue>([first, second]));
    const load = jest.fn(() => 'new');
    for (let i = 0; i < 3; i++) {
      expect(await cache.get('k', load)).toBe('new');
      await cache.close();
    }
    expect(load).toHaveBeenCalledTimes(1);
  });

  it('but not after a delete by another process', async () => {
    await using first = new EmbeddedClient();
    await using second = new EmbeddedClient();
    await second.set('k', 'x', { flags: 12345 });
    const [a, b] = [1, 2].map(() => new ReadThroughCache(new FallbackClient<CacheValue>([first, second])));
    const early = a!.get('k', async () => {
      await b!.delete('k');
      return 'outdated';
    });
    expect(await early).toBe('outdated');
    await a!.close();
    expect(await b!.get('k', () => 'new')).toBe('new');
  });
});

describe('tags', () => {
  const tagged: CacheOptions = { tags: ['users'], expire: 600, tagMaxAge: 1000 };

  it('invalidateTags makes entries misses: here at once, elsewhere within tagMaxAge, and loaded once', async () => {
    const fleet = new Fleet(4, 50, tagged);
    await fleet.herd(3, 'k');
    expect(fleet.database.loads).toBe(1);
    fleet.database.write('k');
    await fleet.clock.until(fleet.processes[0]!.cache.invalidateTags(['users']));
    expect(await fleet.clock.until(fleet.processes[0]!.get('k'))).toBe('k@1');
    await fleet.clock.pass(1100);
    expect((await fleet.herd(3, 'k')).values).toEqual(Array(12).fill('k@1'));
    expect(fleet.database.loads).toBe(2);
    await fleet.clock.pass(1100);
    fleet.database.write('k');
    await fleet.clock.until(fleet.processes[0]!.cache.invalidateTags('users'));
    await fleet.clock.pass(1100);
    expect(new Set((await fleet.herd(3, 'k')).values)).toEqual(new Set(['k@2']));
    expect(fleet.database.loads).toBe(3);
  });

  it('elsewhere within tagMaxAge, also when no other process has read it since', async () => {
    const fleet = new Fleet(2, 0, tagged);
    const [one, two] = fleet.processes;
    await fleet.herd(1, 'k');
    fleet.database.write('k');
    await fleet.clock.until(one!.cache.invalidateTags('users'));
    await fleet.clock.pass(1100);
    expect(await fleet.clock.until(two!.get('k'))).toBe('k@1');
  });

  it('writes to one key take effect in the order in which they were called, though one waits for the version of its tag', async () => {
    const fleet = new Fleet(1, 0, { expire: 600 });
    const { cache, line } = fleet.processes[0]!;
    await fleet.clock.until(cache.peek('k'));
    line.onCommand = ({ verb }) => (verb === 'ma' ? fleet.clock.sleep(50) : undefined);
    const writes = [cache.set('k', 'first', { tags: ['a'] }), cache.set('k', 'second'), cache.set('l', 'first', { tags: ['b'] }), cache.delete('l')];
    await fleet.clock.until(Promise.all(writes));
    expect(await fleet.clock.until(Promise.all([cache.peek('k'), cache.peek('l')]))).toEqual(['second', undefined]);
  });

  it('a set whose tags have no version rejects: it could not be invalidated', async () => {
    const fleet = new Fleet(1, 0, { expire: 600 });
    const { cache, line } = fleet.processes[0]!;
    await fleet.clock.until(cache.peek('k'));
    line.onCommand = ({ verb }) => (verb === 'ma' ? Promise.reject(new Error('the server of the counter is down')) : undefined);
    await expect(fleet.clock.until(cache.set('k', 'v', { tags: ['t'] }))).rejects.toThrow('the versions of the tags cannot be had');
    expect(await fleet.clock.until(cache.peek('k'))).toBeUndefined();
  });

  it('invalidateTags: nobody joins what this process began to load before', async () => {
    const fleet = new Fleet(1, 50, tagged);
    const { cache } = fleet.processes[0]!;
    await fleet.clock.until(fleet.processes[0]!.get('first'));
    const before = fleet.processes[0]!.get('k');
    await fleet.clock.pass(10);
    fleet.database.write('k');
    await fleet.clock.until(cache.invalidateTags('users'));
    expect(await fleet.clock.until(fleet.processes[0]!.get('k'))).toBe('k@1');
    expect(await fleet.clock.until(before)).toBe('k@0');
  });

  it('32: a tag that changes during a load', async () => {
    const fleet = new Fleet(2, 500, tagged);
    const [a, b] = fleet.processes;
    await fleet.clock.until(b!.get('other'));
    const call = a!.get('k');
    await fleet.clock.pass(100);
    fleet.database.write('k');
    await fleet.clock.until(b!.cache.invalidateTags('users'));
    expect(await fleet.clock.until(call)).toBe('k@0');
    await fleet.clock.pass(1100);
    expect(new Set((await fleet.herd(1, 'k')).values)).toEqual(new Set(['k@1']));
  });

  it('32: a tag whose counter is lost makes entries invalid, never valid again', async () => {
    const fleet = new Fleet(2, 0, { expire: 600 });
    const keys = ['a', 'b', 'c', 'd', 'e', 'f'];
    for (const key of keys) await fleet.herd(1, key, { tags: [`of-${key}`] });
    for (const key of keys) {
      fleet.database.write(key);
      expect(fleet.store.delete(`~tag:of-${key}`)).toBe(true);
    }
    await fleet.clock.pass(1100);
    for (const key of keys) expect(new Set((await fleet.herd(1, key, { tags: [`of-${key}`] })).values)).toEqual(new Set([`${key}@1`]));
  });

  it.each([
    ['a tag that can have no counter here', `${'t'.repeat(300)}=1`],
    ['more tags than any entry has', Array.from({ length: 300 }, (_, i) => `t${i}=1`).join(' ')],
  ])('what somebody else has stored with %s is a miss, and made anew', async (_, words) => {
    const client = new EmbeddedClient();
    const cache = new ReadThroughCache(client, { expire: 60, l1: { admit: 'all' } });
    expect(client.store.store('set', 'k', `1 v ${words}\nanother's`, 2 ** 31, 0)).toBe('stored');
    expect(await cache.peek('k')).toBeUndefined();
    expect(await cache.get('k', () => 'loaded')).toBe('loaded');
    expect(await cache.get('k', () => 'loaded again')).toBe('loaded');
    expect(client.store.size).toBe(1);
    await cache.close();
  });

  it('tags made of the value', async () => {
    const fleet = new Fleet(2, 100, { expire: 600, tags: (value) => [`of:${String(value).slice(0, 1)}`] });
    await fleet.herd(2, 'k');
    expect(fleet.database.loads).toBe(1);
    await fleet.herd(2, 'k');
    expect(fleet.database.loads).toBe(1);
    // A process that has never heard of the tag loads while it changes: nothing may be stored.
    const late = fleet.process('late');
    const call = late.get('kk');
    await fleet.clock.pass(50);
    await fleet.clock.until(fleet.processes[0]!.cache.invalidateTags('of:k'));
    fleet.database.write('kk');
    await fleet.clock.until(call);
    await fleet.clock.pass(3000);
    expect((await fleet.herd(1, 'kk')).values).toEqual(['kk@1', 'kk@1']);
    // One that has never heard of it, while it has not changed for long: what it loads is stored, and bears the tag.
    const newest = fleet.process('newest');
    expect(await fleet.clock.until(newest.get('kkk'))).toBe('kkk@0');
    await fleet.clock.pass(10);
    expect(fleet.store.find('kkk')).toBeDefined();
    for (const key of ['k', 'kkk']) fleet.database.write(key);
    await fleet.clock.until(newest.cache.invalidateTags('of:k'));
    await fleet.clock.pass(1100);
    for (const key of ['k', 'kkk']) expect((await fleet.herd(1, key)).values).toEqual([`${key}@1`, `${key}@1`]);
  });

  it('tags made of the value: what this process hears of a tag during a load does not vouch for what was loaded', async () => {
    const fleet = new Fleet(2, 100, { expire: 600, tags: (value) => [`of:${String(value).slice(0, 1)}`] });
    const [a, b] = fleet.processes;
    await fleet.clock.until(a!.get('ka'));
    await fleet.clock.pass(3000);
    const early = b!.get('kk');
    await fleet.clock.pass(20);
    fleet.database.write('kk');
    await fleet.clock.until(a!.cache.invalidateTags('of:k'));
    const telling = b!.get('ka');
    expect(await fleet.clock.until(early)).toBe('kk@0');
    await fleet.clock.until(telling);
    await fleet.clock.pass(10);
    expect((await fleet.herd(1, 'kk')).values).toEqual(['kk@1', 'kk@1']);
  });

  it.each([[1, 0], [2, 0], [3, 1]])('a tag that nobody here has heard of, changed %d s ago as its server counts whole seconds: what was loaded meanwhile is stored %d times', async (age, stored) => {
    await using server = await MemcachedServer.start();
    await using client = new Client(server.address);
    const cache = new ReadThroughCache(client, { clock: new ManualClock(), expire: 60, jitter: 0 });
    server.faults = ({ line }) => (line.startsWith('ma ~tag:t N0 ') ? { reply: `VA 1 t${30 * 86_400 - age} ${line.split(' ').at(-1)}\r\n7` } : undefined);
    expect(await cache.get('k', () => 'loaded', { tags: () => ['t'] })).toBe('loaded');
    await cache.close();
    expect(cache.stats()).toMatchObject({ stored, released: 1 - stored });
  });
});
