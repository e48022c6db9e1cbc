import { AsyncLocalStorage } from 'node:async_hooks';
import { CacheLoadTimeoutError, Client, FallbackClient, HashClient, MemcacheConnectError, MemcacheError, MemcacheIllegalInputError, MemcacheUnknownCommandError, RetryingClient, type Executor } from '../../src';
import { ReadThroughCache, type CacheOptions, type LoadContext } from '../../src/cache';
import { connectSocket, type Connect, type Transport } from '../../src/client/wire/transport';
import { EmbeddedClient, MemoryStore } from '../../src/embedded';
import { systemClock } from '../../src/runtime/clock';
import { MemcachedServer } from '../../src/server';
import { Fleet, type Process } from './support/fleet';

/** A cache that cannot be reached. */
class Gone implements Executor {
  execute(): Promise<never> {
    return Promise.reject(new MemcacheConnectError('nobody is there'));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function keysOf(list: readonly unknown[]): string[] {
  return list.map(String).sort();
}

describe('getMany', () => {
  it('31: two processes with the same keys in opposite order load each key once', async () => {
    const fleet = new Fleet(2, 0);
    const calls: string[][] = [];
    const load = async (keys: readonly string[]): Promise<Map<string, string>> => {
      calls.push([...keys]);
      await fleet.clock.sleep(100);
      return new Map(keys.map((key) => [key, `${key}!`]));
    };
    const [a, b] = fleet.processes;
    const results = await fleet.clock.until(Promise.all([a!.cache.getMany(['x', 'y', 'z'], load), b!.cache.getMany(['z', 'y', 'w'], load)]));
    expect([...results[0]]).toEqual([['x', 'x!'], ['y', 'y!'], ['z', 'z!']]);
    expect([...results[1]]).toEqual([['z', 'z!'], ['y', 'y!'], ['w', 'w!']]);
    expect(calls).toEqual([['x', 'y', 'z'], ['w']]);
    expect(fleet.clock.now()).toBeLessThanOrEqual(163);
  });

  it('takes an array, errors for single keys, nothing for what there is not, and no keys at all', async () => {
    const fleet = new Fleet(1, 0);
    const { cache } = fleet.processes[0]!;
    const broken = new Error('broken');
    const rejected = await fleet.clock.until(cache.getMany(['a', 'b'], () => ['A', broken]).catch((error: unknown) => error));
    expect(rejected).toBe(broken);
    expect(await fleet.clock.until(cache.peek('a'))).toBe('A');
    const load = jest.fn((keys: readonly string[]) => new Map(keys.map((key) => [key, key])));
    expect(await fleet.clock.until(cache.getMany([], load))).toEqual(new Map());
    expect(load).not.toHaveBeenCalled();
    const found = await fleet.clock.until(cache.getMany(['a', 'c', 'd'], (keys) => new Map([['c', keys.join()]])));
    expect([...found]).toEqual([['a', 'A'], ['c', 'c,d'], ['d', undefined]]);
    const wrong = await fleet.clock.until(cache.getMany(['q'], () => 'Q' as never).catch((error: unknown) => error));
    expect(wrong).toBeInstanceOf(TypeError);
    expect(fleet.store.find('q')).toBeUndefined();
  });

  it.each<CacheOptions>([{}, { tags: () => ['t'] }, { chunk: { maxValue: 10_000 } }])('an Error for one key rejects after the others were stored, or after cacheTimeout: %j', async (options) => {
    const fleet = new Fleet(2, 0, options, (client) => new Client(client.executor, { ...client.options, maxValueSize: 2000 }));
    const [one, other] = fleet.processes;
    await one!.cache.get('warm', () => 1);
    one!.line.delay = 10;
    one!.line.onCommand = ({ verb }) => (verb === 'ms' || verb === 'set' ? fleet.clock.sleep(10) : undefined);
    const broken = new Error('broken');
    const value = 'v'.repeat(1900);
    const load = (keys: readonly string[]): (string | Error)[] => keys.map((key) => (key.startsWith('b') ? broken : options.chunk === undefined ? value : value + value));
    expect(await fleet.clock.until(one!.cache.getMany(['a', 'b'], load).catch((error: unknown) => error))).toBe(broken);
    expect(one!.cache.stats().stored).toBe(2);
    expect(await fleet.clock.until(other!.cache.peek('a'))).toMatch(value);

    one!.line.onCommand = ({ verb }) => (verb === 'ms' || verb === 'set' ? fleet.clock.sleep(1000) : undefined);
    const startedAt = fleet.clock.now();
    expect(await fleet.clock.until(one!.cache.getMany(['a2', 'b2'], load).catch((error: unknown) => error))).toBe(broken);
    expect(fleet.clock.now() - startedAt).toBeLessThan(250);
    const controller = new AbortController();
    const left = one!.cache.getMany(['a3', 'b3'], load, { signal: controller.signal }).catch((error: unknown) => error);
    await fleet.clock.pass(40);
    controller.abort(broken);
    const abortedAt = fleet.clock.now();
    expect(await fleet.clock.until(left)).toBe(broken);
    expect(fleet.clock.now()).toBe(abortedAt);
  });

  it('of no keys is without I/O, with a namespace too', async () => {
    const fleet = new Fleet(1, 0, { namespace: 'n' });
    const [{ cache, line }] = fleet.processes as [Process];
    expect(await fleet.clock.until(cache.getMany([], () => []))).toEqual(new Map());
    expect(await fleet.clock.until(cache.change([], () => 'done'))).toBe('done');
    await fleet.clock.until(cache.invalidateTags([]));
    expect(line.sent).toEqual([]);
  });

  it('a get joins the batch that loads its key, and a batch a get', async () => {
    const fleet = new Fleet(1, 100);
    const [process] = fleet.processes;
    const single = process!.get('a');
    await fleet.clock.pass(10);
    const calls: unknown[] = [];
    const batch = process!.cache.getMany(['a', 'b'], async (keys: readonly string[]) => {
      calls.push(keys);
      await fleet.clock.sleep(100);
      return keys.map((key) => `${key}?`);
    });
    await fleet.clock.pass(10);
    const other = process!.get('b');
    expect(await fleet.clock.until(Promise.all([single, batch, other]))).toEqual(['a@0', new Map([['a', 'a@0'], ['b', 'b?']]), 'b?']);
    expect(calls).toEqual([['b']]);
    expect(fleet.database.loads).toBe(1);
  });

  it('a batch that fails leaves no lease, and takes one place among the loads', async () => {
    const fleet = new Fleet(1, 0, { maxLoads: 1 });
    const { cache } = fleet.processes[0]!;
    const keys = Array.from({ length: 50 }, (_, i) => `k${i}`);
    const error = new Error('all');
    expect(await fleet.clock.until(cache.getMany(keys, () => Promise.reject(error)).catch((reason: unknown) => reason))).toBe(error);
    await fleet.clock.pass(5);
    expect(fleet.store.size).toBe(0);
    expect(await fleet.clock.until(cache.getMany(keys, (all) => all.map((key) => key)))).toEqual(new Map(keys.map((key) => [key, key])));
    expect(cache.stats()).toMatchObject({ loads: 0, flights: 0, stored: 50 });
  });

  it('a batch asks for no key that was given up before, and is aborted when all that it asks for are', async () => {
    const fleet = new Fleet(1, 0, { loadTimeout: 50, cacheTimeout: 500 });
    const { cache, line } = fleet.processes[0]!;
    // The server of one key answers much later than that of the other, whose time is over by then.
    line.onCommand = (command) => (command.verb === 'mg' && command.firstKey === 'slow' ? fleet.clock.sleep(100) : undefined);
    let loaded: { readonly keys: readonly string[]; readonly signal: AbortSignal } | undefined;
    const read = cache.getMany(['quick', 'slow'], (keys, { signal }) => {
      loaded = { keys, signal };
      return new Promise<never>(() => undefined);
    });
    await expect(fleet.clock.until(read)).rejects.toThrow(CacheLoadTimeoutError);
    expect(loaded?.keys).toEqual(['slow']);
    expect(loaded?.signal.aborted).toBe(true);
    expect(cache.stats()).toMatchObject({ loads: 0, flights: 0 });
  });
});

describe('wrap, scope and change', () => {
  it('wrap caches a function by its arguments', async () => {
    const fleet = new Fleet(1, 0);
    const add = jest.fn((a: number, b: number) => Promise.resolve(a + b));
    const cached = fleet.processes[0]!.cache.wrap(add, { key: (a, b) => `sum:${a}:${b}`, expire: 10 });
    const sum: number = await fleet.clock.until(cached(1, 2));
    expect([sum, await fleet.clock.until(cached(1, 2)), await fleet.clock.until(cached(2, 2))]).toEqual([3, 3, 4]);
    expect(add).toHaveBeenCalledTimes(2);
  });

  it('a scope reads each key once, and remembers rejections', async () => {
    const fleet = new Fleet(1, 0);
    const { cache, line } = fleet.processes[0]!;
    const scope = cache.scope();
    const load = jest.fn(({ key }: LoadContext<string>) => `${String(key)}!`);
    const first = await fleet.clock.until(scope.get('a', load));
    const sent = line.sent.length;
    expect(await fleet.clock.until(scope.get('a', load))).toBe(first);
    expect(line.sent).toHaveLength(sent);
    expect([...(await fleet.clock.until(scope.getMany(['b', 'a'], (keys) => keys.map((key) => `${key}?`))))]).toEqual([['b', 'b?'], ['a', 'a!']]);
    const error = new Error('no');
    const fail = jest.fn(() => Promise.reject(error));
    for (let i = 0; i < 2; i++) expect(await fleet.clock.until(scope.get('e', fail).catch((reason: unknown) => reason))).toBe(error);
    expect(fail).toHaveBeenCalledTimes(1);
    expect(await fleet.clock.until(scope.peek('a'))).toBe('a!');
  });

  it('a signal takes away from a scope only the caller that has given it, and all of them the load', async () => {
    const fleet = new Fleet(1, 0);
    const { cache } = fleet.processes[0]!;
    const scope = cache.scope();
    const reason = new Error('gone');
    const outcome = (call: Promise<unknown>): Promise<unknown> => call.catch((error: unknown) => error);
    const slow = jest.fn(() => fleet.clock.sleep(200).then(() => 'v'));
    const many = (keys: readonly string[]): Promise<string[]> => fleet.clock.sleep(200).then(() => keys.map((key) => `${key}!`));
    for (const [key, others] of [['first', 'second'], ['one-of-many', 'one']] as const) {
      const [first, second, third] = [new AbortController(), new AbortController(), new AbortController()];
      const calls = [
        key === 'first' ? scope.get(key, slow, { signal: first.signal }) : scope.getMany([key, others], many, { signal: first.signal }),
        scope.get(key, slow, { signal: second.signal }),
        scope.get(key, slow),
        scope.peek(key, { signal: third.signal }),
      ].map(outcome);
      await fleet.clock.pass(50);
      for (const controller of [first, third]) controller.abort(reason);
      expect(await fleet.clock.until(Promise.all([calls[0], calls[3]]))).toEqual([reason, reason]);
      const value = key === 'first' ? 'v' : `${key}!`;
      expect(await fleet.clock.until(Promise.all([calls[1], calls[2]]))).toEqual([value, value]);
      expect(await outcome(scope.get(key, slow, { signal: first.signal }))).toBe(reason);
    }
    expect(slow).toHaveBeenCalledTimes(1);

    const aborted: unknown[] = [];
    const load = jest.fn(({ signal }: LoadContext<string>) => new Promise<string>((resolve) => {
      signal.addEventListener('abort', () => { aborted.push(signal.reason); });
      void fleet.clock.sleep(100).then(() => { resolve('loaded'); });
    }));
    const leaving = [1, 2].map(() => new AbortController());
    const left = leaving.map(({ signal }) => outcome(scope.get('left', load, { signal, abortUnused: true })));
    await fleet.clock.pass(10);
    leaving[0]!.abort(reason);
    await fleet.clock.pass(10);
    expect(aborted).toEqual([]);
    leaving[1]!.abort(reason);
    expect(await fleet.clock.until(Promise.all(left))).toEqual([reason, reason]);
    expect(aborted).toHaveLength(1);
    expect(await fleet.clock.until(scope.get('left', load))).toBe('loaded');
    expect(load).toHaveBeenCalledTimes(2);

    // What is refused is no result of its key.
    for (const illegal of [{ expires: 1 }, { signal: {} }]) {
      for (let i = 0; i < 2; i++) await expect(scope.get('refused', load, illegal as never)).rejects.toMatchObject({ code: 'MEMCACHE_ILLEGAL_INPUT' });
    }
    expect(await fleet.clock.until(scope.get('refused', load))).toBe('loaded');
    await expect(scope.get('refused', load, { expires: 1 } as never)).rejects.toMatchObject({ code: 'MEMCACHE_ILLEGAL_INPUT' });
  });

  it('change: the entries end soon, then are gone, whatever happens between', async () => {
    const fleet = new Fleet(2, 20);
    const [a, b] = fleet.processes;
    await fleet.herd(1, 'k');
    const changed = a!.cache.change(['k'], async () => {
      await fleet.clock.sleep(50);
      expect(fleet.store.secondsLeft(fleet.store.find('k')!)).toBeLessThanOrEqual(5);
      fleet.database.write('k');
      return 'written';
    });
    expect(await fleet.clock.until(changed)).toBe('written');
    expect(await fleet.clock.until(b!.get('k'))).toBe('k@1');
    const error = new Error('write failed');
    expect(await fleet.clock.until(a!.cache.change('k', () => Promise.reject(error)).catch((reason: unknown) => reason))).toBe(error);
    await fleet.clock.pass(5100);
    expect(fleet.store.find('k')).toBeUndefined();
  });
});

describe('tags and namespace', () => {
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

  it.each([undefined, 'shop'])('an entry may be called as a tag is, and as its version: none is another\'s, with the namespace %s', async (namespace) => {
    const client = new EmbeddedClient();
    const cache = new ReadThroughCache(client, { expire: 60, tagMaxAge: 0, ...(namespace !== undefined && { namespace }) });
    const keys = ['tag:news', 'news', 'version', 'shop:version', 'shop:tag:news', '~news'];
    const read = async (of: string): Promise<unknown[]> => Promise.all(keys.map((key) => cache.get(key, () => `${of} ${key}`, { tags: ['news'] })));
    const first = keys.map((key) => `first ${key}`);
    expect(await read('first')).toEqual(first);
    expect(await read('another')).toEqual(first);
    await cache.invalidateTags('news');
    expect(await read('second')).toEqual(keys.map((key) => `second ${key}`));
    await cache.close();
  });

  it('what only counters may be called is no key', async () => {
    const client = new EmbeddedClient(undefined, { keyPrefix: 'p:' });
    const cache = new ReadThroughCache(client, { expire: 60 });
    const load = jest.fn(() => 'v');
    for (const key of ['~tag:news', Buffer.from('~tag:news'), ['r', '~tag:news'] as const]) {
      await expect(cache.get(key, load)).rejects.toThrow('key must not begin with "~tag:"');
    }
    expect(load).not.toHaveBeenCalled();
    expect(await cache.get('a~tag:news', load)).toBe('v');
    // There all keys are in the namespace.
    expect(await new ReadThroughCache(client, { namespace: 'n' }).get('~tag:news', load)).toBe('v');
    await cache.close();
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

  it('invalidateNamespace', async () => {
    const fleet = new Fleet(2, 10, { namespace: 'shop', expire: 600 });
    await fleet.herd(2, 'k');
    expect(fleet.database.loads).toBe(1);
    fleet.database.write('k');
    await fleet.clock.until(fleet.processes[0]!.cache.invalidateNamespace());
    expect(await fleet.clock.until(fleet.processes[0]!.get('k'))).toBe('k@1');
    await fleet.clock.pass(1100);
    expect(await fleet.clock.until(fleet.processes[1]!.get('k'))).toBe('k@1');
    expect(fleet.database.loads).toBe(2);
    expect(keysOf([...fleet.store.items()].map(({ key }) => key))).toEqual([expect.stringMatching(/^shop:[0-9a-z]+:k$/), expect.stringMatching(/^shop:[0-9a-z]+:k$/), 'shop:version']);
    const plain = new Fleet(1, 0);
    await expect(plain.processes[0]!.cache.invalidateNamespace()).rejects.toThrow(MemcacheIllegalInputError);
  });

  it.each(['delete', 'invalidate', 'set', 'change'] as const)('a %s is seen by those who know a newer namespace than the process that makes it', async (write) => {
    const fleet = new Fleet(2, 10, { namespace: 'shop', expire: 600 });
    const [late, early] = fleet.processes;
    await fleet.herd(2, 'k');
    await fleet.clock.until(early!.cache.invalidateNamespace());
    expect(await fleet.clock.until(early!.get('k'))).toBe('k@0');
    // `late` believes for another second that the namespace is as it was.
    fleet.database.write('k');
    const { cache } = late!;
    const writes = { delete: () => cache.delete('k'), invalidate: () => cache.invalidate('k'), set: () => cache.set('k', 'k@1'), change: () => cache.change('k', () => true) };
    expect(await fleet.clock.until(writes[write]())).toBe(true);
    expect((await fleet.herd(2, 'k')).values).toEqual(['k@1', 'k@1', 'k@1', 'k@1']);
  });

  it.each([
    [undefined, 250],
    ['shop', 250 - 'shop:zzzzzzzzzzz:'.length],
  ])('a change takes the longest keys, and writes nothing for longer ones, with the namespace %s', async (namespace, longest) => {
    const fleet = new Fleet(1, 0, { namespace });
    const { cache } = fleet.processes[0]!;
    const write = jest.fn(() => 'written');
    expect(await fleet.clock.until(cache.change('k'.repeat(longest), write))).toBe('written');
    await expect(fleet.clock.until(cache.change('k'.repeat(longest + 1), write))).rejects.toThrow(MemcacheIllegalInputError);
    expect(write).toHaveBeenCalledTimes(1);
  });

  it('every method refuses a key that is too long with some version of the namespace', async () => {
    const cache = new ReadThroughCache(new EmbeddedClient(), { namespace: 'shop' });
    const load = jest.fn(() => 'loaded');
    const longest = 250 - 'shop:zzzzzzzzzzz:'.length;
    const key = 'k'.repeat(longest + 1);
    const calls = [cache.get(key, load), cache.getMany(['k', key], load as never), cache.peek(key), cache.set(key, 'v'), cache.delete(key), cache.invalidate(key)];
    for (const outcome of await Promise.allSettled(calls)) expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'MEMCACHE_ILLEGAL_INPUT' } });
    expect(load).not.toHaveBeenCalled();
    expect((await cache.getMany(['k'.repeat(longest)], () => ['loaded'])).size).toBe(1);
    await cache.close();
  });

  it.each([
    ['', undefined, 150],
    ['p'.repeat(100), undefined, 145],
    ['', 'n'.repeat(100), 145],
    ['p'.repeat(50), 'n'.repeat(50), 145],
  ])('a tag whose counter would have too long a key is refused before anything is done, with the prefix "%s" and the namespace %s', async (keyPrefix, namespace, longest) => {
    const client = new EmbeddedClient(undefined, { keyPrefix });
    const options = { expire: 600, ...(namespace !== undefined && { namespace }) };
    const cache = new ReadThroughCache(client, options);
    const load = jest.fn(() => 'tagged');
    const tags = ['t', 't'.repeat(longest + 1)];
    const refusal = longest < 150 ? `a tag must be at most ${longest} characters long here` : 'tags must be';
    const tagged = [cache.get('k', load, { tags }), cache.getMany(['k'], load as never, { tags }), cache.set('k', 'v', { tags }), cache.invalidate('k', { tags })];
    // Whoever asks in the same tick is not concerned.
    expect(await cache.get('k', () => 'plain')).toBe('plain');
    for (const outcome of await Promise.allSettled(tagged)) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'MEMCACHE_ILLEGAL_INPUT', message: expect.stringContaining(refusal) as unknown } });
    }
    expect(load).not.toHaveBeenCalled();
    expect(() => cache.wrap(load, { key: () => 'k', tags })).toThrow(refusal);
    expect(() => new ReadThroughCache(client, { ...options, tags })).toThrow(refusal);
    expect(await cache.get('long', load, { tags: ['t'.repeat(longest)] })).toBe('tagged');
    await cache.invalidateTags('t'.repeat(longest));
    expect(await cache.peek('long')).toBeUndefined();
    await cache.close();
    await client.close();
  });

  it('nothing is read or stored while the version of the namespace cannot be had: it could not be invalidated', async () => {
    const fleet = new Fleet(1, 10, { namespace: 'shop', expire: 0 });
    const [well] = fleet.processes;
    const outage = async (): Promise<unknown[]> => {
      const process = fleet.process('in trouble');
      process.line.onCommand = ({ verb }) => (verb === 'ma' ? Promise.reject(new Error('the server of the counter is down')) : undefined);
      const single = await fleet.clock.until(Promise.all([process.get('k'), process.get('k')]));
      const many = await fleet.clock.until(process.cache.getMany(['k'], () => [fleet.database.versions.get('k') ?? 0]));
      expect(await fleet.clock.until(process.cache.peek('k'))).toBeUndefined();
      expect(process.cache.stats()).toMatchObject({ load: 2, joined: 1, stored: 0 });
      await fleet.clock.pass(10);
      return [...single, ...many.values()];
    };
    fleet.database.write('k');
    expect(await outage()).toEqual(['k@1', 'k@1', 1]);
    expect(fleet.store.find('shop:-:k')).toBeUndefined();
    fleet.database.write('k');
    await fleet.clock.until(well!.cache.delete('k'));
    await fleet.clock.until(well!.cache.invalidateNamespace());
    expect(await fleet.clock.until(well!.get('k'))).toBe('k@2');
    expect(await outage()).toEqual(['k@2', 'k@2', 2]);
  });

  it('a counter that is not a number fails no read on servers without meta commands either', async () => {
    await using client = new EmbeddedClient();
    const old: Executor = {
      execute: (command, options) => (command.verb === 'version' ? Promise.resolve(new Map([['old', '1.5.22']]) as never) : client.executor.execute(command, options)),
      close: () => client.close(),
    };
    await client.set('shop:version', 'abc');
    const cache = new ReadThroughCache(new Client(old, client.options), { namespace: 'shop' });
    for (let i = 0; i < 2; i++) expect(await cache.get('k', () => i)).toBe(i);
    await expect(cache.delete('k')).rejects.toThrow(MemcacheError);
  });

  it('a change is seen by those who learned of a newer namespace while it was written', async () => {
    const fleet = new Fleet(2, 10, { namespace: 'shop', expire: 600 });
    const [late, early] = fleet.processes;
    await fleet.herd(2, 'k');
    const change = late!.cache.change('k', async () => {
      await early!.cache.invalidateNamespace();
      await early!.get('k');
      fleet.database.write('k');
    });
    await fleet.clock.until(change);
    expect((await fleet.herd(2, 'k')).values).toEqual(['k@1', 'k@1', 'k@1', 'k@1']);
  });
});

