import { CacheLoadTimeoutError, Client, MemcacheOverloadedError } from '../../src';
import { ReadThroughCache, type CacheEvent } from '../../src/cache';
import { MemcachedServer } from '../../src/server';
import { Fleet } from './support/fleet';

const max = (values: number[]): number => Math.max(...values);

describe('herds', () => {
  it('1: a cold key is loaded once, whoever asks', async () => {
    const fleet = new Fleet(8, 300);
    const { values, times } = await fleet.herd(200, 'k');
    expect(fleet.database.loads).toBe(1);
    expect(new Set(values)).toEqual(new Set(['k@0']));
    expect(max(times)).toBeLessThanOrEqual(363);
  });

  it('2: of a hundred cold keys each is loaded once', async () => {
    const fleet = new Fleet(8, 300);
    await fleet.herd(200, (i) => `k${i % 100}`);
    expect(fleet.database.loads).toBe(100);
  });

  it('3: a key that has just expired is refreshed once, and nobody waits', async () => {
    const fleet = new Fleet(8, 300, { expire: 5, stale: 30, earlyRefresh: 0 });
    await fleet.herd(1, 'k');
    await fleet.clock.pass(7000);
    fleet.database.write('k');
    const { values, times } = await fleet.herd(200, 'k');
    expect(new Set(values)).toEqual(new Set(['k@0']));
    expect(max(times)).toBeLessThanOrEqual(10);
    await fleet.clock.pass(400);
    expect(fleet.database.loads).toBe(2);
    expect((await fleet.herd(1, 'k')).values).toContain('k@1');
  });

  it('4: under steady reads a key is refreshed before it expires', async () => {
    const fleet = new Fleet(4, 300, { expire: 5 });
    await fleet.herd(1, 'k');
    const misses = fleet.count('miss');
    for (let i = 0; i < 600; i++) {
      await fleet.herd(1, 'k');
      await fleet.clock.pass(100);
    }
    expect(fleet.count('miss')).toBe(misses);
    expect(fleet.database.loads).toBeGreaterThanOrEqual(12);
    expect(fleet.database.loads).toBeLessThanOrEqual(21);
  });

  it('4: the earlier, the longer its load takes', async () => {
    const fleet = new Fleet(1, 3000, { expire: 60, jitter: 0, loadTimeout: 0, lease: 30 });
    const ages: number[] = [];
    for (let i = 0; i < 10; i++) {
      await fleet.herd(1, `k${i}`);
      const loads = fleet.database.loads;
      const stored = fleet.clock.now();
      while (fleet.database.loads === loads) {
        await fleet.herd(1, `k${i}`);
        await fleet.clock.pass(250);
      }
      ages.push(fleet.database.startedAt.at(-1)! - stored);
    }
    // Three seconds before the end on average, as XFetch draws it; the least, a second, would be at 59 s.
    const mean = ages.reduce((sum, age) => sum + age, 0) / ages.length;
    expect(mean).toBeLessThan(58_000);
    expect(Math.min(...ages)).toBeGreaterThan(30_000);
    expect(fleet.count('miss')).toBe(10);
  });

  it('5: without early refreshes once per expiry', async () => {
    const fleet = new Fleet(4, 300, { expire: 5, earlyRefresh: 0 });
    let longest = 0;
    for (let i = 0; i < 500; i++) {
      const { times } = await fleet.herd(1, 'k');
      longest = Math.max(longest, max(times));
      await fleet.clock.pass(100);
    }
    expect(fleet.database.mostAtOnce).toBe(1);
    expect(fleet.database.loads).toBeLessThanOrEqual(12);
    expect(longest).toBeLessThanOrEqual(363);
  });
});

/** The first process dies while it loads. */
async function holderDies({ processes, clock }: Fleet): Promise<void> {
  const holder = processes.shift();
  void holder?.get('k');
  await clock.pass(100);
  holder?.crash();
}

