import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { CacheLoadTimeoutError, Client, FallbackClient, HashClient, JsonSerde, ManualClock, MemcacheClientError, MemcacheConnectError, MemcacheIllegalInputError, MemcacheOverloadedError, MemcacheUnknownCommandError, type CacheValue, type ClientOptions, type Command, type ExecuteOptions, type Executor, type Serde } from '../../src';
import { ReadThroughCache, type CacheOptions, type LoadContext } from '../../src/cache';
import { Reply } from '../../src/cache/exchange/reply';
import { EmbeddedClient, MemoryStore } from '../../src/embedded';
import { MemcachedServer } from '../../src/server';
import { SimulatedClock } from '../support/simulated-clock';
import { VirtualClock } from '../support/virtual-clock';
import { Database, Fleet, Process } from './support/fleet';

/** An executor in front of another one. */
class Before implements Executor {
  readonly #next: Executor;
  readonly #around: (command: Command<unknown>, go: () => Promise<unknown>) => Promise<unknown>;

  constructor(next: Executor, around: (command: Command<unknown>, go: () => Promise<unknown>) => Promise<unknown>) {
    this.#next = next;
    this.#around = around;
  }

  execute<R>(command: Command<R>, options?: ExecuteOptions): Promise<R> {
    return this.#around(command, () => this.#next.execute(command, options)) as Promise<R>;
  }

  close(): Promise<void> {
    return this.#next.close();
  }
}

it.each([false, true])('a server without CAS numbers keeps nobody waiting, and nothing that was loaded; proxy: %s', async (proxy) => {
  const server = await MemcachedServer.start({ cas: false });
  const verbs = new Set<string>();
  const caches = [1, 2].map(() => {
    const client = new Client(server.address, { proxy });
    const seen = new Before(client.executor, (command, go) => {
      verbs.add(command.verb);
      return go();
    });
    return new ReadThroughCache(new Client(seen, client.options), { lease: 3600, leaseWait: 600_000 });
  });
  const [first, second] = caches as [ReadThroughCache, ReadThroughCache];
  const load = first.get('k', async () => {
    // Another process reads and writes meanwhile.
    expect(await second.get('k', () => Promise.resolve('b'))).toBe('b');
    await second.set('k', 'new');
    return 'old';
  });
  expect(await load).toBe('old');
  await first.close();
  for (const cache of caches) expect(await cache.get('k', () => Promise.resolve('loaded'))).toBe('new');
  for (const cache of caches) expect(await cache.get('l', () => Promise.resolve('loaded'))).toBe('loaded');
  // memcached before 1.6 would accept it, whatever stands there.
  expect([...verbs]).not.toContain('cas');
  await Promise.all(caches.map((cache) => cache.close()));
  await server.close();
});

it('what a server without CAS numbers gives too late, or to nobody, takes nothing away and loads nothing', async () => {
  const clock = new SimulatedClock();
  const store = new MemoryStore({ clock, cas: false });
  const [slow, other] = ['slow', 'other'].map((name, i) => new Process(name, store, clock, new Database(clock, 0), {}, i)) as [Process, Process];
  await clock.until(slow.get('first'));
  slow.line.delay = 500;
  const late = slow.get('k');
  await clock.pass(10);
  await clock.until(other.cache.set('k', 'new'));
  expect(await clock.until(late)).toBe('k@0');
  await clock.pass(2000);
  expect(await clock.until(other.cache.peek('k'))).toBe('new');
  slow.line.delay = 20;
  const controller = new AbortController();
  const load = jest.fn(() => 'loaded');
  const gone = slow.cache.get('l', load, { signal: controller.signal }).catch(() => 'gone');
  await clock.pass(10);
  controller.abort();
  await clock.until(other.cache.set('l', 'new'));
  await clock.pass(2000);
  expect(await clock.until(gone)).toBe('gone');
  expect(load).not.toHaveBeenCalled();
  expect(await clock.until(other.get('l'))).toBe('new');
});