describe('near cache', () => {
  const l1 = { admit: 'all', ttl: 1000 } as const;

  it('serves from this process, for ttl at the most, and each reader its own object', async () => {
    const fleet = new Fleet(2, 10, { l1, expire: 600 });
    fleet.database.value = (key, version) => ({ key, version });
    const [a, b] = fleet.processes;
    const first = (await fleet.clock.until(a!.get('k'))) as { version: number };
    first.version = 99;
    const second = (await fleet.clock.until(a!.get('k'))) as { version: number };
    expect(second).toEqual({ key: 'k', version: 0 });
    second.version = 98;
    expect(await fleet.clock.until(a!.get('k'))).toEqual({ key: 'k', version: 0 });
    expect(a!.cache.stats()).toMatchObject({ 'l1-hit': 2, hit: 0, 'l1-entries': 1 });
    // 34: what another process deletes is seen after ttl.
    fleet.database.write('k');
    await fleet.clock.until(b!.cache.delete('k'));
    await fleet.clock.until(b!.get('k'));
    await fleet.clock.pass(1000);
    expect(await fleet.clock.until(a!.get('k'))).toEqual({ key: 'k', version: 1 });
    // What this process deletes, at once.
    fleet.database.write('k');
    await fleet.clock.until(a!.cache.delete('k'));
    expect(await fleet.clock.until(a!.get('k'))).toEqual({ key: 'k', version: 2 });
  });

  it('serves values with tags, and none for longer than it is fresh', async () => {
    const fleet = new Fleet(2, 0, { l1: { ttl: 60_000, admit: 'all' }, expire: 5, stale: 60, earlyRefresh: 0, tags: ['t'], tagMaxAge: 60_000 });
    const [a, b] = fleet.processes;
    await fleet.clock.until(a!.get('k'));
    await fleet.clock.pass(10);
    await fleet.clock.until(b!.get('k'));
    for (const { cache } of [a!, b!]) {
      expect(await fleet.clock.until(cache.get('k', () => 'loaded in vain'))).toBe('k@0');
      expect(cache.stats()['l1-hit']).toBe(1);
    }
    await fleet.clock.pass(7000);
    for (const { cache } of [a!, b!]) {
      await fleet.clock.until(cache.get('k', () => 'new'));
      expect(cache.stats()['l1-hit']).toBe(1);
    }
  });

  it('a read that was under way when this process wrote leaves nothing behind', async () => {
    const fleet = new Fleet(1, 10, { l1, expire: 600 });
    const [process] = fleet.processes;
    await fleet.clock.until(process!.get('k'));
    await fleet.clock.pass(1100);
    process!.line.delay = 50;
    const read = process!.get('k');
    await fleet.clock.pass(10);
    fleet.database.write('k');
    process!.line.delay = 0;
    await fleet.clock.until(process!.cache.delete('k'));
    expect(await fleet.clock.until(read)).toBe('k@0');
    expect(await fleet.clock.until(process!.get('k'))).toBe('k@1');
  });

  it('hot: only what is read often is taken', async () => {
    const fleet = new Fleet(1, 0, { l1: { ttl: 1000 }, expire: 600 });
    const { cache } = fleet.processes[0]!;
    for (let i = 0; i < 50; i++) await fleet.clock.until(fleet.processes[0]!.get(`cold${i}`));
    expect(cache.stats()['l1-entries']).toBe(0);
    for (let i = 0; i < 100; i++) await fleet.clock.until(fleet.processes[0]!.get('hot'));
    expect(cache.stats()['l1-hit']).toBeGreaterThan(50);
  });

  it('validate: nothing outdated is served, and no value travels', async () => {
    const fleet = new Fleet(2, 0, { l1: { admit: 'all', validate: true }, expire: 600 });
    const [a, b] = fleet.processes;
    for (let i = 0; i < 3; i++) await fleet.clock.until(a!.get('k'));
    expect(a!.cache.stats()['l1-hit']).toBe(1);
    fleet.database.write('k');
    await fleet.clock.until(b!.cache.delete('k'));
    expect(await fleet.clock.until(a!.get('k'))).toBe('k@1');
  });

  it('staleIfError: the last resort', async () => {
    const fleet = new Fleet(1, 10, { l1: { admit: 'all', ttl: 100, staleIfError: 60_000 }, expire: 5 });
    const [process] = fleet.processes;
    await fleet.clock.until(process!.get('k'));
    await fleet.clock.pass(20_000);
    process!.line.state = 'down';
    // As long as there is a place for it, a load comes first.
    fleet.database.write('k');
    expect(await fleet.clock.until(process!.get('k'))).toBe('k@1');
    fleet.database.value = () => {
      throw new Error('down too');
    };
    expect(await fleet.clock.until(process!.get('k'))).toBe('k@0');
    expect(fleet.count('error-hit')).toBe(1);
  });

  it('staleIfError: not what this process has invalidated by a tag', async () => {
    const fleet = new Fleet(1, 10, { l1: { admit: 'all', ttl: 100, staleIfError: 60_000 }, tags: ['t'], expire: 600 });
    const { cache, line } = fleet.processes[0]!;
    await fleet.clock.until(fleet.processes[0]!.get('k'));
    await fleet.clock.until(cache.invalidateTags('t'));
    line.state = 'down';
    const error = new Error('down too');
    const read = (): Promise<unknown> => fleet.clock.until(cache.get('k', () => Promise.reject(error)).catch((reason: unknown) => reason));
    expect(await read()).toBe(error);
    await fleet.clock.pass(5000);
    expect(await read()).toBe(error);
  });

  it('33: stays within its bounds', async () => {
    const fleet = new Fleet(1, 0, { l1: { admit: 'all', maxEntries: 100_000, maxBytes: 100_000 } });
    for (let i = 0; i < 500; i++) await fleet.clock.until(fleet.processes[0]!.get(`key-number-${i}`));
    const stats = fleet.processes[0]!.cache.stats();
    expect(stats['l1-bytes']).toBeLessThanOrEqual(100_000);
    expect(stats['l1-entries']).toBeGreaterThan(200);
  });

  it('stays within its bounds with shared values too', async () => {
    const fleet = new Fleet(1, 0, { l1: { admit: 'all', share: true, maxBytes: 1_000_000 } });
    fleet.database.value = () => ({ text: 'x'.repeat(50_000) });
    for (let i = 0; i < 50; i++) await fleet.clock.until(fleet.processes[0]!.get(`key-number-${i}`));
    expect(fleet.processes[0]!.cache.stats()['l1-entries']).toBeLessThanOrEqual(20);
  });
});