describe('deaths', () => {
  it('6: the holder of a cold key dies', async () => {
    const fleet = new Fleet(4, 300, { lease: 2, leaseWait: 5000 });
    await holderDies(fleet);
    const { times, values } = await fleet.herd(1, 'k');
    expect(max(times)).toBeLessThanOrEqual(3363);
    expect(new Set(values)).toEqual(new Set(['k@0']));
    expect(fleet.database.loads).toBe(2);
  });

  it('6: whoever waits too long loads too', async () => {
    const fleet = new Fleet(3, 300, { lease: 30, leaseWait: 1000 });
    await holderDies(fleet);
    const { times } = await fleet.herd(5, 'k');
    expect(max(times)).toBeLessThanOrEqual(1350);
    expect(fleet.database.loads).toBeLessThanOrEqual(3);
    expect(fleet.count('impatient')).toBe(2);
    // Their result has taken the place of the dead one's.
    await fleet.herd(5, 'k');
    expect(fleet.database.loads).toBeLessThanOrEqual(3);
  });

  it.each([['expired', 7000], ['invalidated', 100]])('7, 8: a refresher of an %s key dies', async (how, pause) => {
    const fleet = new Fleet(4, 300, { expire: 5, stale: 60, lease: 3, earlyRefresh: 0 });
    await fleet.herd(1, 'k');
    if (how === 'invalidated') await fleet.clock.until(fleet.processes[1]!.cache.invalidate('k'));
    await fleet.clock.pass(pause);
    fleet.database.write('k');
    const [first] = fleet.processes;
    expect(await fleet.clock.until(first!.get('k'))).toBe('k@0');
    first!.crash();
    fleet.processes.shift();
    const died = fleet.clock.now();
    for (let i = 0; i < 50; i++) {
      const { times } = await fleet.herd(1, 'k');
      expect(max(times)).toBeLessThanOrEqual(10);
      await fleet.clock.pass(100);
    }
    const [, , next = Infinity, more] = fleet.database.startedAt;
    expect(next - died).toBeLessThanOrEqual(4000);
    expect(more).toBeUndefined();
    expect(fleet.count('take-over')).toBe(1);
    expect((await fleet.herd(1, 'k')).values).toEqual(['k@1', 'k@1', 'k@1']);
    // Nothing is left of it that close would wait for.
    const closedAt = fleet.clock.now();
    for (const { cache } of fleet.processes) await fleet.clock.until(cache.close());
    expect(fleet.clock.now()).toBe(closedAt);
  });
});

describe('loaders that fail', () => {
  it('9: the next one who waits tries at once', async () => {
    const fleet = new Fleet(4, 100);
    fleet.database.value = (key, _, load) => {
      if (load === 1) throw new Error('boom');
      return key;
    };
    const all = fleet.processes.map((process) => process.get('k').catch((error: unknown) => error));
    const results = await fleet.clock.until(Promise.all(all));
    expect(results.filter((result) => result instanceof Error)).toHaveLength(1);
    expect(fleet.database.loads).toBe(2);
    expect(fleet.database.mostAtOnce).toBe(1);
  });

  it('10: each call rejects with the very error, and no place-holder is left', async () => {
    const fleet = new Fleet(8, 100);
    const errors: Error[] = [];
    fleet.database.value = () => {
      const error = new Error('boom');
      errors.push(error);
      throw error;
    };
    const results = await fleet.clock.until(Promise.all(fleet.processes.map((process) => process.get('k').catch((error: unknown) => error))));
    for (const result of results) expect(errors).toContain(result);
    expect(fleet.count('load-error')).toBe(errors.length);
    expect(fleet.database.loads).toBeLessThanOrEqual(8);
    expect(fleet.database.mostAtOnce).toBe(1);
    await fleet.clock.pass(10);
    expect(fleet.store.size).toBe(0);
  });

  it('11: a refresh that fails is not tried again by all', async () => {
    const fleet = new Fleet(8, 50, { expire: 5, stale: 600, earlyRefresh: 0, lease: 10 });
    await fleet.herd(1, 'k');
    await fleet.clock.pass(7000);
    fleet.database.value = () => {
      throw new Error('boom');
    };
    const before = fleet.database.loads;
    for (let i = 0; i < 120; i++) {
      const { values } = await fleet.herd(1, 'k');
      expect(new Set(values)).toEqual(new Set(['k@0']));
      await fleet.clock.pass(500);
    }
    expect(fleet.database.loads - before).toBeLessThanOrEqual(7);
    expect(fleet.database.loads - before).toBeGreaterThanOrEqual(5);
  });

  it('21: errors thrown at once, and undefined, reach all callers', async () => {
    const fleet = new Fleet(1, 0);
    const [process] = fleet.processes;
    const cache = process!.cache;
    const error = new Error('at once');
    const load = (): never => {
      throw error;
    };
    const results = await fleet.clock.until(Promise.allSettled([cache.get('k', load), cache.get('k', load)]));
    expect(results).toEqual([{ status: 'rejected', reason: error }, { status: 'rejected', reason: error }]);
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
    const rejects = await fleet.clock.until(Promise.allSettled([cache.get('u', () => Promise.reject(undefined))]));
    expect(rejects).toEqual([{ status: 'rejected', reason: undefined }]);
  });

  it.each([false, true])('errorPause: a key whose load failed is not loaded again so soon; abortUnused: %s', async (abortUnused) => {
    const fleet = new Fleet(1, 10, { errorPause: 1000, abortUnused });
    const error = new Error('boom');
    fleet.database.value = () => {
      throw error;
    };
    const attempt = (): Promise<unknown> => fleet.clock.until(fleet.processes[0]!.get('k').catch((reason: unknown) => reason));
    expect(await attempt()).toBe(error);
    expect(await attempt()).toBe(error);
    expect(fleet.database.loads).toBe(1);
    await fleet.clock.pass(1100);
    await attempt();
    expect(fleet.database.loads).toBe(2);
  });
});