describe('values in pieces', () => {
  const large = { text: 'y'.repeat(3000) };
  /** Items of at most 1000 bytes. */
  const small = (client: Client): Client => new Client(client.executor, { ...client.options, maxValueSize: 1000 });
  const options: CacheOptions = { chunk: { maxValue: 5000 }, expire: 600 };

  it('a value larger than an item is stored once and read by all, each with an object of its own', async () => {
    const fleet = new Fleet(2, 10, options, small);
    fleet.database.value = () => large;
    await fleet.herd(3, 'k');
    await fleet.clock.pass(10);
    const { values } = await fleet.herd(3, 'k');
    expect(values).toEqual(Array(6).fill(large));
    expect(new Set(values).size).toBe(6);
    expect(fleet.database.loads).toBe(1);
    expect(fleet.count('hit')).toBeGreaterThanOrEqual(6);
    expect(await fleet.clock.until(fleet.processes[1]!.cache.peek('k'))).toEqual(large);
    for (const item of fleet.store.items()) expect(fleet.store.secondsLeft(item)).toBeGreaterThan(500);
    await fleet.clock.until(fleet.processes[0]!.cache.set('s', large));
    expect(await fleet.clock.until(fleet.processes[1]!.get('s'))).toEqual(large);
    expect(fleet.database.loads).toBe(1);
  });

  it('with tags, and with a near cache', async () => {
    const fleet = new Fleet(2, 0, { ...options, tags: ['t'], l1: { admit: 'all' } }, small);
    fleet.database.value = () => large;
    await fleet.herd(1, 'k');
    await fleet.clock.pass(10);
    for (let i = 0; i < 3; i++) expect((await fleet.herd(2, 'k')).values).toEqual(Array(4).fill(large));
    expect(fleet.database.loads).toBe(1);
    await fleet.clock.until(fleet.processes[0]!.cache.invalidateTags('t'));
    await fleet.clock.until(fleet.processes[0]!.get('k'));
    expect(fleet.database.loads).toBe(2);
  });

  it.each(['1 c\n', '1 c i=a\n', '1 c i=a n=2 b=3 r=1\n', '1 v', '1 z\n'])('what is flagged as an entry and is %j is made anew', async (foreign) => {
    const client = new EmbeddedClient();
    const cache = new ReadThroughCache(client, { expire: 60 });
    for (const key of ['get', 'peek']) client.store.store('set', key, foreign, 2 ** 31, 0);
    await cache.peek('peek');
    expect(await cache.get('get', () => 'loaded')).toBe('loaded');
    expect(await cache.get('get', () => 'loaded again')).toBe('loaded');
    expect(cache.stats()).toMatchObject({ 'decode-error': 1, stored: 1, 'store-error': 0, 'cache-error': 0 });
    expect([...client.metrics().values()][0]).toMatchObject({ disconnects: 0, errors: {} });
    await cache.close();
  });

  it('a set that fails leaves no pieces, which would stay for ever', async () => {
    const fleet = new Fleet(1, 0, { ...options, expire: 0 }, small);
    const { cache, line } = fleet.processes[0]!;
    line.onCommand = ({ verb }) => {
      if (verb === 'ms') throw new MemcacheConnectError('nobody is there', { server: 'embedded', command: verb });
      return undefined;
    };
    await expect(fleet.clock.until(cache.set('k', large))).rejects.toThrow('nobody is there');
    await fleet.clock.pass(10);
    expect([...fleet.store.items()].map(({ key }) => key)).toEqual([]);
  });

  it('nor does one that is given up, and a piece that cannot be stored is an error', async () => {
    const fleet = new Fleet(1, 0, { ...options, expire: 0 }, small);
    const { cache, line } = fleet.processes[0]!;
    await fleet.clock.until(cache.peek('k'));
    const controller = new AbortController();
    line.onCommand = () => {
      controller.abort(new Error('given up'));
    };
    await expect(fleet.clock.until(cache.set('k', large, { signal: controller.signal }))).rejects.toThrow('given up');
    await fleet.clock.pass(10);
    expect(fleet.store.size).toBe(0);
    let pieces = 0;
    line.onCommand = ({ verb }) => {
      if (verb === 'set' && ++pieces === 2) throw new MemcacheConnectError('nobody is there', { server: 'embedded', command: verb });
      return undefined;
    };
    await expect(fleet.clock.until(cache.set('k', large))).rejects.toThrow('nobody is there');
    await fleet.clock.pass(10);
    expect(fleet.store.size).toBe(0);
  });

  it('nor does a load, when its key is deleted while its pieces are being stored', async () => {
    const fleet = new Fleet(1, 0, { ...options, expire: 0 }, small);
    fleet.database.value = () => large;
    const [process] = fleet.processes;
    let deleted: Promise<boolean> | undefined;
    process!.line.onCommand = ({ verb }) => {
      if (verb === 'set') deleted ??= process!.cache.delete('k');
      return undefined;
    };
    expect(await fleet.clock.until(process!.get('k'))).toEqual(large);
    await fleet.clock.pass(10);
    expect(await deleted).toBeDefined();
    expect([...fleet.store.items()].map(({ key }) => key)).toEqual([]);
  });

  it('the pieces of an entry that lives for ever do so too, also when others are kept after their end', async () => {
    const fleet = new Fleet(1, 0, { ...options, expire: 0, stale: 60 }, small);
    fleet.database.value = () => large;
    await fleet.herd(1, 'loaded');
    await fleet.clock.until(fleet.processes[0]!.cache.set('set', large));
    await fleet.clock.pass(10);
    expect(new Set([...fleet.store.items()].map((item) => fleet.store.secondsLeft(item)))).toEqual(new Set([-1]));
    expect(fleet.store.size).toBeGreaterThan(4);
  });

  it('no more than 9999 pieces are stored, or asked for, whatever an entry says', async () => {
    const fleet = new Fleet(1, 0, { chunk: { maxValue: 2 ** 30 } }, small);
    const [process] = fleet.processes;
    expect(fleet.store.store('set', 'k', '1 c i=a n=999999 b=9999999999 r=1\n', 2 ** 31, 0)).toBe('stored');
    expect(await fleet.clock.until(process!.get('k'))).toBe('k@0');
    expect(process!.line.sent.length).toBeLessThan(10);
    await expect(fleet.clock.until(process!.cache.set('k', 'z'.repeat(10_000_000)))).rejects.toThrow(/9999 are the most$/);
  });

  it.each([['missing', 'delete'], ['another one', 'change']])('a piece that is %s makes a miss, which stores it anew', async (_, how) => {
    const fleet = new Fleet(1, 0, options, small);
    fleet.database.value = () => large;
    await fleet.herd(1, 'k');
    await fleet.clock.pass(10);
    const piece = [...fleet.store.items()].map(({ key }) => key).find((key) => key.endsWith(':1'))!;
    if (how === 'delete') fleet.store.delete(piece);
    else await fleet.clock.until(fleet.processes[0]!.client.set(piece, 'z'.repeat(500)));
    expect((await fleet.herd(1, 'k')).values).toEqual([large]);
    await fleet.clock.pass(10);
    expect((await fleet.herd(1, 'k')).values).toEqual([large]);
    expect(fleet.database.loads).toBe(2);
    expect(fleet.count('decode-error')).toBe(1);
  });

  it('what is larger than chunk.maxValue, or has lost its lease, leaves nothing behind', async () => {
    const fleet = new Fleet(1, 300, options, small);
    fleet.database.value = (key) => (key === 'huge' ? 'x'.repeat(6000) : large);
    await fleet.herd(1, 'huge');
    const call = fleet.processes[0]!.get('k');
    await fleet.clock.pass(100);
    fleet.store.delete('k');
    expect(await fleet.clock.until(call)).toEqual(large);
    await fleet.clock.pass(100);
    expect(fleet.store.size).toBe(0);
    expect(fleet.count('store-error')).toBe(1);
    expect(fleet.count('dropped')).toBe(1);
  });
});

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
    const late = fleet.processes[0]!.cache.getMany(['a', 'b'], load, { loadTimeout: 50 }).catch(() => 'late');
    expect(await fleet.clock.until(late)).toBe('late');
    await fleet.clock.until(first);
    await fleet.clock.pass(10);
    expect(load).not.toHaveBeenCalled();
    expect(fleet.processes[0]!.cache.stats().loads).toBe(0);
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