describe('a signal ends a read at once, whatever it is waiting for', () => {
  const reads = {
    get: (cache: ReadThroughCache, signal: AbortSignal) => cache.get('k', () => 'v', { signal }),
    getMany: (cache: ReadThroughCache, signal: AbortSignal) => cache.getMany(['k', 'l'], (keys) => keys.map(() => 'v'), { signal }),
    peek: (cache: ReadThroughCache, signal: AbortSignal) => cache.peek('k', { signal }),
  };

  it.each([
    ['namespace', 'get', { namespace: 'shop' }],
    ['namespace', 'getMany', { namespace: 'shop' }],
    ['namespace', 'peek', { namespace: 'shop' }],
    ['l1.validate', 'get', { l1: { validate: true, admit: 'all' } }],
    ['l1.validate', 'getMany', { l1: { validate: true, admit: 'all' } }],
  ] as const)('%s: %s', async (_, read, options) => {
    const fleet = new Fleet(1, 0, { ...options, tagMaxAge: 0, cacheTimeout: 0, expire: 600 });
    const { cache, line } = fleet.processes[0]!;
    for (let i = 0; i < 2; i++) await fleet.clock.until(cache.get('k', () => 'v'));
    await fleet.clock.pass(10);
    line.state = 'blackHole';
    const startedAt = fleet.clock.now();
    const controller = new AbortController();
    const reason = new Error('gone');
    void fleet.clock.sleep(30).then(() => {
      controller.abort(reason);
    });
    expect(await fleet.clock.until(reads[read](cache, controller.signal).catch((error: unknown) => error))).toBe(reason);
    expect(fleet.clock.now() - startedAt).toBeLessThan(40);
    expect(await fleet.clock.until(reads[read](cache, controller.signal).catch((error: unknown) => error))).toBe(reason);
    expect(fleet.clock.now() - startedAt).toBeLessThan(40);
  });

  it('l1.validate: the token that came unasked is passed on although its reader has gone, and costs no reader more than cacheTimeout', async () => {
    const fleet = new Fleet(2, 0, { l1: { validate: true, admit: 'all' }, stale: 30, expire: 600, cacheTimeout: 100 });
    const [a, b] = fleet.processes;
    for (let i = 0; i < 2; i++) await fleet.clock.until(a!.get('k'));
    await fleet.clock.pass(10);
    fleet.database.write('k');
    await fleet.clock.until(b!.cache.invalidate('k'));
    a!.line.onCommand = (command) => (command.verb === 'md' ? fleet.clock.sleep(1000) : undefined);
    const startedAt = fleet.clock.now();
    await fleet.clock.until(a!.get('k'));
    expect(fleet.clock.now() - startedAt).toBeLessThan(120);
    const controller = new AbortController();
    await fleet.clock.pass(2000);
    await fleet.clock.until(b!.cache.invalidate('k'));
    const gone = a!.get('k', { signal: controller.signal }).catch(() => 'gone');
    controller.abort();
    expect(await fleet.clock.until(gone)).toBe('gone');
    await fleet.clock.until(b!.get('k'));
    await fleet.clock.pass(10);
    expect(await fleet.clock.until(b!.get('k'))).toBe('k@1');
  });

  it('l1.validate: a token that the server gave unasked to a reader who goes before the answer is for the next one', async () => {
    const fleet = new Fleet(2, 0, { l1: { validate: true, admit: 'all' }, stale: 30, expire: 600 });
    const [a, b] = fleet.processes;
    for (let i = 0; i < 2; i++) await fleet.clock.until(a!.get('k'));
    await fleet.clock.pass(10);
    fleet.database.write('k');
    await fleet.clock.until(b!.cache.invalidate('k'));
    a!.line.delay = 20;
    const controller = new AbortController();
    const sent = a!.line.sent.length;
    const gone = a!.get('k', { signal: controller.signal }).catch(() => 'gone');
    await fleet.clock.pass(10);
    expect(a!.line.sent.slice(sent)).toEqual(['mg']);
    controller.abort();
    expect(await fleet.clock.until(gone)).toBe('gone');
    await fleet.clock.pass(100);
    expect(await fleet.clock.until(b!.get('k'))).toBe('k@0');
    await fleet.clock.pass(10);
    expect(await fleet.clock.until(b!.get('k'))).toBe('k@1');
  });
});