describe('errorPause ends', () => {
  it.each<[string, (cache: ReadThroughCache) => Promise<unknown>]>([
    ['a deletion', (cache) => cache.delete('k')],
    ['an invalidation', (cache) => cache.invalidate('k')],
  ])('with %s by this process: what was in the way may be gone', async (_, write) => {
    const fleet = new Fleet(1, 10, { errorPause: 60_000 });
    const { cache } = fleet.processes[0]!;
    await expect(fleet.clock.until(cache.get('k', () => Promise.reject(new Error('boom'))))).rejects.toThrow('boom');
    await expect(fleet.clock.until(cache.get('k', () => 'mended'))).rejects.toThrow('boom');
    await fleet.clock.until(write(cache));
    expect(await fleet.clock.until(cache.get('k', () => 'mended'))).toBe('mended');
  });
});

it('a set of a value that is too large deletes the entry, which is out of date', async () => {
  const fleet = new Fleet(1, 0, { expire: 600 }, (client) => new Client(client.executor, { ...client.options, maxValueSize: 1000 }));
  const { cache } = fleet.processes[0]!;
  await fleet.clock.until(cache.set('k', 'old'));
  await expect(fleet.clock.until(cache.set('k', 'x'.repeat(2000)))).rejects.toThrow('value has 2000 bytes; maxValueSize is 1000');
  expect(await fleet.clock.until(cache.peek('k'))).toBeUndefined();
});

