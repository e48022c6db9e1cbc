import { AsyncLocalStorage } from 'node:async_hooks';
import type { Command } from '../../src';
import { Fleet } from './support/fleet';

describe('waits', () => {
  it('who has waited for a load makes a lease that is longer than that', async () => {
    const fleet = new Fleet(8, 3000, { lease: 2, leaseWait: 20_000 });
    const { values } = await fleet.herd(3, 'k');
    expect(new Set(values)).toEqual(new Set(['k@0']));
    expect(fleet.database.loads).toBeLessThanOrEqual(3);
    expect(fleet.database.mostAtOnce).toBeLessThanOrEqual(2);
    expect(fleet.store.find('k')).toBeDefined();
  });

  it('and never one that is shorter than the option says', async () => {
    const fleet = new Fleet(2, 1000, { lease: 10 });
    const [a, b] = fleet.processes;
    await fleet.clock.pass(60_000);
    const broken = a!.cache.get('k', async () => {
      await fleet.clock.sleep(100);
      throw new Error('broken');
    }).catch(() => 'broken');
    await fleet.clock.pass(10);
    const waiting = b!.get('k');
    expect(await fleet.clock.until(broken)).toBe('broken');
    await fleet.clock.pass(100);
    expect(b!.cache.stats().loads).toBe(1);
    expect(fleet.store.secondsLeft(fleet.store.find('k')!)).toBe(10);
    expect(await fleet.clock.until(waiting)).toBe('k@0');
  });

  it('and never one of more than an hour, however long loads take', async () => {
    const fleet = new Fleet(1, 7_200_000, { loadTimeout: 0 });
    const [process] = fleet.processes;
    await fleet.clock.until(process!.get('k'), 8_000_000);
    await fleet.clock.until(process!.cache.delete('k'));
    void process!.get('k');
    await fleet.clock.pass(10);
    expect(fleet.store.secondsLeft(fleet.store.find('k')!)).toBe(3600);
  });

  it('one that ended with a load of this process leaves the key free for the next', async () => {
    const fleet = new Fleet(3, 0, { lease: 2, leaseWait: 60_000 });
    const [a, b, c] = fleet.processes;
    const never = (): Promise<never> => new Promise(() => undefined);
    void a!.cache.get('k', never);
    await fleet.clock.pass(10);
    const impatient = b!.cache.get('k', async () => {
      await fleet.clock.sleep(10_000);
      return 'impatient';
    }, { leaseWait: 0 });
    await fleet.clock.pass(3000);
    void c!.cache.get('k', never);
    await fleet.clock.pass(10);
    // It waits for another place-holder than the load of its process, and joins that when it asks again.
    const joined = b!.cache.get('k', () => 'in vain');
    expect(await fleet.clock.until(Promise.all([impatient, joined]))).toEqual(['impatient', 'impatient']);
    await fleet.clock.pass(3000);
    const other = fleet.process('d').cache.get('k', async () => {
      await fleet.clock.sleep(100);
      return 'other';
    });
    await fleet.clock.pass(10);
    expect(await fleet.clock.until(Promise.all([b!.cache.get('k', () => 'in vain'), other]))).toEqual(['other', 'other']);
  });

  it.each([
    ['was not answered', { circuit: { failures: 100 } }, 0],
    ['was not even sent, as the circuit was open', { circuit: { failures: 1, pause: 1000 } }, 3],
  ])('one whose question %s leaves the key free for the next', async (_, circuit, failed) => {
    const fleet = new Fleet(2, 0, { lease: 30, leaseWait: 60_000, cacheTimeout: 50, ...circuit });
    const [a, b] = fleet.processes;
    await fleet.clock.until(b!.get('known'));
    const never = (): Promise<never> => new Promise(() => undefined);
    void a!.cache.get('k', never);
    await fleet.clock.pass(10);
    const waiting = b!.cache.get('k', () => 'without');
    await fleet.clock.pass(2);
    b!.line.state = failed > 0 ? 'down' : 'blackHole';
    for (let i = 0; i < failed; i++) expect(await fleet.clock.until(b!.get(`failed${i}`))).toBe(`failed${i}@0`);
    const sent = b!.line.sent.length;
    expect(await fleet.clock.until(waiting)).toBe('without');
    expect(b!.line.sent.length === sent).toBe(failed > 0);
    b!.line.state = 'up';
    await fleet.clock.pass(31_000);
    const other = fleet.process('c').cache.get('k', async () => {
      await fleet.clock.sleep(100);
      return 'other';
    });
    await fleet.clock.pass(10);
    expect(await fleet.clock.until(Promise.all([b!.cache.get('k', () => 'in vain'), other]))).toEqual(['other', 'other']);
  });

  it('are not needed for a key whose reader has gone before it got the lease', async () => {
    const fleet = new Fleet(2, 0, { lease: 30 });
    const [a, b] = fleet.processes;
    await fleet.clock.until(a!.get('known'));
    a!.line.delay = 20;
    const controller = new AbortController();
    const load = jest.fn(() => 'in vain');
    const gone = a!.cache.get('k', load, { signal: controller.signal }).catch(() => 'gone');
    await fleet.clock.pass(10);
    controller.abort();
    await fleet.clock.pass(100);
    expect(await gone).toBe('gone');
    const at = fleet.clock.now();
    expect(await fleet.clock.until(b!.get('k'))).toBe('k@0');
    expect(fleet.clock.now()).toBe(at);
    expect(load).not.toHaveBeenCalled();
  });

  it('end with loads in the context of the call that waited, although many share a timer', async () => {
    const fleet = new Fleet(2, 60_000, { leaseWait: 100 });
    const [a, b] = fleet.processes;
    const storage = new AsyncLocalStorage<string>();
    const keys = ['k', 'l', 'm'];
    for (const key of keys) void a!.get(key);
    await fleet.clock.pass(10);
    const calls = keys.map((key) => storage.run(key, () => b!.cache.get(key, () => storage.getStore())));
    expect(await fleet.clock.until(Promise.all(calls))).toEqual(keys);
  });

  it('of another process are waited for by as many callers as there may be', async () => {
    const fleet = new Fleet(2, 100);
    const [a, b] = fleet.processes;
    const load = a!.get('k');
    await fleet.clock.pass(10);
    // More than a function can be called with.
    const waiting = Array.from({ length: 150_000 }, () => b!.get('k'));
    expect(await fleet.clock.until(load)).toBe('k@0');
    expect(new Set(await fleet.clock.until(Promise.all(waiting)))).toEqual(new Set(['k@0']));
  });

  it('do not end with a load from before a deletion, for anybody, when one of those who wait has asked before it began', async () => {
    const fleet = new Fleet(2, 0, { lease: 30, leaseWait: 1000 });
    const [a, b] = fleet.processes;
    const slow = async (value: string): Promise<string> => {
      await fleet.clock.sleep(10_000);
      return value;
    };
    void a!.cache.get('k', () => slow('a'));
    await fleet.clock.pass(10);
    const early = b!.cache.get('k', () => 'new');
    await fleet.clock.pass(500);
    await fleet.clock.until(a!.cache.delete('k'));
    const before = b!.cache.get('k', () => slow('old'));
    await fleet.clock.pass(0);
    await fleet.clock.until(a!.cache.delete('k'));
    void a!.cache.get('k', () => slow('a'));
    await fleet.clock.pass(0);
    const late = b!.cache.get('k', () => 'new');
    expect(await fleet.clock.until(Promise.all([early, late]))).toEqual(['new', 'new']);
    expect(await fleet.clock.until(before)).toBe('old');
  });

  it.each(['a new key', 'an outdated value'])('do not end with what this process began to load of %s before another one deleted it', async (what) => {
    const fleet = new Fleet(2, 1000, { expire: 5, staleIfError: 60, earlyRefresh: 0, leaseWait: what === 'a new key' ? 100 : 2000 });
    const [a, b] = fleet.processes;
    if (what === 'an outdated value') {
      await fleet.clock.until(b!.get('k'));
      await fleet.clock.pass(10_000);
    }
    const before = b!.get('k');
    await fleet.clock.pass(50);
    fleet.database.write('k');
    await fleet.clock.until(a!.cache.delete('k'));
    const others = a!.get('k');
    await fleet.clock.pass(50);
    const after = b!.get('k');
    expect(await fleet.clock.until(Promise.all([before, others, after]))).toEqual(['k@0', 'k@1', 'k@1']);
  });

  it('end with what this process has begun to load since they began', async () => {
    const fleet = new Fleet(2, 1000, { leaseWait: 100, random: () => 0.5 });
    const [a, b] = fleet.processes;
    void a!.get('k');
    await fleet.clock.pass(10);
    const first = b!.get('k');
    // After the last question, and before its patience is at its end.
    await fleet.clock.pass(90);
    fleet.store.delete('k');
    const second = b!.get('k');
    expect(await fleet.clock.until(Promise.all([first, second]))).toEqual(['k@0', 'k@0']);
    expect(b!.cache.stats()).toMatchObject({ load: 1, joined: 1, impatient: 0 });
  });

  it('count a call once whose old value is deleted meanwhile', async () => {
    const fleet = new Fleet(2, 100, { expire: 5, staleIfError: 60, earlyRefresh: 0, softTimeout: 30 });
    const [a, b] = fleet.processes;
    await fleet.clock.until(a!.get('k'));
    await fleet.clock.pass(10_000);
    void a!.get('k');
    await fleet.clock.pass(1);
    const waiting = b!.get('k');
    await fleet.clock.pass(1);
    fleet.store.delete('k');
    expect(await fleet.clock.until(waiting)).toBe('k@0');
    await fleet.clock.pass(200);
    expect(b!.cache.stats()).toMatchObject({ 'stale-hit': 1, refresh: 1, load: 0, joined: 0 });
  });

  it('with a patience of 0 keys that are asked for one after the other in one millisecond are all loaded', async () => {
    const fleet = new Fleet(2, 0, { leaseWait: 0 });
    const [a, b] = fleet.processes;
    const never = (): Promise<never> => new Promise(() => undefined);
    void a!.cache.getMany(['k', 'l'], never);
    await fleet.clock.pass(10);
    const at = fleet.clock.now();
    for (const key of ['k', 'l']) expect(await fleet.clock.until(b!.get(key))).toBe(`${key}@0`);
    expect(fleet.clock.now()).toBe(at);
  });

  it('the lease of a key is twice the average of its loads, in which the last one counts for three tenths', async () => {
    const fleet = new Fleet(1, 0, { lease: 2, loadTimeout: 0 });
    const { cache } = fleet.processes[0]!;
    const leases: number[] = [];
    for (const length of [10_000, 20_000, 1]) {
      const load = cache.get('k', async () => {
        await fleet.clock.sleep(length);
        return 'v';
      });
      await fleet.clock.pass(0);
      leases.push(fleet.store.secondsLeft(fleet.store.find('k')!));
      await fleet.clock.until(load);
      await fleet.clock.until(cache.delete('k'));
    }
    expect(leases).toEqual([2, 21, 27]);
  });

  it('many keys that are waited for are asked for together', async () => {
    const fleet = new Fleet(2, 300);
    const keys = Array.from({ length: 60 }, (_, i) => `k${i}`);
    const load = async (wanted: readonly string[]): Promise<string[]> => {
      await fleet.clock.sleep(300);
      return wanted.map((key) => `${key}!`);
    };
    const first = fleet.processes[0]!.cache.getMany(keys, load);
    await fleet.clock.pass(5);
    const second = fleet.processes[1]!.cache.getMany(keys, load);
    await fleet.clock.pass(150);
    // By timers of their own there would be sixty.
    expect(fleet.clock.timers).toBeLessThan(20);
    expect(await fleet.clock.until(Promise.all([first, second]))).toEqual(Array(2).fill(new Map(keys.map((key) => [key, `${key}!`]))));
    expect(fleet.processes[1]!.cache.stats().load).toBe(0);
  });

  it('the next wait for a key begins with short pauses, as the first did', async () => {
    const fleet = new Fleet(2, 1000);
    const [a, b] = fleet.processes;
    const asked: number[] = [];
    for (let turn = 0; turn < 2; turn++) {
      const both = [a!.get('k')];
      await fleet.clock.pass(5);
      b!.line.sent.length = 0;
      both.push(b!.get('k'));
      await fleet.clock.pass(100);
      asked.push(b!.line.sent.length);
      expect(await fleet.clock.until(Promise.all(both))).toEqual(['k@0', 'k@0']);
      await fleet.clock.until(a!.cache.delete('k'));
    }
    expect(Math.min(...asked)).toBeGreaterThanOrEqual(5);
  });

  it('what is done before a read is repeated counts against cacheTimeout', async () => {
    const fleet = new Fleet(2, 10, { expire: 600, tags: ['t'] });
    const [a, b] = fleet.processes;
    await fleet.herd(1, 'k');
    await fleet.clock.pass(3000);
    await fleet.clock.until(a!.cache.invalidateTags('t'));
    await fleet.clock.pass(3000);
    b!.line.onCommand = ({ verb }: Command<unknown>) => (verb === 'md' ? fleet.clock.sleep(5000) : undefined);
    const before = fleet.clock.now();
    expect(await fleet.clock.until(b!.get('k'))).toBe('k@0');
    expect(fleet.clock.now() - before).toBeLessThanOrEqual(120);
  });

  it('so do the versions of its tags', async () => {
    const fleet = new Fleet(1, 10, { expire: 600, tags: (value: unknown) => [String(value)] });
    const { cache, line } = fleet.processes[0]!;
    await fleet.clock.until(cache.set('k', 'v'));
    await fleet.clock.pass(3000);
    line.onCommand = ({ verb }: Command<unknown>) => (verb === 'mg' ? fleet.clock.sleep(60) : verb === 'ma' ? fleet.clock.sleep(5000) : undefined);
    const before = fleet.clock.now();
    expect(await fleet.clock.until(fleet.processes[0]!.get('k'))).toBe('k@0');
    expect(fleet.clock.now() - before).toBeLessThanOrEqual(120);
    // The server of the key has answered.
    expect(cache.stats()['circuit-open']).toBe(0);
  });

  it('so do the version of the namespace and the confirmation of what the near cache has', async () => {
    const fleet = new Fleet(1, 10, { namespace: 'n', tagMaxAge: 1000, expire: 600, l1: { admit: 'all', validate: true } });
    const [process] = fleet.processes;
    await fleet.herd(1, 'k');
    await fleet.clock.pass(100);
    await fleet.herd(1, 'k');
    await fleet.herd(1, 'k');
    expect(fleet.count('l1-hit')).toBe(1);
    await fleet.clock.pass(3000);
    process!.line.onCommand = ({ verb }: Command<unknown>) => fleet.clock.sleep(verb === 'ma' ? 60 : 5000);
    const before = fleet.clock.now();
    expect(await fleet.clock.until(process!.get('k'))).toBe('k@0');
    expect(fleet.clock.now() - before).toBeLessThanOrEqual(120);
  });

  it('so do the confirmation that is refused and the read that follows', async () => {
    const fleet = new Fleet(2, 10, { expire: 600, l1: { admit: 'all', validate: true } });
    const [process, other] = fleet.processes;
    await fleet.herd(1, 'k');
    await fleet.clock.pass(100);
    await fleet.herd(1, 'k');
    await fleet.herd(1, 'k');
    expect(fleet.count('l1-hit')).toBeGreaterThan(0);
    await fleet.clock.until(other!.cache.set('k', 'new'));
    let asked = 0;
    process!.line.onCommand = () => fleet.clock.sleep(asked++ === 0 ? 60 : 5000);
    const before = fleet.clock.now();
    expect(await fleet.clock.until(process!.get('k'))).toBe('k@0');
    expect(asked).toBeGreaterThan(1);
    expect(fleet.clock.now() - before).toBeLessThanOrEqual(120);
  });

  it.each([['the namespace', { namespace: 'n' }], ['tags', { tags: ['t'] }]])('a cacheTimeout of its own holds for the version of %s too', async (_, options) => {
    const fleet = new Fleet(1, 10, { ...options, expire: 600, cacheTimeout: 1000 });
    const [process] = fleet.processes;
    await fleet.herd(1, 'k');
    await fleet.clock.pass(5000);
    process!.line.onCommand = ({ verb }: Command<unknown>) => (verb === 'ma' ? fleet.clock.sleep(700) : undefined);
    const before = fleet.clock.now();
    expect(await fleet.clock.until(process!.get('l', { cacheTimeout: 20 }))).toBe('l@0');
    expect(fleet.clock.now() - before).toBeLessThanOrEqual(50);
  });
});