describe('failed deletions', () => {
  it('36: are made good when the server is back', async () => {
    const fleet = new Fleet(2, 0, { expire: 600 });
    const [a, b] = fleet.processes;
    await fleet.herd(1, 'k');
    fleet.database.write('k');
    a!.line.state = 'down';
    await expect(a!.cache.delete('k')).rejects.toThrow(MemcacheError);
    await fleet.clock.pass(3000);
    expect(await fleet.clock.until(b!.get('k'))).toBe('k@0');
    a!.line.state = 'up';
    await fleet.clock.pass(11_000);
    expect(await fleet.clock.until(b!.get('k'))).toBe('k@1');
    expect(a!.cache.stats().recovered).toBe(1);
    await fleet.clock.until(a!.cache.close());
    expect(fleet.clock.held).toBe(0);
  });

  it('are made good within a minute after hours without the server', async () => {
    const fleet = new Fleet(2, 0, { expire: 0 });
    const [a, b] = fleet.processes;
    // Another process has stored it.
    await fleet.clock.until(b!.get('k'));
    await fleet.clock.until(a!.cache.peek('k'));
    a!.line.state = 'down';
    await expect(fleet.clock.until(a!.cache.delete('k'))).rejects.toThrow('nobody is there');
    await fleet.clock.pass(6 * 3_600_000);
    expect(await fleet.clock.until(b!.cache.peek('k'))).toBe('k@0');
    a!.line.state = 'up';
    await fleet.clock.pass(60_000);
    expect(await fleet.clock.until(b!.cache.peek('k'))).toBeUndefined();
  });

  it('are made good where the entry then is, if the namespace has changed meanwhile', async () => {
    const fleet = new Fleet(2, 0, { namespace: 'shop', expire: 600 });
    const [a, b] = fleet.processes;
    await fleet.herd(1, 'k');
    a!.line.state = 'down';
    await fleet.clock.until(b!.cache.invalidateNamespace());
    expect(await fleet.clock.until(b!.get('k'))).toBe('k@0');
    fleet.database.write('k');
    await expect(fleet.clock.until(a!.cache.delete('k'))).rejects.toThrow(MemcacheError);
    a!.line.state = 'up';
    await fleet.clock.pass(11_000);
    expect(a!.cache.stats().recovered).toBe(1);
    expect(await fleet.clock.until(b!.get('k'))).toBe('k@1');
    await fleet.clock.until(a!.cache.close());
    expect(fleet.clock.held).toBe(0);
  });

  it('are made good although many of another server still fail', async () => {
    const fleet = new Fleet(2, 0, { expire: 600 });
    const [a, b] = fleet.processes;
    await fleet.herd(1, 'k');
    fleet.database.write('k');
    a!.line.onCommand = ({ verb, firstKey }) => {
      if (verb === 'delete' && String(firstKey).startsWith('other')) throw new MemcacheConnectError('nobody is there', { server: 'other', command: verb });
    };
    for (let i = 0; i < 100; i++) await expect(a!.cache.delete(`other${i}`)).rejects.toThrow(MemcacheConnectError);
    a!.line.state = 'down';
    await expect(a!.cache.delete('k')).rejects.toThrow(MemcacheError);
    a!.line.state = 'up';
    await fleet.clock.pass(13_000);
    expect(await fleet.clock.until(b!.get('k'))).toBe('k@1');
    expect(a!.cache.stats().recovered).toBe(1);
    a!.line.onCommand = () => undefined;
    await fleet.clock.pass(13_000);
    expect(a!.cache.stats().recovered).toBe(101);
    await fleet.clock.until(a!.cache.close());
    expect(fleet.clock.held).toBe(0);
  });

  it('are not repeated after close, also what was under way by then, until the cache is written to again', async () => {
    const fleet = new Fleet(2, 0, { expire: 600 });
    const [a, b] = fleet.processes;
    await fleet.herd(1, 'k');
    fleet.database.write('k');
    a!.line.state = 'blackHole';
    const deleted = a!.cache.delete('k').catch((error: unknown) => error);
    await fleet.clock.until(a!.cache.close());
    expect(await fleet.clock.until(deleted)).toBeInstanceOf(MemcacheError);
    const { length } = a!.line.sent;
    a!.line.state = 'up';
    await fleet.clock.pass(60_000);
    expect(a!.line.sent.length).toBe(length);
    expect(await fleet.clock.until(b!.get('k'))).toBe('k@0');
    await fleet.clock.until(a!.cache.delete('other'));
    await fleet.clock.pass(11_000);
    expect(await fleet.clock.until(b!.get('k'))).toBe('k@1');
    await fleet.clock.until(a!.cache.close());
    expect(fleet.clock.held).toBe(0);
  });

  it('a full queue says so', async () => {
    const fleet = new Fleet(1, 0, { recovery: 2 });
    const [process] = fleet.processes;
    process!.line.state = 'down';
    for (let i = 0; i < 3; i++) await process!.cache.delete(`k${i}`).catch(() => undefined);
    expect(process!.cache.stats()['recovery-overflow']).toBe(1);
  });
});