describe('slow loads', () => {
  it('12: a load slower than its lease is dropped, and the next one is stored', async () => {
    const fleet = new Fleet(2, 5000, { lease: 2, leaseWait: 20_000, expire: 600 });
    const { values } = await fleet.herd(1, 'k');
    expect(values).toEqual(['k@0', 'k@0']);
    expect(fleet.database.mostAtOnce).toBeLessThanOrEqual(2);
    await fleet.clock.pass(100);
    await fleet.herd(1, 'k');
    await fleet.clock.pass(100);
    const loads = fleet.database.loads;
    await fleet.herd(1, 'k');
    expect(fleet.database.loads).toBe(loads);
    expect(fleet.database.mostAtOnce).toBeLessThanOrEqual(2);
  });

  it('26: softTimeout gives the old value, and the new one is stored', async () => {
    const fleet = new Fleet(1, 300, { expire: 5, stale: 60, earlyRefresh: 0, softTimeout: 50 });
    await fleet.herd(1, 'k');
    await fleet.clock.pass(7000);
    fleet.database.write('k');
    const { values, times } = await fleet.herd(1, 'k');
    expect(values).toEqual(['k@0']);
    expect(Math.abs(max(times) - 50)).toBeLessThanOrEqual(10);
    await fleet.clock.pass(260);
    expect((await fleet.herd(1, 'k')).values).toEqual(['k@1']);
    expect(fleet.database.loads).toBe(2);
  });

  it('27: loadTimeout rejects, and the late result is not stored', async () => {
    const fleet = new Fleet(1, 300, { loadTimeout: 100 });
    let aborted = false;
    const error = await fleet.clock.until(
      fleet.processes[0]!.cache
        .get('k', async ({ signal }) => {
          signal.addEventListener('abort', () => (aborted = true));
          await fleet.clock.sleep(300);
          return 'late';
        })
        .catch((reason: unknown) => reason),
    );
    expect(error).toBeInstanceOf(CacheLoadTimeoutError);
    expect(fleet.clock.now()).toBe(100);
    expect(aborted).toBe(true);
    await fleet.clock.pass(1000);
    expect(fleet.store.size).toBe(0);
    expect(fleet.processes[0]!.cache.stats()).toMatchObject({ 'load-timeout': 1, 'late-load': 1, stored: 0, released: 1 });
  });

  it('staleIfError is what it was set to, also in a call with a stale of its own; else it follows stale', async () => {
    for (const [options, call, life] of [[{ stale: 30, staleIfError: 30 }, { stale: 0 }, 90], [{ stale: 30 }, { stale: 0 }, 60], [{ stale: 30 }, { stale: 0, staleIfError: 20 }, 80], [{}, { stale: 10 }, 70]] as const) {
      const fleet = new Fleet(1, 0, { ...options, jitter: 0 });
      await fleet.herd(1, 'k', call);
      await fleet.clock.pass(5);
      expect([options, call, fleet.store.secondsLeft(fleet.store.find('k')!)]).toEqual([options, call, life]);
    }
  });

  it('after stale seconds callers wait for the new value, also where staleIfError is longer', async () => {
    const fleet = new Fleet(1, 50, { expire: 5, stale: 5, staleIfError: 60, earlyRefresh: 0, jitter: 0 });
    for (const key of ['early', 'late']) {
      await fleet.herd(1, key);
      fleet.database.write(key);
    }
    await fleet.clock.pass(8000);
    expect(await fleet.herd(1, 'early')).toEqual({ values: ['early@0'], times: [0] });
    await fleet.clock.pass(4000);
    expect(await fleet.herd(1, 'late')).toEqual({ values: ['late@1'], times: [50] });
  });

  it('with staleIfError and no stale the old value comes when the loader fails or is too slow', async () => {
    const fleet = new Fleet(1, 50, { expire: 5, staleIfError: 60, earlyRefresh: 0, lease: 2, loadTimeout: 200 });
    await fleet.herd(1, 'k');
    await fleet.clock.pass(7000);
    fleet.database.write('k');
    fleet.database.value = () => {
      throw new Error('boom');
    };
    const failed = await fleet.herd(1, 'k');
    expect(failed).toEqual({ values: ['k@0'], times: [50] });
    // The process whose load failed does not wait for itself.
    expect(await fleet.herd(1, 'k')).toEqual({ values: ['k@0'], times: [0] });
    await fleet.clock.pass(3100);
    fleet.database.duration = 500;
    expect(await fleet.herd(1, 'k')).toMatchObject({ values: ['k@0'], times: [200] });
    await fleet.clock.pass(3100);
    fleet.database.duration = 20;
    fleet.database.value = (key, version) => `${key}@${version}`;
    expect(await fleet.herd(1, 'k')).toMatchObject({ values: ['k@1'] });
  });
});

