import { runInNewContext } from 'node:vm';
import { CacheLoadTimeoutError, Client, MemcacheIllegalInputError, MemcacheOverloadedError } from '../../src';
import { ReadThroughCache, type CacheOptions } from '../../src/cache';
import { MemcachedServer } from '../../src/server';
import { Fleet, Process } from './support/fleet';

describe('batches', () => {
  it('a loader of many keys that hangs gives its place back at loadTimeout', async () => {
    const fleet = new Fleet(1, 10, { maxLoads: 1 });
    const { cache } = fleet.processes[0]!;
    const hung = cache.getMany(['a', 'b'], () => new Promise<never>(() => undefined), { loadTimeout: 50 }).catch((error: unknown) => (error as Error).name);
    expect(await fleet.clock.until(hung)).toBe('CacheLoadTimeoutError');
    expect(await fleet.clock.until(fleet.processes[0]!.get('c'), 1000)).toBe('c@0');
    expect(cache.stats()).toMatchObject({ loads: 0, flights: 0 });
  });

  it('a batch that nobody waits for any more when its turn comes is not loaded', async () => {
    const fleet = new Fleet(1, 200, { maxLoads: 1 });
    const first = fleet.processes[0]!.get('x');
    await fleet.clock.pass(10);
    const load = jest.fn((keys: readonly string[]) => [...keys]);
    const controller = new AbortController();
    const gone = fleet.processes[0]!.cache.getMany(['a', 'b'], load, { signal: controller.signal }).catch(() => 'gone');
    await fleet.clock.pass(50);
    controller.abort();
    expect(await fleet.clock.until(gone)).toBe('gone');
    await fleet.clock.until(first);
    await fleet.clock.pass(10);
    expect(load).not.toHaveBeenCalled();
    expect(fleet.processes[0]!.cache.stats().loads).toBe(0);
  });

  it('loadTimeout counts from when the loader of many keys is called: neither the wait for its turn, nor for what the cache has of other keys', async () => {
    const fleet = new Fleet(1, 200, { maxLoads: 1, cacheTimeout: 500 });
    const [process] = fleet.processes;
    const { cache, line } = process!;
    line.onCommand = (command) => (command.verb === 'mg' && command.firstKey === 'slow' ? fleet.clock.sleep(100) : undefined);
    const first = process!.get('x');
    await fleet.clock.pass(10);
    const load = (keys: readonly string[]): Promise<string[]> => fleet.clock.sleep(40).then(() => [...keys]);
    const queued = cache.getMany(['a', 'b'], load, { loadTimeout: 50 });
    expect(await fleet.clock.until(queued)).toEqual(new Map([['a', 'a'], ['b', 'b']]));
    await fleet.clock.until(first);
    const waiting = cache.getMany(['quick', 'slow'], load, { loadTimeout: 50 });
    expect(await fleet.clock.until(waiting)).toEqual(new Map([['quick', 'quick'], ['slow', 'slow']]));
    const hung = cache.getMany(['c', 'd'], () => fleet.clock.sleep(60).then(() => []), { loadTimeout: 50 });
    await expect(fleet.clock.until(hung)).rejects.toThrow(CacheLoadTimeoutError);
    expect(cache.stats()).toMatchObject({ loads: 0, flights: 0, 'load-timeout': 2 });
  });

  it('a batch for which there is no room has not failed: its keys are loaded as soon as there is', async () => {
    const fleet = new Fleet(1, 1000, { maxLoads: 1, maxQueuedLoads: 0, errorPause: 60_000 });
    const [process] = fleet.processes;
    const busy = process!.get('x');
    await fleet.clock.pass(10);
    await expect(fleet.clock.until(process!.cache.getMany(['a', 'b'], (keys) => [...keys]))).rejects.toThrow('maxLoads');
    expect(process!.cache.stats()).toMatchObject({ load: 1, 'load-error': 0, overloaded: 2 });
    await fleet.clock.until(busy);
    await fleet.clock.pass(10);
    expect(await fleet.clock.until(process!.get('a'))).toBe('a@0');
  });

  it('keys of a batch that wait for their turn begin together, and leave it to others when nobody waits for them', async () => {
    const fleet = new Fleet(1, 1000, { maxLoads: 1 });
    const [process] = fleet.processes;
    const calls: string[][] = [];
    const load = (keys: readonly string[]): string[] => {
      calls.push([...keys]);
      return [...keys];
    };
    const first = process!.get('x');
    await fleet.clock.pass(10);
    const controller = new AbortController();
    const gone = process!.cache.getMany(['a', 'b'], load, { signal: controller.signal }).catch(() => 'gone');
    const waiting = process!.cache.getMany(['c', 'd', 'e'], load);
    await fleet.clock.pass(10);
    expect(process!.cache.stats()).toMatchObject({ loads: 1, queued: 2 });
    controller.abort();
    await fleet.clock.pass(10);
    expect([await gone, process!.cache.stats().queued]).toEqual(['gone', 1]);
    await fleet.clock.until(first);
    await fleet.clock.until(waiting);
    await fleet.clock.pass(10);
    expect(calls).toEqual([['c', 'd', 'e']]);
    expect(process!.cache.stats()).toMatchObject({ loads: 0, queued: 0, flights: 0 });
  });

  it('outdated keys of a batch go to one call', async () => {
    const fleet = new Fleet(1, 0, { expire: 5, stale: 60, earlyRefresh: 0 });
    const { cache } = fleet.processes[0]!;
    const calls: string[][] = [];
    const load = (keys: readonly string[]): string[] => {
      calls.push([...keys]);
      return [...keys];
    };
    const keys = ['a', 'b', 'c', 'd'];
    await fleet.clock.until(cache.getMany(keys, load));
    await fleet.clock.pass(7000);
    await fleet.clock.until(cache.getMany(keys, load));
    await fleet.clock.pass(10);
    expect(calls).toEqual([keys, keys]);
  });

  it('keys whose answers come one after the other go to one call, also when one is loaded elsewhere and comes first', async () => {
    const fleet = new Fleet(1, 50);
    const { cache, line } = fleet.processes[0]!;
    const slow: Record<string, number> = { b: 10, c: 200 };
    line.onCommand = ({ firstKey }) => fleet.clock.sleep(slow[String(firstKey)] ?? 0);
    const elsewhere = fleet.processes[0]!.get('joined');
    await fleet.clock.pass(10);
    const calls: string[][] = [];
    const load = (keys: readonly string[]): string[] => {
      calls.push([...keys]);
      return keys.map((key) => `${key}!`);
    };
    const found = await fleet.clock.until(cache.getMany(['joined', 'a', 'b', 'c'], load, { cacheTimeout: 1000 }));
    expect([...found]).toEqual([['joined', 'joined@0'], ['a', 'a!'], ['b', 'b!'], ['c', 'c!']]);
    expect(calls).toEqual([['a', 'b', 'c']]);
    expect(await fleet.clock.until(elsewhere)).toBe('joined@0');
  });

  it('a batch loads what it has waited for in vain', async () => {
    const fleet = new Fleet(2, 0);
    const failing = fleet.processes[0]!.cache.get('k', async () => {
      await fleet.clock.sleep(100);
      throw new Error('broken');
    }).catch((error: unknown) => (error as Error).message);
    await fleet.clock.pass(10);
    const found = await fleet.clock.until(fleet.processes[1]!.cache.getMany(['k', 'l'], (keys) => keys.map((key) => `${key}!`)));
    expect([...found]).toEqual([['k', 'k!'], ['l', 'l!']]);
    expect(await fleet.clock.until(failing)).toBe('broken');
  });

  it('a Map, and errors for single keys, may be of another realm', async () => {
    const fleet = new Fleet(1, 0);
    const { cache } = fleet.processes[0]!;
    const foreign = (code: string): never => runInNewContext(code) as never;
    expect(await fleet.clock.until(cache.getMany(['a'], () => foreign(`new Map([['a', 1]])`)))).toEqual(new Map([['a', 1]]));
    const failed = cache.getMany(['b'], () => [foreign(`new TypeError('b')`)]).catch((error: unknown) => String(error));
    expect(await fleet.clock.until(failed)).toBe('TypeError: b');
    expect(fleet.store.find('b')).toBeUndefined();
  });

  it('a batch that is refused is counted as overloaded', async () => {
    const fleet = new Fleet(1, 200, { maxLoads: 1, maxQueuedLoads: 0 });
    void fleet.processes[0]!.get('x');
    await fleet.clock.pass(10);
    const refused = fleet.processes[0]!.cache.getMany(['a', 'b'], () => []).catch((error: unknown) => error);
    expect(await fleet.clock.until(refused)).toBeInstanceOf(MemcacheOverloadedError);
    expect(fleet.count('overloaded')).toBe(2);
  });
});

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
    const fleet = new Fleet(1, 0, { loadTimeout: 100, cacheTimeout: 500, closeTimeout: 50 });
    const { cache, line } = fleet.processes[0]!;
    // The server of one key answers much later than that of the other, whose load was ended by then.
    line.onCommand = (command) => (command.verb === 'mg' && command.firstKey === 'slow' ? fleet.clock.sleep(100) : undefined);
    let loaded: { readonly keys: readonly string[]; readonly signal: AbortSignal } | undefined;
    const read = cache.getMany(['quick', 'slow'], (keys, { signal }) => {
      loaded = { keys, signal };
      return new Promise<never>(() => undefined);
    });
    read.catch(() => undefined);
    await fleet.clock.pass(10);
    const closed = cache.close();
    await expect(fleet.clock.until(read)).rejects.toThrow('the cache was closed');
    await fleet.clock.until(closed);
    await fleet.clock.pass(300);
    expect(loaded?.keys).toEqual(['slow']);
    expect(loaded?.signal.aborted).toBe(true);
    expect(cache.stats()).toMatchObject({ loads: 0, flights: 0 });
  });

  it('more keys than calls may wait at a time are read, loaded and stored part by part', async () => {
    await using server = await MemcachedServer.start();
    await using client = new Client(server.address, { maxPending: 4200, timeout: 0 });
    const cache = new ReadThroughCache(client, { namespace: 'many', expire: 0, cacheTimeout: 0, lease: 3600, closeTimeout: 60_000 });
    const keys = Array.from({ length: 9000 }, (_, i) => `k${i}`);
    const load = jest.fn((some: readonly string[]) => some.map((key) => `${key}!`));
    await expect(cache.getMany([...keys, 'not legal'], load)).rejects.toThrow(MemcacheIllegalInputError);
    expect(load).not.toHaveBeenCalled();
    for (let round = 0; round < 2; round++) {
      expect(await cache.getMany(keys, load)).toEqual(new Map(keys.map((key) => [key, `${key}!`])));
      await cache.close();
      expect(load.mock.calls.map(([some]) => some.length)).toEqual([4096, 4096, 808]);
    }
    expect(cache.stats()).toMatchObject({ load: 9000, stored: 9000, hit: 9000, 'cache-error': 0, 'circuit-open': 0, flights: 0 });
    const scope = cache.scope();
    expect((await scope.getMany(keys, load)).size).toBe(9000);
    const gone = cache.getMany(keys.map((key) => `${key}-new`), () => new Promise<never>(() => undefined), { signal: AbortSignal.timeout(20), abortUnused: true });
    await expect(gone).rejects.toThrow('timeout');
    expect(load).toHaveBeenCalledTimes(3);
    await cache.close();
  });

  it('a signal ends it also while one part is being stored and the next is not asked for', async () => {
    const fleet = new Fleet(1, 0, { cacheTimeout: 5000 });
    const { cache, line } = fleet.processes[0]!;
    line.onCommand = (command) => (command.verb === 'ms' ? fleet.clock.sleep(2000) : undefined);
    const controller = new AbortController();
    const keys = Array.from({ length: 4097 }, (_, i) => `k${i}`);
    const load = jest.fn((some: readonly string[]) => some);
    const read = cache.getMany(keys, load, { signal: controller.signal }).catch((error: unknown) => error);
    await fleet.clock.pass(100);
    const broken = new Error('broken');
    controller.abort(broken);
    const abortedAt = fleet.clock.now();
    expect(await fleet.clock.until(read)).toBe(broken);
    expect(fleet.clock.now()).toBe(abortedAt);
    expect(load).toHaveBeenCalledTimes(1);
  });

  it('close waits for all parts, and at closeTimeout ends also those that are not asked for yet', async () => {
    const fleet = new Fleet(1, 0, { closeTimeout: 1000 });
    const { cache } = fleet.processes[0]!;
    const keys = Array.from({ length: 4097 }, (_, i) => `k${i}`);
    const slow = jest.fn(async (some: readonly string[]) => {
      await fleet.clock.sleep(200);
      return some;
    });
    const read = cache.getMany(keys, slow, { lease: 3600 });
    await fleet.clock.pass(50);
    await fleet.clock.until(cache.close());
    expect(slow).toHaveBeenCalledTimes(2);
    expect((await read).size).toBe(keys.length);
    const slower = jest.fn(async (some: readonly string[]) => {
      await fleet.clock.sleep(1500);
      return some;
    });
    const ended = cache.getMany(keys.map((key) => `${key}-new`), slower, { lease: 3600 }).catch((error: unknown) => error);
    await fleet.clock.pass(50);
    await fleet.clock.until(cache.close());
    expect(await fleet.clock.until(ended)).toMatchObject({ name: 'AbortError', message: 'the cache was closed' });
    await fleet.clock.pass(2000);
    expect(slower).toHaveBeenCalledTimes(1);
    expect(cache.stats()).toMatchObject({ loads: 0, flights: 0 });
    // It may be used again.
    expect(await fleet.clock.until(fleet.processes[0]!.get('again'))).toBe('again@0');
  });

  it('a key that stands in two parts is asked for, and loaded, once', async () => {
    const fleet = new Fleet(1, 0);
    const { cache } = fleet.processes[0]!;
    const keys = [...Array.from({ length: 4097 }, (_, i) => `k${i}`), 'k0', 'k4096'];
    const loaded: string[] = [];
    const load = (some: readonly string[]): string[] => {
      loaded.push(...some);
      return some.map((key) => `${key}!`);
    };
    // Nothing is stored, so that a second question would be a second load.
    const read = await fleet.clock.until(cache.getMany(keys, load, { expire: -1 }));
    expect([...read.keys()]).toEqual(keys.slice(0, 4097));
    expect([read.get('k0'), read.get('k4096')]).toEqual(['k0!', 'k4096!']);
    expect(loaded.sort()).toEqual(keys.slice(0, 4097).sort());
  });
});