it.each([{ stale: 2 ** 31 - 1 }, { staleIfError: 2 ** 31 - 1 }])('%j: a value is fresh for as long as `expire` says, however long it may be stale', async (options) => {
  const fleet = new Fleet(1, 30, { expire: 60, ...options });
  const { cache } = fleet.processes[0]!;
  await fleet.herd(1, 'k');
  await fleet.clock.pass(50_000);
  await fleet.herd(1, 'k');
  expect(cache.stats()).toMatchObject({ load: 1, refresh: 0, hit: 1, 'stale-hit': 0 });
  // Years later it is still there.
  await fleet.clock.pass(4 * 365 * 24 * 3600 * 1000);
  if (options.staleIfError !== undefined) {
    fleet.database.value = () => {
      throw new Error('the database fails');
    };
  }
  expect((await fleet.herd(1, 'k')).values).toEqual(['k@0']);
  expect(cache.stats()).toMatchObject({ [options.staleIfError === undefined ? 'stale-hit' : 'error-hit']: 1 });
});

describe('servers without meta commands', () => {
  /** A server of 1.4. */
  class Old implements Executor {
    readonly #next: Executor;
    constructor(next: Executor) {
      this.#next = next;
    }
    async execute(command: never, options?: never): Promise<never> {
      const { verb } = command as { verb: string };
      if (verb === 'version') return new Map([['old', '1.4.39']]) as never;
      if (['mg', 'ms', 'md', 'ma', 'mn'].includes(verb)) throw new MemcacheUnknownCommandError('ERROR', { command: verb, certainty: 'executed' });
      return this.#next.execute(command, options);
    }
    close(): Promise<void> {
      return this.#next.close();
    }
  }
  const old = (client: Client): Client => new Client(new Old(client.executor), client.options);
  const fleetOf = (processes: number, duration: number, options?: CacheOptions): Fleet => new Fleet(processes, duration, options, old);

  it.each([['without', old], ['with', (client: Client): Client => client]])('peek finds what is stored, %s them', async (_, around) => {
    const server = await MemcachedServer.start();
    const client = around(new Client(server.address));
    const cache = new ReadThroughCache(client, { expire: 60, cacheTimeout: 5000 });
    await cache.get('plain', () => 1);
    await cache.get('tagged', () => [2], { tags: ['t'] });
    await cache.get('none', () => undefined, { negativeExpire: 60 });
    let resolve: (value: number) => void = () => undefined;
    const loading = cache.get('loading', () => new Promise<number>((done) => { resolve = done; }));
    const peek = async (): Promise<unknown[]> => Promise.all(['plain', 'tagged', 'none', 'loading', 'never'].map((key) => cache.peek(key)));
    expect(await peek()).toEqual([1, [2], undefined, undefined, undefined]);
    expect(await cache.scope().peek('plain')).toBe(1);
    await cache.invalidateTags('t');
    expect(await peek()).toEqual([1, undefined, undefined, undefined, undefined]);
    resolve(3);
    await loading;
    await cache.close();
    await client.close();
    await server.close();
  });

  it.each([
    [960, undefined, 'in one item'],
    [961, undefined, 'not'],
    [961, { maxValue: 5000 }, 'in pieces'],
  ])('a value of %i bytes, with chunk %j, is stored %s: with its times it must not be larger than a client reads', async (length, chunk, how) => {
    const fleet = new Fleet(1, 0, { expire: 60, ...(chunk !== undefined && { chunk }) }, (client) => old(new Client(client.executor, { ...client.options, maxValueSize: 1000 })));
    const { cache } = fleet.processes[0]!;
    const value = 'x'.repeat(length);
    const stored = cache.set('set', value);
    if (how === 'not') await expect(fleet.clock.until(stored)).rejects.toThrow('value has 961 bytes; maxValueSize is 1000, of which the cache needs 40 here');
    else expect(await fleet.clock.until(stored)).toBe(true);
    expect(await fleet.clock.until(cache.get('get', () => value))).toBe(value);
    await fleet.clock.pass(10);
    for (const key of ['set', 'get']) expect(await fleet.clock.until(cache.peek(key))).toBe(how === 'not' ? undefined : value);
    expect(cache.stats()).toMatchObject({ 'cache-error': 0, 'store-error': how === 'not' ? 1 : 0, released: how === 'not' ? 1 : 0 });
    for (const { value: bytes } of fleet.store.items()) expect(bytes.length).toBeLessThanOrEqual(1000);
  });

  it('38/1: one load', async () => {
    const fleet = fleetOf(8, 300);
    const { values, times } = await fleet.herd(200, 'k');
    expect(fleet.database.loads).toBe(1);
    expect(new Set(values)).toEqual(new Set(['k@0']));
    expect(Math.max(...times)).toBeLessThanOrEqual(363);
    expect(new Set((await fleet.herd(2, 'k')).values)).toEqual(new Set(['k@0']));
    expect(fleet.database.loads).toBe(1);
  });

  it.each([{ expire: 60, stale: 2 ** 31 - 1 }, { expire: 2 ** 31 - 1, stale: 30, jitter: 0 }])('%j: what may live longer than the protocol can say is stored', async (options) => {
    const fleet = fleetOf(1, 30, options);
    await fleet.herd(1, 'k');
    await fleet.clock.pass(100);
    await fleet.herd(1, 'k');
    expect(fleet.processes[0]!.cache.stats()).toMatchObject({ load: 1, refresh: 0, hit: 1, 'stale-hit': 0, 'store-error': 0 });
  });

  it('38/3: one refresh', async () => {
    const fleet = fleetOf(8, 300, { expire: 5, stale: 30, earlyRefresh: 0 });
    await fleet.herd(1, 'k');
    await fleet.clock.pass(7000);
    fleet.database.write('k');
    const { values, times } = await fleet.herd(200, 'k');
    expect(new Set(values)).toEqual(new Set(['k@0']));
    expect(Math.max(...times)).toBeLessThanOrEqual(10);
    await fleet.clock.pass(400);
    expect(fleet.database.loads).toBe(2);
    expect(new Set((await fleet.herd(1, 'k')).values)).toEqual(new Set(['k@1']));
    await fleet.clock.pass(7000);
    await fleet.herd(1, 'k');
    await fleet.clock.pass(400);
    expect(fleet.database.loads).toBe(3);
  });

  it('what marks the refresher of a key is no value, if there is an entry of that name', async () => {
    const fleet = fleetOf(1, 300, { expire: 5, stale: 30, earlyRefresh: 0, leaseWait: 100 });
    const [process] = fleet.processes;
    await fleet.herd(1, 'k');
    await fleet.clock.pass(7000);
    expect(await fleet.clock.until(process!.get('k'))).toBe('k@0');
    expect(fleet.store.find('k~r')).toBeDefined();
    expect(await fleet.clock.until(process!.cache.peek('k~r'))).toBeUndefined();
    expect(await fleet.clock.until(process!.get('k~r'))).toBe('k~r@0');
  });

  it('38/6: the holder dies', async () => {
    const fleet = fleetOf(4, 300, { lease: 2, leaseWait: 5000 });
    void fleet.processes[0]!.get('k');
    await fleet.clock.pass(100);
    fleet.processes.shift()!.crash();
    const { times } = await fleet.herd(1, 'k');
    expect(Math.max(...times)).toBeLessThanOrEqual(3363);
    expect(fleet.database.loads).toBe(2);
  });

  it('38/9: a load that fails', async () => {
    const fleet = fleetOf(4, 100);
    fleet.database.value = (key, _, load) => {
      if (load === 1) throw new Error('boom');
      return key;
    };
    await fleet.clock.until(Promise.allSettled(fleet.processes.map((process) => process.get('k'))));
    expect(fleet.database.loads).toBe(2);
    expect(fleet.database.mostAtOnce).toBe(1);
  });

  it('38/13, 14: writes during a load', async () => {
    const fleet = fleetOf(3, 300);
    await fleet.setDuringLoad('k');
    expect((await fleet.herd(1, 'k')).values).toEqual(['set', 'set', 'set']);
    const [a, b] = fleet.processes;
    const early = b!.get('j');
    await fleet.clock.pass(100);
    fleet.database.write('j');
    await fleet.clock.until(a!.cache.delete('j'));
    expect(await fleet.clock.until(a!.get('j'))).toBe('j@1');
    await fleet.clock.until(early);
    await fleet.clock.pass(500);
    expect((await fleet.herd(1, 'j')).values).toEqual(['j@1', 'j@1', 'j@1']);
  });

  it.each([[0, 1], [1, 0]])('a process with meta commands and one without, as behind a proxy, wait for each other: %i loads first', async (loading, waiting) => {
    let made = 0;
    const fleet = new Fleet(2, 300, {}, (client) => (made++ === 0 ? old(client) : client));
    const first = fleet.processes[loading]!.get('k');
    await fleet.clock.pass(100);
    const { size } = fleet.store;
    const second = fleet.processes[waiting]!.get('k');
    await fleet.clock.pass(50);
    expect(fleet.store.size).toBe(size);
    expect(await fleet.clock.until(Promise.all([first, second]))).toEqual(['k@0', 'k@0']);
    // What was stored without meta commands says so, and is loaded once more with them.
    expect(fleet.database.loads).toBeLessThanOrEqual(2);
    expect(fleet.database.mostAtOnce).toBe(1);
  });

  it('the counters of an older cache of a FallbackClient are not taken for those of the first when that fails', async () => {
    let older: Client | undefined;
    const options: CacheOptions = { namespace: 'n', tagMaxAge: 0, circuit: { failures: 100 } };
    const fleet = new Fleet(1, 0, options, (client) => {
      const { clock = systemClock } = client.options;
      older ??= old(new EmbeddedClient(new MemoryStore({ clock }), { clock }));
      return new FallbackClient([old(client), older]);
    });
    const { clock } = fleet;
    const [process] = fleet.processes;
    await clock.until(new ReadThroughCache(older!, { ...options, clock }).get('k', () => 'older'));
    await clock.pass(10);
    fleet.database.write('k');
    await clock.until(process!.cache.invalidateNamespace());
    await clock.until(process!.cache.delete('k'));
    await clock.pass(10);
    process!.line.state = 'down';
    expect(await clock.until(process!.get('k'))).toBe('k@1');
  });

  it.each(['down', 'blackHole'] as const)('peek is a miss while the cache is %s, within cacheTimeout, and nothing once the circuit is open', async (state) => {
    const fleet = new Fleet(1, 0);
    const [{ cache, line }] = fleet.processes as [Process];
    await fleet.clock.until(cache.set('k', 'v'));
    line.state = state;
    const look = async (): Promise<number> => {
      const startedAt = fleet.clock.now();
      expect(await fleet.clock.until(cache.peek('k'))).toBeUndefined();
      return fleet.clock.now() - startedAt;
    };
    for (let i = 0; i < 5; i++) expect(await look()).toBeLessThanOrEqual(100);
    expect(cache.stats()).toMatchObject({ 'circuit-open': 1, [state === 'down' ? 'cache-error' : 'cache-timeout']: 5 });
    const sent = line.sent.length;
    expect(await look()).toBe(0);
    expect(line.sent).toHaveLength(sent);
    const controller = new AbortController();
    await fleet.clock.pass(1100);
    line.state = 'up';
    // The one that tries the server may be given up: that tells how it is all the same.
    const tried = cache.peek('k', { signal: controller.signal }).catch((error: unknown) => error);
    controller.abort('gone');
    expect(await fleet.clock.until(tried)).toBe('gone');
    await fleet.clock.pass(5);
    expect(await fleet.clock.until(cache.peek('k'))).toBe('v');
  });

  it('peek shows what is there, and leaves nothing behind', async () => {
    const small = (client: Client): Client => old(new Client(client.executor, { ...client.options, maxValueSize: 500 }));
    const fleet = new Fleet(1, 0, { chunk: { maxValue: 9000 }, negativeExpire: 60 }, small);
    const { cache } = fleet.processes[0]!;
    const peek = (key: string): Promise<unknown> => fleet.clock.until(cache.peek(key));
    fleet.database.value = (key) => (key === 'none' ? undefined : key === 'large' ? 'v'.repeat(3000) : key);
    for (const key of ['none', 'large', 'plain']) await fleet.herd(1, key);
    await fleet.clock.until(cache.get('tagged', () => 'tagged', { tags: ['x', 'd'] }));
    fleet.database.duration = 100;
    const loading = fleet.processes[0]!.get('loading');
    await fleet.clock.pass(10);
    const { size } = fleet.store;
    expect(await peek('plain')).toBe('plain');
    expect(await peek('tagged')).toBe('tagged');
    expect(await peek('large')).toBe('v'.repeat(3000));
    expect(await peek('none')).toBeUndefined();
    expect(await peek('loading')).toBeUndefined();
    expect(fleet.store.size).toBe(size);
    await fleet.clock.until(loading);
    await fleet.clock.until(cache.invalidateTags('x'));
    expect(await peek('tagged')).toBeUndefined();
    fleet.processes[0]!.line.state = 'down';
    expect(await peek('plain')).toBeUndefined();
  });

  it.each([[1, 'k@0'], [3, undefined]])('a place-holder that somebody deletes at once, %i times: nothing is stored unguarded', async (times, stored) => {
    const fleet = fleetOf(2, 300);
    const [a, b] = fleet.processes;
    let left = times;
    const verbs: string[] = [];
    a!.line.onCommand = ({ verb }) => {
      if (verb === 'gets' && verbs.at(-1) === 'add' && left-- > 0) fleet.store.delete('k');
      verbs.push(verb);
    };
    expect(await fleet.clock.until(a!.get('k'))).toBe('k@0');
    await fleet.clock.pass(10);
    expect(await fleet.clock.until(b!.cache.peek('k'))).toBe(stored);
    await fleet.clock.until(b!.cache.delete('k'));
    left = times;
    const early = a!.get('k');
    await fleet.clock.pass(100);
    fleet.database.write('k');
    await fleet.clock.until(b!.cache.delete('k'));
    await fleet.clock.until(early);
    await fleet.clock.pass(10);
    expect(await fleet.clock.until(b!.get('k'))).toBe('k@1');
  });

  it('what is refreshed of an older cache of a FallbackClient is not stored after a delete', async () => {
    let older: Client | undefined;
    const options: CacheOptions = { expire: 5, stale: 60, earlyRefresh: 0 };
    const fleet = new Fleet(2, 300, options, (client) => {
      const { clock = systemClock } = client.options;
      older ??= old(new EmbeddedClient(new MemoryStore({ clock }), { clock }));
      return new FallbackClient([old(client), older]);
    });
    const { clock } = fleet;
    await clock.until(new ReadThroughCache(older!, { ...options, clock }).get('k', () => 'older'));
    await clock.pass(7000);
    const [a, b] = fleet.processes;
    expect(await clock.until(a!.get('k'))).toBe('older');
    await clock.pass(100);
    fleet.database.write('k');
    await clock.until(b!.cache.delete('k'));
    await clock.pass(400);
    expect(await clock.until(b!.get('k'))).toBe('k@1');
    await clock.until(new ReadThroughCache(older!, { ...options, clock }).get('j', () => 'older'));
    await clock.pass(7000);
    expect(await clock.until(a!.get('j'))).toBe('older');
    await clock.pass(400);
    expect((await fleet.herd(1, 'j')).values).toEqual(['j@0', 'j@0']);
    expect(fleet.database.loads).toBe(3);
  });

  it('tags, negative entries, invalidation and a refresh that fails', async () => {
    const fleet = fleetOf(2, 0, { tags: ['t'], negativeExpire: 10, expire: 5, stale: 60, lease: 5, earlyRefresh: 0 });
    const [a, b] = fleet.processes;
    await fleet.herd(1, 'k');
    fleet.database.write('k');
    await fleet.clock.until(a!.cache.invalidateTags('t'));
    expect(await fleet.clock.until(a!.get('k'))).toBe('k@1');
    await fleet.clock.pass(1100);
    fleet.database.write('k');
    await fleet.clock.until(b!.cache.invalidate('k'));
    expect(await fleet.clock.until(b!.get('k'))).toBe('k@2');
    fleet.database.value = () => undefined;
    await fleet.clock.until(a!.cache.get('none', () => undefined));
    const load = jest.fn(() => undefined);
    expect(await fleet.clock.until(b!.cache.get('none', load))).toBeUndefined();
    expect(load).not.toHaveBeenCalled();
    await fleet.clock.pass(7000);
    fleet.database.value = () => {
      throw new Error('boom');
    };
    const { loads } = fleet.database;
    for (let i = 0; i < 30; i++) {
      expect(new Set((await fleet.herd(1, 'k')).values)).toEqual(new Set(['k@2']));
      await fleet.clock.pass(500);
    }
    expect(fleet.database.loads - loads).toBeLessThanOrEqual(4);
    expect(fleet.database.loads - loads).toBeGreaterThanOrEqual(2);
  });
});