describe('writes during a load', () => {
  it('13: a set wins', async () => {
    const fleet = new Fleet(3, 300);
    await fleet.setDuringLoad('k');
    expect((await fleet.herd(1, 'k')).values).toEqual(['set', 'set', 'set']);
    expect(fleet.database.loads).toBe(1);
  });

  it('13: a set wins, whichever CAS is the higher', async () => {
    const fleet = new Fleet(2, 300, { stale: 30 });
    for (const key of ['a', 'b', 'c', 'd', 'e', 'f']) {
      await fleet.setDuringLoad(key);
      expect((await fleet.herd(1, key)).values).toEqual(['set', 'set']);
    }
  });

  it('14: with the cache down nobody joins what began before a delete either', async () => {
    const fleet = new Fleet(1, 300);
    const [process] = fleet.processes;
    process!.line.state = 'down';
    const early = process!.get('k');
    await fleet.clock.pass(100);
    fleet.database.write('k');
    await process!.cache.delete('k').catch(() => undefined);
    expect(await fleet.clock.until(process!.get('k'))).toBe('k@1');
    expect(await early).toBe('k@0');
  });

  it('14: after a delete no later reader gets what was loaded before', async () => {
    const fleet = new Fleet(3, 300);
    const [a, b, c] = fleet.processes;
    const early = [a!.get('k'), a!.get('k'), b!.get('k')];
    await fleet.clock.pass(100);
    fleet.database.write('k');
    await fleet.clock.until(a!.cache.delete('k'));
    const late = await fleet.clock.until(Promise.all([a!.get('k'), b!.get('k'), c!.get('k')]));
    expect(late).toEqual(['k@1', 'k@1', 'k@1']);
    expect(await Promise.all(early)).toEqual(['k@0', 'k@0', expect.anything()]);
    await fleet.clock.pass(500);
    expect((await fleet.herd(1, 'k')).values).toEqual(['k@1', 'k@1', 'k@1']);
    expect(fleet.database.loads).toBe(2);
  });

  it('15: after three invalidations the last load counts', async () => {
    const fleet = new Fleet(2, 300, { stale: 30 });
    const [a, b] = fleet.processes;
    const first = a!.get('k');
    for (let i = 0; i < 3; i++) {
      await fleet.clock.pass(50);
      fleet.database.write('k');
      await fleet.clock.until(b!.cache.invalidate('k'));
    }
    await fleet.clock.until(first);
    await fleet.herd(1, 'k');
    await fleet.clock.pass(1000);
    expect((await fleet.herd(1, 'k')).values).toEqual(['k@3', 'k@3']);
  });

  it.each(['flushed', 'evicted'])('16–18: a place-holder that is %s takes the result along', async (how) => {
    const fleet = new Fleet(1, 300);
    const call = fleet.processes[0]!.get('k');
    await fleet.clock.pass(100);
    if (how === 'flushed') await fleet.clock.until(fleet.processes[0]!.client.flushAll());
    else fleet.store.delete('k');
    await fleet.clock.pass(1);
    expect(await fleet.clock.until(call)).toBe('k@0');
    await fleet.clock.pass(10);
    expect(fleet.store.find('k')).toBeUndefined();
    expect(fleet.count('dropped')).toBe(1);
  });

  it('an invalidated value is served while one reader makes it anew', async () => {
    const fleet = new Fleet(4, 300, { stale: 30 });
    await fleet.herd(1, 'k');
    fleet.database.write('k');
    await fleet.clock.until(fleet.processes[3]!.cache.invalidate('k'));
    const { values, times } = await fleet.herd(10, 'k');
    expect(new Set(values)).toEqual(new Set(['k@0']));
    expect(max(times)).toBe(0);
    await fleet.clock.pass(400);
    expect(new Set((await fleet.herd(10, 'k')).values)).toEqual(new Set(['k@1']));
    expect(fleet.database.loads).toBe(2);
  });

  it('to be invalidated again and again does not keep a value', async () => {
    const fleet = new Fleet(1, 10, { expire: 5, stale: 10 });
    await fleet.herd(1, 'k');
    for (let i = 0; i < 6; i++) {
      await fleet.clock.pass(3000);
      await fleet.clock.until(fleet.processes[0]!.cache.invalidate('k'));
    }
    expect(fleet.store.find('k')).toBeUndefined();
  });

  it('nor does it live for ever where the server says that it has less than a second left', async () => {
    await using server = await MemcachedServer.start();
    await using client = new Client(server.address);
    await using cache = new ReadThroughCache(client, { stale: 10 });
    await cache.set('k', 'value');
    server.faults = ({ line }) => (line.startsWith('mg k t O') ? { reply: `HD t0 ${line.split(' ').at(-1)}` } : undefined);
    expect(await cache.invalidate('k')).toBe(true);
    server.faults = undefined;
    expect([1, undefined]).toContain((await client.metaGet('k', { ttl: true }))?.ttl);
  });
});

