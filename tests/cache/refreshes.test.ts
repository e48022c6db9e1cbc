import type { CacheOptions } from '../../src/cache';
import { Fleet, Process } from './support/fleet';

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

it('a fresh value whose early refresher has died stays fresh where nothing outdated may be served', async () => {
  const fleet = new Fleet(2, 1000, { expire: 30, jitter: 0, lease: 2, earlyRefresh: 1, random: () => 0.9999 });
  const [dead, alive] = fleet.processes;
  await fleet.clock.until(dead!.get('k'));
  await fleet.clock.pass(22_000);
  await fleet.clock.until(dead!.get('k'));
  expect(dead!.cache.stats()['early-refresh']).toBe(1);
  dead!.crash();
  for (let i = 0; i < 60; i++) {
    await fleet.clock.until(alive!.get('k'));
    await fleet.clock.pass(100);
  }
  expect(alive!.cache.stats()).toMatchObject({ hit: 60, 'take-over': 0 });
});

it('a process does not take over its own refresh, however much longer than its lease that is', async () => {
  const fleet = new Fleet(1, 10, { expire: 5, stale: 60, lease: 2, earlyRefresh: 0 });
  const [process] = fleet.processes;
  await fleet.clock.until(process!.get('k'));
  await fleet.clock.pass(7000);
  fleet.database.write('k');
  fleet.database.duration = 8000;
  for (let i = 0; i < 90; i++) {
    await fleet.clock.until(process!.get('k'));
    await fleet.clock.pass(100);
  }
  expect(process!.cache.stats()).toMatchObject({ 'take-over': 0, dropped: 0, stored: 2 });
  expect(await fleet.clock.until(process!.get('k'))).toBe('k@1');
});

it('a refresh that hangs keeps no process alive', async () => {
  const fleet = new Fleet(1, 0, { expire: 5, stale: 60, earlyRefresh: 0, loadTimeout: 30_000 });
  await fleet.herd(1, 'k');
  await fleet.clock.pass(7000);
  await fleet.clock.until(fleet.processes[0]!.cache.get('k', () => new Promise<never>(() => undefined)));
  expect(fleet.processes[0]!.cache.stats().loads).toBe(1);
  expect(fleet.clock.held).toBe(0);
});

describe('refreshes', () => {
  it('a reader that left the token to others asks for it when it turns out that it matters', async () => {
    const fleet = new Fleet(1, 10, { expire: 5, stale: 60, earlyRefresh: 0, maxBackground: 1 });
    await fleet.herd(1, 'k');
    await fleet.clock.pass(7000);
    await fleet.herd(1, 'fresh');
    const before = fleet.database.loads;
    // The first of them reserves the only place.
    await fleet.herd(2, (i) => (i === 0 ? 'fresh' : 'k'));
    await fleet.clock.pass(100);
    expect(fleet.database.loads).toBe(before + 1);
    expect(fleet.count('refresh')).toBe(1);
  });

  it('of values that were invalidated no more than maxBackground are refreshed at once, and all in the end', async () => {
    const fleet = new Fleet(1, 50, { expire: 600, stale: 60, maxBackground: 3 });
    const key = (i: number): string => `k${i}`;
    await fleet.herd(12, key);
    await fleet.clock.pass(100);
    for (let i = 0; i < 12; i++) await fleet.clock.until(fleet.processes[0]!.cache.invalidate(key(i)));
    fleet.database.mostAtOnce = 0;
    for (let i = 0; i < 12; i++) fleet.database.write(key(i));
    for (let round = 0; round < 8; round++) {
      await fleet.herd(12, key);
      await fleet.clock.pass(100);
    }
    expect(fleet.database.mostAtOnce).toBe(3);
    expect((await fleet.herd(12, key)).values).toEqual(Array.from({ length: 12 }, (_, i) => `k${i}@1`));
    expect(fleet.database.loads).toBe(24);
  });

  it('one that is refused, since too many loads wait, takes no place among the refreshes', async () => {
    const fleet = new Fleet(1, 0, { expire: 600, stale: 60, maxBackground: 1, maxLoads: 1, maxQueuedLoads: 0 });
    const { cache } = fleet.processes[0]!;
    await fleet.herd(1, 'k');
    let end: () => void = () => undefined;
    const hung = cache.get('hung', () => new Promise<string>((resolve) => { end = () => { resolve('over'); }; }));
    await fleet.clock.pass(10);
    await fleet.clock.until(cache.invalidate('k'));
    expect((await fleet.herd(1, 'k')).values).toEqual(['k@0']);
    await fleet.clock.pass(10);
    expect(cache.stats()).toMatchObject({ overloaded: 1, loads: 1, queued: 0, flights: 1 });
    end();
    expect(await fleet.clock.until(hung)).toBe('over');
    fleet.database.write('k');
    await fleet.clock.until(cache.invalidate('k'));
    await fleet.herd(1, 'k');
    await fleet.clock.pass(10);
    expect((await fleet.herd(1, 'k')).values).toEqual(['k@1']);
  });

  it('a process whose impatient load has failed answers with the old value for the length of a lease', async () => {
    const fleet = new Fleet(4, 20, { expire: 2, staleIfError: 600, lease: 10, leaseWait: 500, earlyRefresh: 0 });
    await fleet.herd(1, 'k');
    await fleet.clock.pass(4000);
    fleet.database.value = () => {
      throw new Error('down');
    };
    const before = fleet.database.loads;
    for (let i = 0; i < 40; i++) {
      expect((await fleet.herd(2, 'k')).values).toEqual(Array(8).fill('k@0'));
      await fleet.clock.pass(200);
    }
    // One by the token, and one of each of the others; without a pause it would be one each half second.
    expect(fleet.database.loads - before).toBeLessThanOrEqual(4);
  });

  it('none comes before half of its life, however long its load takes', async () => {
    const fleet = new Fleet(1, 60_000, { expire: 10, lease: 120, jitter: 0, earlyRefresh: 1, random: () => 0.999 });
    await fleet.herd(1, 'k');
    await fleet.clock.pass(4000);
    await fleet.herd(1, 'k');
    expect(fleet.count('early-refresh')).toBe(0);
    await fleet.clock.pass(2000);
    await fleet.herd(1, 'k');
    expect(fleet.count('early-refresh')).toBe(1);
  });

  it('a near cache lets some readers through shortly before the value expires', async () => {
    const fleet = new Fleet(1, 1000, { expire: 40, jitter: 0, earlyRefresh: 1, l1: { admit: 'all', ttl: 60_000 } });
    await fleet.herd(1, 'k');
    for (let i = 0; i < 398; i++) {
      await fleet.herd(1, 'k');
      await fleet.clock.pass(100);
    }
    expect(fleet.count('early-refresh')).toBe(1);
    expect(fleet.count('l1-hit')).toBeGreaterThan(300);
    expect(fleet.count('load')).toBe(1);
  });
});