describe('over other clients', () => {
  it('a FallbackClient reads from the older cache before it makes a place in the first', async () => {
    const [first, second] = [new EmbeddedClient(), new EmbeddedClient()];
    const client = new FallbackClient<import('../../src').CacheValue>([first, second]);
    await second.set('old', 'from the older');
    const cache = new ReadThroughCache(client);
    const load = jest.fn(() => 'loaded');
    expect(await cache.get('old', load)).toBe('from the older');
    expect(load).not.toHaveBeenCalled();
    expect(await first.get('old')).toBeUndefined();
    expect(await cache.get('new', load)).toBe('loaded');
    await cache.close();
    expect(await first.get('new')).toBe('loaded');
    expect(await cache.get('new', load)).toBe('loaded');
    expect(load).toHaveBeenCalledTimes(1);
    await client.close();
  });

  it.each(['first', 'older'])('who read at once what the %s cache of a FallbackClient has get an object each', async (where) => {
    const [first, older] = [new EmbeddedClient(), new EmbeddedClient()];
    await (where === 'first' ? first : older).set('k', { n: 1 });
    const cache = new ReadThroughCache(new FallbackClient<import('../../src').CacheValue>([first, older]));
    // By now it is known what the servers can do.
    const read = (): Promise<unknown> => cache.get('k', () => 'loaded');
    expect(await read()).toEqual({ n: 1 });
    const values = await Promise.all([read(), read(), read(), read()]);
    expect(values).toEqual(Array(4).fill({ n: 1 }));
    expect(new Set(values).size).toBe(4);
  });

  it.each<[string, CacheOptions]>([
    ['entries', {}],
    ['counters', { namespace: 'shop', tagMaxAge: 0 }],
  ])('a server whose keys went to another while it was probed is probed again: %s', async (_, options) => {
    let owner = 'a';
    const fleet = new Fleet(1, 0, { ...options, expire: 600, circuit: { failures: 1, pause: 1000 } }, (client) => Object.assign(client, { serverFor: () => owner }));
    const { cache, line } = fleet.processes[0]!;
    const read = (): Promise<unknown> => fleet.clock.until(cache.get('k', () => 'v'));
    await read();
    await fleet.clock.pass(10);
    line.state = 'down';
    await read();
    await fleet.clock.pass(1100);
    // A HashClient takes a server that is dead out of the ring before the call that has found out is rejected.
    const admitted = read();
    owner = 'b';
    await admitted;
    line.state = 'up';
    owner = 'a';
    await fleet.clock.pass(5000);
    await read();
    await fleet.clock.pass(10);
    const { hit } = cache.stats();
    await read();
    expect(cache.stats().hit).toBe(hit + 1);
  });

  it.each([
    ['HashClient', (cluster: Client): Client => cluster],
    ['RetryingClient', (cluster: Client): Client => new RetryingClient(cluster)],
    ['FallbackClient', (cluster: Client): Client => new FallbackClient([cluster, new Client(new Gone())])],
  ])('%s: one server of a cluster that is down opens no circuit of the others', async (_, around) => {
    const servers = await Promise.all([MemcachedServer.start(), MemcachedServer.start()]);
    const [down, up] = servers.map(({ address }) => address) as [string, string];
    const cluster = new HashClient([down, up], { retryAttempts: 1000 });
    const client = around(cluster);
    const cache = new ReadThroughCache(client, { cacheTimeout: 5000 });
    const keysOf = (server: string): string[] => Array.from({ length: 40 }, (_each, i) => `k${i}`).filter((key) => cluster.serverFor(key) === server).slice(0, 8);
    for (const key of [...keysOf(down), ...keysOf(up)]) await cache.get(key, () => 1);
    await cache.close();
    await servers[0].close();
    for (const key of keysOf(down)) expect(await cache.get(key, () => 2)).toBe(2);
    expect(cache.stats()['circuit-open']).toBe(1);
    const load = jest.fn(() => 2);
    for (const key of keysOf(up)) expect(await cache.get(key, load)).toBe(1);
    expect(load).not.toHaveBeenCalled();
    await Promise.all([client.close(), cluster.close()]);
    await servers[1].close();
  });

  it.each<[string, boolean, CacheOptions]>([
    ['of one server', false, {}],
    ['of one server', false, { namespace: 'n' }],
    ['of one of two servers', true, {}],
    ['of one of two servers', true, { namespace: 'n' }],
    // So many that the counter of one of them is on the slow server.
    ['of one of two servers', true, { tags: Array.from({ length: 15 }, (_unused, i) => `t${i}`) }],
  ])('the first connection %s takes nothing of cacheTimeout (several: %p): %j', async (_, several, options) => {
    const servers = await Promise.all([MemcachedServer.start(), MemcachedServer.start()]);
    const [slow, quick] = servers.map(({ address }) => address) as [string, string];
    const connect: Connect = (address, settings, handler) => {
      if (address.name !== slow) return connectSocket(address, settings, handler);
      let transport: Transport | undefined;
      const timer = setTimeout(() => { transport = connectSocket(address, settings, handler); }, 500);
      return {
        write: (text) => { transport?.write(text); },
        cork: () => { transport?.cork(); },
        uncork: () => { transport?.uncork(); },
        get backlog() { return transport?.backlog ?? 0; },
        destroy: () => {
          clearTimeout(timer);
          transport?.destroy();
        },
        ref: () => { transport?.ref(); },
        unref: () => { transport?.unref(); },
      };
    };
    const clients = [1, 2, 3].map(() => (several ? new HashClient([slow, quick], { connect }) : new Client(slow, { connect })));
    const places = new HashClient([slow, quick]);
    let key = 'k';
    while (places.serverFor(key) !== slow) key += 'k';
    const load = jest.fn(() => new Promise((resolve) => { setTimeout(resolve, 50, 'v'); }));
    const caches = clients.map((client) => new ReadThroughCache(client, { cacheTimeout: 200, ...options }));
    expect(await Promise.all(caches.map((cache) => cache.get(key, load as never)))).toEqual(['v', 'v', 'v']);
    expect(load).toHaveBeenCalledTimes(1);
    // Nor do writes, which ask for versions first, give up before there is one.
    const writer = several ? new HashClient([slow, quick], { connect }) : new Client(slow, { connect });
    expect(await new ReadThroughCache(writer, { cacheTimeout: 200, ...options }).set(key, 'set')).toBe(true);
    // Nor do reads whose entry is on a server that is connected, and whose versions are not.
    let quickKey = 'k';
    while (places.serverFor(quickKey) === slow && several) quickKey += 'k';
    expect(await caches[0]!.set(quickKey, 'set')).toBe(true);
    const reader = several ? new HashClient([slow, quick], { connect }) : new Client(slow, { connect });
    expect(await new ReadThroughCache(reader, { cacheTimeout: 200, ...options }).get(quickKey, () => 'loaded')).toBe('set');
    clients.push(writer, reader);
    for (const cache of caches) await cache.close();
    await Promise.all([...clients, places].map((client) => client.close()));
    await Promise.all(servers.map((server) => server.close()));
  });

  it('prefixes and plain clients: 37', async () => {
    const store = new MemoryStore();
    const client = new EmbeddedClient(store, { keyPrefix: 'app:' });
    const cache = new ReadThroughCache(client, { expire: 60 });
    await cache.get('k', () => ({ a: 1 }));
    await cache.close();
    expect(await client.get('k')).toEqual({ a: 1 });
    expect(await new EmbeddedClient(store).get('app:k')).toEqual({ a: 1 });
    await cache.get('e', () => ({ a: 1 }), { tags: ['t'] });
    await cache.close();
    await expect(client.get('e')).rejects.toMatchObject({ code: 'MEMCACHE_SERDE' });
    await client.close();
  });
});