describe('values', () => {
  it.each([[null], [0], [''], [false], [Buffer.alloc(0)], [{ a: [1] }], ['text']])('22: %p is a hit the second time', async (value) => {
    const fleet = new Fleet(2, 10);
    fleet.database.value = () => value;
    await fleet.herd(1, 'k');
    expect((await fleet.herd(1, 'k')).values).toEqual([value, value]);
    expect(fleet.database.loads).toBe(1);
    expect(await fleet.clock.until(fleet.processes[0]!.cache.peek('k'))).toEqual(value);
  });

  it('23: undefined is not stored, unless negativeExpire says so', async () => {
    const fleet = new Fleet(1, 10);
    fleet.database.value = () => undefined;
    const get = (options = {}): Promise<unknown> => fleet.clock.until(fleet.processes[0]!.get('k', options));
    expect(await get()).toBeUndefined();
    expect(await get()).toBeUndefined();
    expect(fleet.database.loads).toBe(2);
    await get({ negativeExpire: 10 });
    expect(fleet.database.loads).toBe(3);
    expect(await get({ negativeExpire: 10 })).toBeUndefined();
    expect(fleet.database.loads).toBe(3);
    expect(await fleet.clock.until(fleet.processes[0]!.cache.peek('k'))).toBeUndefined();
    expect(fleet.count('negative-hit')).toBe(1);
  });

  it.each([['a negative expire', { expire: -1 }], ['a function that says so', { expire: () => -1 }]])('24: %s stores nothing and leaves no lease', async (_, options) => {
    const fleet = new Fleet(1, 10);
    await fleet.herd(1, 'k', options);
    await fleet.clock.pass(10);
    expect(fleet.store.size).toBe(0);
    expect(fleet.count('released')).toBe(1);
  });

  it.each([
    ['too large', 'x'.repeat(1024 * 1024 + 1)],
    ['refused by the serde', new Map()],
  ])('19, 20: a value %s is answered, and the lease is free', async (_, value) => {
    const fleet = new Fleet(2, 10);
    fleet.database.value = () => value;
    const { values } = await fleet.herd(3, 'k');
    expect(values).toHaveLength(6);
    for (const each of values) expect(each).toBe(value);
    await fleet.clock.pass(10);
    expect(fleet.store.size).toBe(0);
    expect(fleet.count('store-error')).toBeGreaterThan(0);
  });

  it('expire from the value, and the loader that is given the old one', async () => {
    const fleet = new Fleet(1, 10, { stale: 60, earlyRefresh: 0 });
    const { cache } = fleet.processes[0]!;
    const olds: unknown[] = [];
    const load = ({ old }: { old: { ttl: number } | undefined }): { ttl: number } => {
      olds.push(old);
      return old ?? { ttl: 3 };
    };
    const options = { expire: (value: { ttl: number }) => value.ttl };
    await fleet.clock.until(cache.get('k', load, options));
    await fleet.clock.pass(5000);
    await fleet.clock.until(cache.get('k', load, options));
    await fleet.clock.pass(100);
    expect(olds).toEqual([undefined, { ttl: 3 }]);
    // It was renewed.
    await fleet.clock.until(cache.get('k', load, options));
    expect(olds).toHaveLength(2);
  });

  it('40: but lives below 10 s are not shortened', async () => {
    const fleet = new Fleet(1, 0, { expire: 9, jitter: 1 });
    await fleet.herd(20, (i) => `k${i}`);
    await fleet.clock.pass(0);
    expect([...fleet.store.items()].map((item) => fleet.store.secondsLeft(item))).toEqual(Array(20).fill(9));
  });

  it('40: what is stored together does not expire together', async () => {
    const fleet = new Fleet(1, 0);
    for (let i = 0; i < 1000; i++) await fleet.clock.until(fleet.processes[0]!.get(`k${i}`));
    const lives = new Map<number, number>();
    for (const item of fleet.store.items()) {
      const left = fleet.store.secondsLeft(item);
      lives.set(left, (lives.get(left) ?? 0) + 1);
    }
    expect(max([...lives.values()])).toBeLessThanOrEqual(250);
    expect(max([...lives.keys()])).toBeLessThanOrEqual(60);
  });
});