describe('loads that nobody waits for any more', () => {
  const never = (): Promise<never> => new Promise(() => undefined);
  const giveUp = async (fleet: Fleet, call: (signal: AbortSignal) => Promise<unknown>): Promise<void> => {
    const controller = new AbortController();
    const given = call(controller.signal).catch(() => 'given up');
    await fleet.clock.pass(10);
    controller.abort();
    expect(await fleet.clock.until(given)).toBe('given up');
  };

  it('take no place in the queue', async () => {
    const fleet = new Fleet(1, 0, { maxLoads: 1, maxQueuedLoads: 2 });
    const { cache } = fleet.processes[0]!;
    const hung = cache.get('hung', never, { loadTimeout: 1000 }).catch(() => 'late');
    await fleet.clock.pass(10);
    for (let i = 0; i < 5; i++) {
      await giveUp(fleet, (signal) => cache.get(`given-up-${i}`, never, { signal }));
      await giveUp(fleet, (signal) => cache.getMany([`a-${i}`, `b-${i}`], never, { signal, abortUnused: true }));
      await giveUp(fleet, (signal) => cache.get(`unused-${i}`, never, { signal, abortUnused: true }));
    }
    expect(cache.stats()).toMatchObject({ queued: 0, loads: 1, flights: 1, overloaded: 0 });
    const next = [1, 2].map((i) => cache.get(`k${i}`, () => 'v'));
    expect(await fleet.clock.until(Promise.all([hung, ...next]))).toEqual(['late', 'v', 'v']);
    expect(cache.stats()).toMatchObject({ queued: 0, loads: 0, flights: 0 });
  });

  const ways: [string, CacheOptions][] = [
    ['while it ran', { abortUnused: true }],
    ['before its turn came', { maxLoads: 1 }],
    ['until its turn came, for softTimeout', { maxLoads: 1, softTimeout: 20 }],
    ['until the cache was closed', { closeTimeout: 5 }],
  ];

  it.each(ways.flatMap(([how, options]): [string, string, CacheOptions][] => [['with', how, options], ['without', how, options]]))('%s meta commands: of an outdated value they are no failure, waited for %s', async (meta, how, options) => {
    const around = meta === 'with' ? undefined : (client: Client): Client => new Client(client.executor, { ...client.options, proxy: true });
    const fleet = new Fleet(2, 100, { expire: 5, staleIfError: 600, earlyRefresh: 0, ...options }, around);
    const [a, b] = fleet.processes;
    await fleet.clock.until(a!.get('k'));
    await fleet.clock.pass(10_000);
    fleet.database.write('k');
    if (options.maxLoads !== undefined) void a!.get('other');
    await fleet.clock.pass(10);
    const controller = new AbortController();
    const given = a!.get('k', { signal: controller.signal }).catch(() => 'given up');
    await fleet.clock.pass(50);
    if (options.closeTimeout !== undefined) await fleet.clock.until(a!.cache.close());
    controller.abort();
    // Whoever closes the cache gets what there is.
    expect(await fleet.clock.until(given)).toBe(how.includes('softTimeout') || how.includes('closed') ? 'k@0' : 'given up');
    await fleet.clock.pass(200);
    const at = fleet.clock.now();
    expect(await fleet.clock.until(b!.get('k', { softTimeout: 0 }))).toBe('k@1');
    // It has waited for nobody.
    expect(fleet.clock.now() - at).toBeLessThanOrEqual(100);
    expect(await fleet.clock.until(a!.get('k'))).toBe('k@1');
  });

  it('a value that is fresh yet stays so when close ends its early refresh', async () => {
    const fleet = new Fleet(2, 1000, { expire: 20, jitter: 0, earlyRefresh: 1, closeTimeout: 5, random: () => 0.99 });
    const [a, b] = fleet.processes;
    await fleet.clock.until(a!.get('k'));
    await fleet.clock.pass(17_000);
    expect(await fleet.clock.until(a!.get('k'))).toBe('k@0');
    await fleet.clock.pass(10);
    expect(a!.cache.stats()).toMatchObject({ refresh: 1, flights: 1 });
    await fleet.clock.until(a!.cache.close());
    await fleet.clock.pass(10);
    const at = fleet.clock.now();
    expect(await fleet.clock.until(b!.get('k'))).toBe('k@0');
    expect(fleet.clock.now()).toBe(at);
    expect(b!.cache.stats()).toMatchObject({ hit: 1, 'stale-hit': 0, refresh: 0 });
  });

  it.each([['loadTimeout', 1, CacheLoadTimeoutError], ['close', 2, undefined]] as const)('errorPause holds for a load that %s has ended, or not', async (what, loads, rejected) => {
    const fleet = new Fleet(1, 100, { errorPause: 60_000, closeTimeout: 5, ...(what === 'loadTimeout' && { loadTimeout: 50, abortUnused: true }) });
    const { cache } = fleet.processes[0]!;
    const read = (): Promise<unknown> => fleet.processes[0]!.get('k').catch((error: unknown) => error);
    const first = read();
    await fleet.clock.pass(10);
    if (what === 'close') await fleet.clock.until(cache.close());
    await fleet.clock.until(first);
    await fleet.clock.pass(100);
    const second = await fleet.clock.until(read());
    if (rejected === undefined) expect(second).toBe('k@0');
    else expect(second).toBeInstanceOf(rejected);
    expect(fleet.database.loads).toBe(loads);
  });

  it('keep nothing of those who have given up, although they never end', async () => {
    const fleet = new Fleet(1, 0);
    const { cache } = fleet.processes[0]!;
    void cache.get('k', never);
    const loaders: WeakRef<() => string>[] = [];
    for (let i = 0; i < 500; i++) {
      const load = (): string => `${i}`;
      loaders.push(new WeakRef(load));
      await giveUp(fleet, (signal) => cache.get('k', load, { signal }));
    }
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    await new Promise((resolve) => setImmediate(resolve));
    gc();
    expect(loaders.filter((load) => load.deref() !== undefined).length).toBeLessThan(100);
  });

  it('leave no timer when their own loader ends them', async () => {
    const fleet = new Fleet(1, 0, { loadTimeout: 60_000, abortUnused: true });
    const controller = new AbortController();
    const load = (): Promise<never> => {
      controller.abort();
      return never();
    };
    const ended = fleet.processes[0]!.cache.get('k', load, { signal: controller.signal }).catch(() => 'ended');
    expect(await fleet.clock.until(ended)).toBe('ended');
    await fleet.clock.pass(1000);
    expect(fleet.clock.held).toBe(0);
  });
});

