import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { CacheLoadTimeoutError, Client } from '../../src';
import type { CacheOptions } from '../../src/cache';
import { Fleet } from './support/fleet';

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