describe('aborts', () => {
  it('25: one caller less', async () => {
    const fleet = new Fleet(1, 300);
    const controller = new AbortController();
    const { cache } = fleet.processes[0]!;
    const load = (): Promise<string> => fleet.database.load('k', fleet.processes[0]!, {} as never) as Promise<string>;
    const first = cache.get('k', load, { signal: controller.signal }).catch((error: unknown) => error);
    const others = Array.from({ length: 199 }, () => cache.get('k', load));
    await fleet.clock.pass(100);
    controller.abort('gone');
    expect(await fleet.clock.until(first)).toBe('gone');
    expect(await fleet.clock.until(Promise.all(others))).toHaveLength(199);
    expect(fleet.database.loads).toBe(1);
  });

  it.each([false, true])('25: all callers gone, abortUnused %p', async (abortUnused) => {
    const fleet = new Fleet(1, 300, { abortUnused });
    const controller = new AbortController();
    let signal: AbortSignal | undefined;
    const call = fleet.processes[0]!.cache
      .get(
        'k',
        async (context) => {
          ({ signal } = context);
          await fleet.clock.sleep(300);
          return 'value';
        },
        { signal: controller.signal },
      )
      .catch((error: unknown) => error);
    await fleet.clock.pass(100);
    controller.abort('gone');
    expect(await fleet.clock.until(call)).toBe('gone');
    await fleet.clock.pass(300);
    expect(signal?.aborted).toBe(abortUnused);
    expect(fleet.store.find('k') === undefined).toBe(abortUnused);
  });
});

describe('trouble with the cache', () => {
  it('28: a black hole costs cacheTimeout, then nothing', async () => {
    const fleet = new Fleet(1, 50);
    const [process] = fleet.processes;
    await fleet.herd(1, 'warm');
    process!.line.state = 'blackHole';
    const times: number[] = [];
    for (let i = 0; i < 20; i++) times.push(max((await fleet.herd(1, `k${i}`)).times));
    for (const time of times) expect(time).toBeLessThanOrEqual(160);
    for (const time of times.slice(5)) expect(time).toBeLessThanOrEqual(60);
    expect(fleet.count('circuit-open')).toBe(1);
    const sent = process!.line.sent.length;
    await fleet.herd(5, (i) => `l${i}`);
    expect(process!.line.sent).toHaveLength(sent);
    // Then one of them tries, however many there are.
    await fleet.clock.pass(1100);
    const waited = (await fleet.herd(5, (i) => `m${i}`)).times.filter((time) => time > 60);
    expect(waited).toHaveLength(1);
    expect(process!.line.sent).toHaveLength(sent + 1);
    process!.line.state = 'up';
    await fleet.clock.pass(1100);
    await fleet.herd(1, 'k');
    await fleet.clock.pass(10);
    await fleet.herd(1, 'k');
    expect(fleet.count('hit')).toBe(1);
  });

  it('28: also when it has never answered', async () => {
    const fleet = new Fleet(1, 50);
    fleet.processes[0]!.line.state = 'blackHole';
    const { times } = await fleet.herd(100, (i) => `k${i}`);
    // The connection is taken for one that is still being made.
    expect(max(times)).toBeLessThanOrEqual(1050);
    expect(max((await fleet.herd(100, (i) => `k${i}`)).times)).toBeLessThanOrEqual(160);
  });

  it('29: with the cache down the database sees no more than maxLoads', async () => {
    const fleet = new Fleet(1, 50, { maxLoads: 64, maxQueuedLoads: 100 });
    fleet.processes[0]!.line.state = 'down';
    const calls = Array.from({ length: 1000 }, (_, i) => fleet.processes[0]!.get(`k${i}`).catch((error: unknown) => error));
    const results = await fleet.clock.until(Promise.all(calls));
    expect(fleet.database.mostAtOnce).toBe(64);
    expect(results.filter((result) => result instanceof MemcacheOverloadedError)).toHaveLength(1000 - 164);
    expect(fleet.processes[0]!.cache.stats()).toMatchObject({ loads: 0, queued: 0, flights: 0 });
  });

  it('30: a lease that comes too late is given back, and not used', async () => {
    const fleet = new Fleet(1, 600);
    const [process] = fleet.processes;
    await fleet.herd(1, 'warm');
    process!.line.delay = 500;
    const call = process!.get('k');
    await fleet.clock.pass(510);
    process!.line.delay = 0;
    expect(await fleet.clock.until(call)).toBe('k@0');
    await fleet.clock.pass(2000);
    expect(fleet.store.find('k')).toBeUndefined();
    expect(process!.cache.stats()).toMatchObject({ released: 1, 'cache-timeout': 1, load: 2, stored: 1 });
  });

  it('a value that cannot be read is loaded anew and replaced', async () => {
    const events: CacheEvent[] = [];
    const fleet = new Fleet(1, 10, { observe: (event) => events.push(event) });
    await fleet.clock.until(fleet.processes[0]!.client.set('k', 'x', { flags: 12345 }));
    expect((await fleet.herd(3, 'k')).values).toEqual(['k@0', 'k@0', 'k@0']);
    await fleet.clock.pass(10);
    expect(await fleet.clock.until(fleet.processes[0]!.client.get('k'))).toBe('k@0');
    expect(events.map(({ type }) => type)).toContain('decode-error');
    expect(fleet.database.loads).toBe(1);
  });
});