describe('a token that comes to a reader who cannot use it is passed on to the next one', () => {
  const options = { expire: 5, stale: 60, earlyRefresh: 0 } as const;
  const never = (): Promise<never> => new Promise(() => undefined);

  /** Makes an entry that is outdated, and whose next reader is to refresh it. */
  async function outdated(more: CacheOptions): Promise<{ fleet: Fleet; reader: Process; next: Process }> {
    const fleet = new Fleet(2, 0, { ...options, ...more });
    await fleet.herd(1, 'k');
    await fleet.clock.pass(7000);
    fleet.database.write('k');
    return { fleet, reader: fleet.process('reader'), next: fleet.processes[1]! };
  }

  async function expectRefresh(fleet: Fleet, { cache }: Process): Promise<void> {
    const before = cache.stats().refresh;
    await fleet.clock.until(cache.get('k', () => 'refreshed'));
    await fleet.clock.pass(10);
    expect(cache.stats().refresh - before).toBe(1);
    expect(await fleet.clock.until(cache.peek('k'))).toBe('refreshed');
  }

  it('its answer came after cacheTimeout', async () => {
    const { fleet, reader, next } = await outdated({ cacheTimeout: 50 });
    reader.line.onCommand = ({ verb }) => (verb === 'mg' ? fleet.clock.sleep(200) : undefined);
    expect(await fleet.clock.until(reader.cache.get('k', () => 'not stored'))).toBe('not stored');
    await fleet.clock.pass(300);
    await expectRefresh(fleet, next);
  });

  it('all who asked have gone', async () => {
    const { fleet, reader, next } = await outdated({ stale: 0, staleIfError: 60 });
    reader.line.onCommand = ({ verb }) => (verb === 'mg' ? fleet.clock.sleep(50) : undefined);
    const controller = new AbortController();
    const gone = reader.get('k', { signal: controller.signal }).catch(() => 'gone');
    await fleet.clock.pass(10);
    controller.abort();
    expect(await fleet.clock.until(gone)).toBe('gone');
    await fleet.clock.pass(100);
    const at = fleet.clock.now();
    expect(await fleet.clock.until(next.get('k'))).toBe('k@1');
    expect(fleet.clock.now()).toBe(at);
  });

  it('whether its tags have changed cannot be had', async () => {
    const { fleet, reader, next } = await outdated({ tags: ['t'] });
    reader.line.onCommand = ({ verb }) => (verb === 'ma' ? never() : undefined);
    expect(await fleet.clock.until(reader.cache.get('k', () => 'not stored'))).toBe('not stored');
    await fleet.clock.pass(10);
    await expectRefresh(fleet, next);
  });
});