describe('arguments', () => {
  const fleet = new Fleet(1, 0);
  const process = (): Process => fleet.processes[0]!;

  it.each([
    ['an option that does not exist', () => new ReadThroughCache(process().client, { ttl: 5 } as never), /no option "ttl"/],
    ['a client that is none', () => new ReadThroughCache({} as never), /client must be a client/],
    ['expire', () => new ReadThroughCache(process().client, { expire: 1.5 }), /expire must be/],
    ['lease', () => new ReadThroughCache(process().client, { lease: 1 }), /lease must be a whole number from 2/],
    ['jitter', () => new ReadThroughCache(process().client, { jitter: 2 }), /jitter must be a number from 0 to 1/],
    ['chunk without the option that it needs', () => new ReadThroughCache(process().client, { chunk: {} as never }), /chunk must be an object with maxValue/],
    ['an option of l1', () => new ReadThroughCache(process().client, { l1: { ttl: -1 } }), /l1.ttl must be/],
    ['an unknown option of l1', () => new ReadThroughCache(process().client, { l1: { size: 1 } as never }), /no option "size"/],
    ['a namespace with whitespace', () => new ReadThroughCache(process().client, { namespace: 'a b' }), /namespace must be/],
  ])('%s throws', (_, make, message) => {
    expect(make).toThrow(message);
    expect(make).toThrow(MemcacheIllegalInputError);
  });

  it('an illegal key, loader or option rejects before the loader runs', async () => {
    const { cache } = process();
    const load = jest.fn(() => 'x');
    await expect(cache.get('a b', load)).rejects.toThrow(MemcacheIllegalInputError);
    await expect(cache.get('k', load, { ttl: 1 } as never)).rejects.toThrow(/no option "ttl"/);
    await expect(cache.get('k', load, { tags: ['a b'] })).rejects.toThrow(MemcacheIllegalInputError);
    await expect(cache.get('k', 'x' as never)).rejects.toThrow(/load must be a function/);
    await expect(cache.getMany('k' as never, load as never)).rejects.toThrow(MemcacheIllegalInputError);
    await expect(cache.set('k', undefined as never)).rejects.toThrow(MemcacheIllegalInputError);
    expect(load).not.toHaveBeenCalled();
  });

  it.each(['peek', 'delete', 'invalidate'] as const)('%s refuses an option that does not exist, and a signal that is none; it takes what is for others', async (method) => {
    const cache = new ReadThroughCache(new EmbeddedClient(), { expire: 60 });
    await cache.set('k', 'v');
    await expect(cache[method]('k', { noreply: true } as never)).rejects.toThrow(/no option "noreply"/);
    for (const signal of [{}, new EventTarget()]) await expect(cache[method]('k', { signal } as never)).rejects.toThrow(/signal must be an AbortSignal/);
    await expect(cache[method]('k', 'v' as never)).rejects.toThrow(/options must be an object/);
    expect(await cache.peek('k')).toBe('v');
    const entryOptions = { expire: 5 };
    expect(await cache[method]('k', entryOptions as object)).toBe(method === 'peek' ? 'v' : true);
    await cache.close();
  });
});