describe('life', () => {
  it('35: close waits for refreshes, and leaves no timer', async () => {
    const fleet = new Fleet(1, 300, { expire: 5, stale: 60, earlyRefresh: 0 });
    await fleet.herd(3, (i) => `k${i}`);
    await fleet.clock.pass(7000);
    await fleet.herd(3, (i) => `k${i}`);
    expect(fleet.processes[0]!.cache.stats().loads).toBe(3);
    await fleet.clock.until(fleet.processes[0]!.cache.close());
    expect(fleet.count('stored')).toBe(6);
    await fleet.clock.until(fleet.processes[0]!.client.close());
    expect(fleet.clock.held).toBe(0);
  });

  it('a load that is over leaves no timer, and the limit of a refresh keeps no process alive', async () => {
    const fleet = new Fleet(1, 100, { expire: 5, stale: 60, earlyRefresh: 0, loadTimeout: 3_600_000 });
    await fleet.herd(3, 'k');
    expect(fleet.clock.held).toBe(0);
    await fleet.clock.pass(7000);
    fleet.database.load = () => new Promise<never>(() => undefined);
    await fleet.herd(3, 'k');
    expect(fleet.processes[0]!.cache.stats().loads).toBe(1);
    expect(fleet.clock.held).toBe(0);
  });

  it('close aborts what is still loading, or waits for its turn, after closeTimeout', async () => {
    const fleet = new Fleet(1, 0, { maxLoads: 1, closeTimeout: 200 });
    const { cache } = fleet.processes[0]!;
    const ends: unknown[] = [];
    const endOf = (load: Promise<unknown>): Promise<unknown> => load.then(() => 'loaded', (error: unknown) => (error as Error).message);
    const hung = endOf(cache.get('hung', ({ signal }) => new Promise<never>(() => {
      signal.addEventListener('abort', () => ends.push(signal.reason));
    })));
    const queued = endOf(cache.get('queued', () => 'v'));
    await fleet.clock.pass(10);
    await fleet.clock.until(cache.close());
    expect(fleet.clock.now()).toBe(210);
    expect(await fleet.clock.until(Promise.all([hung, queued]))).toEqual(['the cache was closed', 'the cache was closed']);
    expect(ends).toEqual([expect.objectContaining({ name: 'AbortError' })]);
    expect(cache.stats()).toMatchObject({ loads: 0, queued: 0, flights: 0 });
    expect(fleet.store.size).toBe(0);
  });
});

describe('the law of counters', () => {
  it('calls are hits, joined, loads or rejections', async () => {
    const fleet = new Fleet(3, 40, { expire: 5, stale: 5, staleIfError: 20, lease: 2 });
    let calls = 0;
    let rejected = 0;
    fleet.database.value = (key, _, load) => {
      if (load % 3 === 0) throw new Error('boom');
      return load % 7 === 0 ? undefined : key;
    };
    for (let i = 0; i < 300; i++) {
      const all = fleet.processes.flatMap((process) => [process.get(`k${i % 3}`), process.get(`k${i % 3}`)]);
      calls += all.length;
      const settled = await fleet.clock.until(Promise.allSettled(all));
      rejected += settled.filter(({ status }) => status === 'rejected').length;
      await fleet.clock.pass(200);
    }
    const sum = ['hit', 'l1-hit', 'stale-hit', 'error-hit', 'negative-hit', 'joined', 'load'].reduce((total, name) => total + fleet.count(name as 'hit'), 0);
    // Every rejection here is a load or a join.
    expect(rejected).toBeGreaterThan(0);
    expect(sum).toBe(calls);
  });
});