describe('tags', () => {
  it('a version that the server tells only after a load has begun does not vouch for what was loaded', async () => {
    const store = new MemoryStore();
    const client = new EmbeddedClient(store);
    const other = new ReadThroughCache(new EmbeddedClient(store));
    let slow = true;
    const late = new Client(new Before(client.executor, async (command, go) => {
      // A server that owns the tag, and is slower than the one that owns the key.
      if (command.verb === 'ma' && slow) await new Promise((resolve) => setTimeout(resolve, 60));
      return go();
    }), client.options);
    const cache = new ReadThroughCache(late, { tags: ['t'], cacheTimeout: 1000 });
    let database = 'old';
    const call = cache.get('k', async () => {
      const seen = database;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return seen;
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    database = 'new';
    await other.invalidateTags('t');
    slow = false;
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

describe('time', () => {
  it('softTimeout holds while another process loads', async () => {
    const fleet = new Fleet(2, 1000, { expire: 5, staleIfError: 60, earlyRefresh: 0, softTimeout: 50 });
    fleet.database.duration = 10;
    await fleet.herd(1, 'k');
    await fleet.clock.pass(7000);
    fleet.database.duration = 1000;
    const { values, times } = await fleet.herd(2, 'k');
    expect(values).toEqual(Array(4).fill('k@0'));
    expect(Math.max(...times)).toBeLessThanOrEqual(60);
    expect(fleet.count('stale-hit')).toBe(4);
  });

  it('a life that ended less than a second ago is not stored for ever', async () => {
    const fleet = new Fleet(1, 0, { expire: () => -0.5 });
    for (let i = 0; i < 2; i++) {
      await fleet.herd(1, 'k');
      await fleet.clock.pass(10);
    }
    await fleet.clock.until(fleet.processes[0]!.cache.set('set', 1));
    expect(fleet.store.size).toBe(0);
    expect(fleet.database.loads).toBe(2);
  });

  it('staleIfError beyond 30 days, which the protocol has as a date: what was loaded later is stored too', async () => {
    const fleet = new Fleet(1, 10, { expire: 60, staleIfError: 40 * 86_400 });
    for (let i = 0; i < 3; i++) {
      await fleet.herd(1, 'k');
      await fleet.clock.pass(300_000);
    }
    expect(fleet.count('stored')).toBe(3);
    expect(fleet.database.loads).toBe(3);
  });

  it('close leaves reads their time limit', async () => {
    const fleet = new Fleet(1, 10);
    const [process] = fleet.processes;
    await fleet.herd(1, 'k');
    process!.line.state = 'blackHole';
    const start = fleet.clock.now();
    const read = process!.get('other');
    await fleet.clock.until(process!.cache.close());
    expect(await fleet.clock.until(read)).toBe('other@0');
    expect(fleet.clock.now() - start).toBeLessThanOrEqual(120);
  });

  it('validate: a server that does not answer costs cacheTimeout once, then nothing', async () => {
    const fleet = new Fleet(1, 10, { l1: { admit: 'all', validate: true }, expire: 600 });
    const [process] = fleet.processes;
    for (let i = 0; i < 3; i++) await fleet.herd(1, 'k');
    process!.line.state = 'blackHole';
    const times: number[] = [];
    for (let i = 0; i < 8; i++) times.push(...(await fleet.herd(1, 'k')).times);
    expect(Math.max(...times)).toBeLessThanOrEqual(115);
    expect(Math.max(...times.slice(5))).toBeLessThanOrEqual(15);
    expect(fleet.count('circuit-open')).toBe(1);
  });

  it('each call has its own time for the first question to the servers', async () => {
    const silent = createServer((socket) => socket.on('error', () => undefined).resume()).listen(0, '127.0.0.1');
    const slow = createServer((socket) => socket.on('error', () => undefined).on('data', (data) => {
      const answer = data.toString().startsWith('version') ? 'VERSION 1.6.45' : `HD O${/O(\d+)/.exec(data.toString())?.[1] ?? ''}`;
      setTimeout(() => socket.write(`${answer}\r\n`), 100);
    })).listen(0, '127.0.0.1');
    await Promise.all([once(silent, 'listening'), once(slow, 'listening')]);
    const clientOf = (server: Server, options: ClientOptions): Client => new Client(`127.0.0.1:${(server.address() as AddressInfo).port}`, options);
    const firsts = {
      set: (cache: ReadThroughCache) => cache.set('a', 1).catch(() => 0),
      patient: (cache: ReadThroughCache) => cache.get('a', () => 1, { cacheTimeout: 60_000 }),
    };
    for (const first of Object.values(firsts)) {
      const clock = new VirtualClock();
      await using client = clientOf(silent, { clock });
      const cache = new ReadThroughCache(client);
      void first(cache);
      await clock.advance(10);
      let value: unknown;
      void cache.get('b', () => 2).then((loaded) => (value = loaded));
      await clock.advance(499);
      expect(value).toBe(2);
      // close() waits until all that was asked has had its time.
      await clock.advance(2000);
    }
    await using client = clientOf(slow, { timeout: 20_000 });
    const cache = new ReadThroughCache(client);
    expect(await Promise.all([cache.get('a', () => 1, { cacheTimeout: 20 }), cache.set('b', 1)])).toEqual([1, true]);
    await cache.close();
    silent.close();
    slow.close();
  });

  it('the first connection takes nothing of it, whatever is to be asked first', async () => {
    const auth = { username: 'u', password: 'p' };
    const server = await MemcachedServer.start({ auth: [auth] });
    const relay = createServer((socket) => {
      const upstream = connect(server.port, '127.0.0.1');
      upstream.pipe(socket.on('error', () => undefined));
      // The credentials take their time.
      setTimeout(() => socket.pipe(upstream.on('error', () => undefined)), 700);
    }).listen(0, '127.0.0.1');
    await once(relay, 'listening');
    const made: Client[] = [];
    const cacheOf = (options: CacheOptions): ReadThroughCache => {
      const client = new Client(`127.0.0.1:${(relay.address() as AddressInfo).port}`, { auth, timeout: 10_000, connectTimeout: 10_000 });
      made.push(client);
      return new ReadThroughCache(client, { cacheTimeout: 400, ...options });
    };
    const namespaced = { namespace: 'n' };
    try {
      await Promise.all([
        cacheOf(namespaced).get('got', () => 'v'),
        cacheOf(namespaced).getMany(['many'], () => ['v']),
        cacheOf({ tags: ['t'] }).set('set', 'v'),
      ]);
      expect(await Promise.all([cacheOf(namespaced).peek('got'), cacheOf(namespaced).peek('many'), cacheOf({}).peek('set')])).toEqual(['v', 'v', 'v']);
    } finally {
      await Promise.all(made.map((client) => client.close()));
      relay.close();
      await server.close();
    }
  });

  it('calls of one tick for one key have each their own cacheTimeout', async () => {
    const fleet = new Fleet(1, 0);
    const [process] = fleet.processes;
    await fleet.herd(1, 'k');
    process!.line.state = 'blackHole';
    const patient = process!.get('k', { cacheTimeout: 800 });
    expect((await fleet.herd(1, 'k')).times).toEqual([100]);
    expect(await fleet.clock.until(patient)).toBe('k@0');
    process!.line.state = 'up';
    const cold = [process!.get('other', { cacheTimeout: 800 }), process!.get('other')];
    expect(await fleet.clock.until(Promise.all(cold))).toEqual(['other@0', 'other@0']);
    expect(fleet.database.startedAt.length).toBe(4);
  });

  it('a new question to the servers is within the time limit of the call', async () => {
    const fleet = new Fleet(1, 0);
    const [process] = fleet.processes;
    await fleet.herd(1, 'k');
    let refuses = true;
    process!.line.onCommand = () => {
      if (refuses) throw new MemcacheClientError('CLIENT_ERROR', { command: 'mg', certainty: 'notSent' });
    };
    await fleet.herd(1, 'k');
    refuses = false;
    process!.line.sent.length = 0;
    process!.line.delay = 80;
    expect(Math.max(...(await fleet.herd(1, 'k')).times)).toBeLessThanOrEqual(115);
    expect(process!.line.sent).toEqual(['version', 'mg']);
  });

  it('a call that tries a server in trouble, and cannot ask what it can do, is not the last', async () => {
    const fleet = new Fleet(1, 0, { circuit: { failures: 1, pause: 1000 } });
    const [process] = fleet.processes;
    await fleet.herd(1, 'k');
    process!.line.state = 'down';
    await fleet.herd(1, 'k');
    await fleet.clock.pass(1100);
    process!.line.state = 'up';
    process!.line.onCommand = ({ verb }) => {
      throw verb === 'mg' ? new MemcacheUnknownCommandError('ERROR', { command: 'mg', certainty: 'notSent' }) : new MemcacheConnectError('no', { command: verb });
    };
    await fleet.herd(1, 'k');
    process!.line.onCommand = () => undefined;
    await fleet.clock.pass(1100);
    for (let i = 0; i < 2; i++) await fleet.herd(1, 'k');
    expect(process!.cache.stats().hit).toBe(2);
  });

  it('a failed deletion is made good for as long as single calls have let the entry live', async () => {
    const fleet = new Fleet(1, 0, { expire: 5 });
    const [process] = fleet.processes;
    await fleet.herd(1, 'k', { expire: 600 });
    await fleet.clock.pass(10);
    process!.line.state = 'down';
    await process!.cache.delete('k').catch(() => undefined);
    await fleet.clock.pass(30_000);
    process!.line.state = 'up';
    await fleet.clock.pass(20_000);
    expect(fleet.store.find('k')).toBeUndefined();
  });
});

describe('other clients', () => {
  it('a server that has no room for a place-holder gets no value either: nothing would tell of a deletion', async () => {
    await using client = new EmbeddedClient();
    let room = false;
    const full = new Client(new Before(client.executor, async (command, go) => {
      const reply = await go();
      if (command.verb !== 'mg' || room) return reply;
      await client.delete('k');
      return new Reply();
    }), client.options);
    const [a, b] = [full, client].map((each) => new ReadThroughCache(each));
    const early = await a!.get('k', async () => {
      await b!.delete('k');
      return 'outdated';
    });
    expect(early).toBe('outdated');
    await a!.close();
    expect(await b!.peek('k')).toBeUndefined();
    room = true;
    expect(await a!.get('k', () => 'new')).toBe('new');
    await a!.close();
    expect(await b!.peek('k')).toBe('new');
  });

  it('an executor or a hasher that throws is a cache that cannot be reached', async () => {
    await using own = new EmbeddedClient();
    const error = new Error('its own');
    for (const verbs of [['mg'], ['ms'], ['md'], ['version'], ['mg', 'ms', 'md', 'version', 'delete']]) {
      const cache = new ReadThroughCache(new Client({
        execute: (command, options) => {
          if (verbs.includes(command.verb)) throw error;
          return own.executor.execute(command, options);
        },
        close: () => own.close(),
      }, own.options), { circuit: { failures: 2 } });
      for (let i = 0; i < 5; i++) expect(await cache.get(`k${verbs.join()}${i}`, () => i)).toBe(i);
      await cache.close();
      expect(cache.stats()).toMatchObject({ flights: 0, loads: 0 });
      if (verbs.includes('delete')) await expect(cache.delete('k')).rejects.toBe(error);
    }
    const hasher = {
      addNode: () => undefined,
      removeNode: () => undefined,
      getNode: () => {
        throw error;
      },
    };
    await using cluster = new HashClient(['127.0.0.1:1'], { hasher });
    const cache = new ReadThroughCache(cluster);
    for (let i = 0; i < 8; i++) expect(await cache.get('k', () => i)).toBe(i);
    expect(cache.stats()).toMatchObject({ flights: 0, loads: 0 });
  });

  it('validate: a server that was started anew may give the same CAS to another value', async () => {
    const first = await MemcachedServer.start({ port: 0 });
    await using client = new Client(`127.0.0.1:${first.port}`);
    const cache = new ReadThroughCache(client, { expire: 600, l1: { validate: true, admit: 'all' } });
    const load = (): string => 'loaded';
    await client.set('k', 'old');
    for (let i = 0; i < 3; i++) expect(await cache.get('k', load)).toBe('old');
    const token = await client.gets('k');
    const { port } = first;
    await client.close();
    await first.close();
    const second = await MemcachedServer.start({ port });
    await client.set('k', 'new');
    expect(await client.gets('k')).toEqual(['new', token[1]]);
    for (let i = 0; i < 3; i++) expect(await cache.get('k', load)).toBe('new');
    await client.close();
    await second.close();
  });

  it('an executor may answer within the tick', async () => {
    const client = new EmbeddedClient();
    const known = new Map<string, Promise<unknown>>();
    // What was read once is answered from memory.
    const quick = new Client(new Before(client.executor, (command, go) => {
      const { verb } = command;
      if (verb !== 'mg') return go();
      const answer = known.get('k') ?? go();
      known.set('k', answer);
      return answer;
    }), client.options);
    await client.set('k', 'v');
    const cache = new ReadThroughCache(quick);
    const load = jest.fn(() => 'loaded');
    for (let i = 0; i < 3; i++) expect(await cache.get('k', load)).toBe('v');
    expect(load).not.toHaveBeenCalled();
    await client.close();
  });

  it('no value is sent as part of a meta command to an older server that has taken the place of the one that was asked', async () => {
    const first = await MemcachedServer.start();
    const { port } = first;
    const client = new Client(first.address);
    const cache = new ReadThroughCache(client);
    let load: (value: string) => void = () => undefined;
    expect(await cache.set('k', 'v')).toBe(true);
    const loaded = cache.get('l', () => new Promise<string>((resolve) => { load = resolve; }));
    await new Promise((resolve) => setTimeout(resolve, 50));
    await first.close();
    while (client.metrics().get(first.address)?.connections !== 0) await new Promise((resolve) => setTimeout(resolve, 1));
    const lines: string[] = [];
    const old = createServer((socket) => {
      let rest = '';
      socket.on('data', (data) => {
        rest += data.toString('latin1');
        for (let end = rest.indexOf('\r\n'); end >= 0; end = rest.indexOf('\r\n')) {
          const line = rest.slice(0, end);
          const size = /^set \S+ \d+ \d+ (\d+)$/.exec(line)?.[1];
          if (size !== undefined && rest.length < end + 4 + Number(size)) return;
          rest = rest.slice(size === undefined ? end + 2 : end + 4 + Number(size));
          lines.push(line.replace(/ .*/, ''));
          socket.write(line === 'version' ? 'VERSION 1.4.39\r\n' : size === undefined ? 'ERROR\r\n' : 'STORED\r\n');
        }
      });
    });
    await once(old.listen(port, '127.0.0.1'), 'listening');
    load('a\r\nflush_all\r\n');
    expect(await loaded).toBe('a\r\nflush_all\r\n');
    expect(await cache.set('k', 'b\r\nflush_all\r\n')).toBe(true);
    await cache.close();
    expect(new Set(lines)).toEqual(new Set(['version', 'set']));
    await client.close();
    old.close();
  });

  it('a proxy that tells a version and refuses meta commands, by writes and by reads', async () => {
    const client = new EmbeddedClient();
    const proxy = (): Client => new Client(new Before(client.executor, (command, go) => {
      if (['mg', 'ms', 'md', 'ma'].includes(command.verb)) return Promise.reject(new MemcacheUnknownCommandError('ERROR', { command: command.verb, certainty: 'notSent' }));
      return go();
    }), client.options);
    const load = jest.fn(() => 'loaded');
    const cache = new ReadThroughCache(proxy());
    expect(await cache.set('k', 'set')).toBe(true);
    expect(await cache.get('k', load)).toBe('set');
    expect(await new ReadThroughCache(proxy(), { stale: 30 }).invalidate('k')).toBe(true);
    await new ReadThroughCache(proxy()).invalidateTags('t');
    expect(load).not.toHaveBeenCalled();
    await client.delete('k');
    for (const options of [{}, { l1: { validate: true, admit: 'all' } }] as const) {
      const [first, second] = [1, 2].map(() => new ReadThroughCache(proxy(), options));
      expect(await Promise.all([first!.get('k', load), first!.get('k', load)])).toEqual(['loaded', 'loaded']);
      await first!.close();
      expect([await second!.get('k', load), await first!.get('k', load)]).toEqual(['loaded', 'loaded']);
      expect(load).toHaveBeenCalledTimes(1);
      expect(first!.stats()).toMatchObject({ 'cache-error': 0, 'circuit-open': 0 });
    }
    await client.close();
  });
});

describe('scopes', () => {
  it('tell keys apart that are no text, and know one that is both', async () => {
    const cache = new ReadThroughCache(new EmbeddedClient(undefined, { allowUnicodeKeys: true }));
    const scope = cache.scope();
    const keys = [0xff, 0xfe, 0xfd].map((byte) => Buffer.from([byte]));
    expect(await scope.get(keys[0]!, () => 0)).toBe(0);
    expect(await scope.get(keys[1]!, () => 1)).toBe(1);
    expect([...(await scope.getMany(keys, (wanted) => wanted.map(() => 2))).values()]).toEqual([0, 1, 2]);
    expect(await scope.get('é', () => 'text')).toBe('text');
    expect(await scope.get(Buffer.from('é'), () => 'bytes')).toBe('text');
    expect(await scope.peek(['route', 'é'])).toBe('text');
    await cache.close();
  });

  it('refuse what the cache refuses, by rejecting, and remember nothing of it', async () => {
    const cache = new ReadThroughCache(new EmbeddedClient());
    const scope = cache.scope();
    const load = jest.fn(() => 'x');
    for (const key of [undefined, null, 5, {}]) {
      await expect(scope.get(key as never, load)).rejects.toThrow(MemcacheIllegalInputError);
      await expect(scope.peek(key as never)).rejects.toThrow(MemcacheIllegalInputError);
    }
    await expect(scope.getMany('abc' as never, load as never)).rejects.toThrow(MemcacheIllegalInputError);
    await expect(scope.getMany(undefined as never, load as never)).rejects.toThrow(MemcacheIllegalInputError);
    expect(load).not.toHaveBeenCalled();
    await expect(scope.get('k', load, { bad: 1 } as never)).rejects.toThrow(MemcacheIllegalInputError);
    await expect(scope.getMany(['l', 'il legal'], (keys) => keys.map(() => 'y'))).rejects.toThrow(MemcacheIllegalInputError);
    expect([await scope.get('k', load), await scope.get('l', load)]).toEqual(['x', 'x']);
  });

  it('remember nothing of a read that its signal has ended', async () => {
    const scope = new ReadThroughCache(new EmbeddedClient()).scope();
    const controller = new AbortController();
    const never = (): Promise<never> => new Promise(() => undefined);
    const reads = [scope.get('k', never, { signal: controller.signal }), scope.getMany(['l'], never, { signal: controller.signal })];
    controller.abort('gone');
    for (const read of reads) await expect(read).rejects.toBe('gone');
    expect([await scope.get('k', () => 'k'), await scope.peek('l')]).toEqual(['k', undefined]);
  });
});

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

it('a dead refresher of a key that is read all the time is replaced, however many other tokens are seen meanwhile', async () => {
  const keys = Array.from({ length: 10_500 }, (_, i) => `other-${i}`);
  const fleet = new Fleet(2, 0, { expire: 10, stale: 1000, lease: 5, earlyRefresh: 0, jitter: 0, maxLoads: 20_000, maxBackground: 20_000, circuit: { failures: 1e6 } });
  const [dead, alive] = fleet.processes;
  const read = (process: Process, list: readonly string[]): Promise<unknown> => fleet.clock.until(Promise.all(list.map((key) => process.get(key))));
  await read(dead!, ['k', ...keys]);
  await fleet.clock.pass(11_100);
  fleet.database.duration = 1e6;
  await read(dead!, ['k', ...keys]);
  dead!.crash();
  fleet.database.duration = 0;
  await read(alive!, ['k']);
  for (let at = 0; at < keys.length; at += 2100) {
    await read(alive!, ['k', ...keys.slice(at, at + 2100)]);
    await fleet.clock.pass(900);
  }
  await fleet.clock.pass(1000);
  await read(alive!, ['k']);
  await fleet.clock.pass(50);
  expect(alive!.cache.stats()['take-over']).toBe(1);
});