describe('context and listeners', () => {
  it('a load in front belongs to its caller, a refresh to none', async () => {
    const storage = new AsyncLocalStorage<string>();
    const fleet = new Fleet(1, 0, { expire: 5, stale: 60, earlyRefresh: 0 });
    const { cache } = fleet.processes[0]!;
    const seen: unknown[] = [];
    const load = (): string => {
      seen.push(storage.getStore());
      return 'v';
    };
    await fleet.clock.until(storage.run('first', () => cache.get('k', load)));
    await fleet.clock.pass(7000);
    await fleet.clock.until(storage.run('second', () => cache.get('k', load)));
    await fleet.clock.pass(10);
    expect(seen).toEqual(['first', undefined]);
  });

  it('loads that another process has given up belong each to the call that waited for it', async () => {
    const storage = new AsyncLocalStorage<string>();
    const store = new MemoryStore();
    const [failing, waiting] = [1, 2].map(() => new ReadThroughCache(new EmbeddedClient(store)));
    const keys = Array.from({ length: 30 }, (_, i) => `k${i}`);
    const failed = keys.map((key) => failing!.get(key, () => new Promise<never>((_, reject) => setTimeout(reject, 50))).catch(() => 'failed'));
    await new Promise((resolve) => setTimeout(resolve, 10));
    const seen = keys.map((key) => storage.run(key, () => waiting!.get(key, () => storage.getStore() ?? 'none')));
    expect(await Promise.all(seen)).toEqual(keys);
    await Promise.all(failed);
  });

  it('an observer that throws harms nobody', async () => {
    const fleet = new Fleet(1, 0, {
      observe: () => {
        throw new Error('mine');
      },
    });
    expect((await fleet.herd(1, 'k')).values).toEqual(['k@0']);
  });
});
