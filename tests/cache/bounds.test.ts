/** What a cache may cost at the most when much happens at once: waits, refreshes, loads, trips. */
import { Client, ManualClock, MemcacheServerError, type Command, type Executor } from '../../src';
import { ReadThroughCache } from '../../src/cache';
import { Circuits } from '../../src/cache/health/circuit';
import { Recovery } from '../../src/cache/health/recovery';
import { EmbeddedClient, MemoryStore } from '../../src/embedded';
import { Fleet } from './support/fleet';

const max = (numbers: readonly number[]): number => Math.max(...numbers);
const seconds = (count: number): number => count * 1000;

it('servers that fail under ever new names take no memory', () => {
  const circuits = new Circuits(new ManualClock(), 1, 1000);
  for (let i = 0; i < 20_000; i++) circuits.failed(`server${i}`);
  expect(circuits.isOpen('server19999')).toBe(true);
  expect(circuits.isOpen('server0')).toBe(false);
});

describe('deletions that failed', () => {
  /** 1500 of them, of which none succeeds. */
  function failing(onTry: (recovery: Recovery) => void = () => undefined): { tried: string[]; pass: (ms: number) => Promise<void> } {
    const clock = new ManualClock();
    const tried: string[] = [];
    const recovery = new Recovery({
      clock,
      random: () => 0.5,
      limit: 10_000,
      remove: ({ wireKey }) => {
        tried.push(wireKey);
        onTry(recovery);
        return Promise.reject(new Error('nobody is there'));
      },
      onRecovered: () => undefined,
      onOverflow: () => undefined,
    });
    for (let i = 0; i < 1500; i++) recovery.add({ key: `k${i}`, wireKey: `k${i}` }, Infinity);
    const pass = async (ms: number): Promise<void> => {
      clock.advance(ms);
      await new Promise((resolve) => setImmediate(resolve));
    };
    return { tried, pass };
  }

  it('are repeated a thousand at a time, first those that have waited longest', async () => {
    const { tried, pass } = failing();
    await pass(100);
    expect(new Set(tried).size).toBe(tried.length);
    expect(tried.length).toBeLessThan(1100);
    await pass(200);
    expect(new Set(tried).size).toBe(1500);
    expect(tried.length).toBeLessThan(2200);
  });

  it('are not repeated when their entry was replaced, or the cache closed, meanwhile', async () => {
    const replaced = failing((recovery) => { recovery.forget('k100'); });
    await replaced.pass(100);
    expect(replaced.tried).not.toContain('k100');
    expect(replaced.tried).toContain('k101');
    const closed = failing((recovery) => { recovery.close(); });
    await closed.pass(100);
    expect(closed.tried.length).toBeLessThan(100);
  });
});

describe('signals', () => {
  it('abortUnused holds for a load that a write of this process has detached', async () => {
    const fleet = new Fleet(1, 0, { abortUnused: true });
    const { cache } = fleet.processes[0]!;
    const controller = new AbortController();
    let signal: AbortSignal | undefined;
    const load = async (context: { signal: AbortSignal }): Promise<string> => {
      signal ??= context.signal;
      await fleet.clock.sleep(1000);
      return 'value';
    };
    const call = cache.get('k', load, { signal: controller.signal }).catch((error: unknown) => error);
    await fleet.clock.pass(100);
    await fleet.clock.until(cache.delete('k'));
    const other = cache.get('k', load);
    await fleet.clock.pass(100);
    controller.abort('gone');
    expect(await fleet.clock.until(call)).toBe('gone');
    expect(signal?.aborted).toBe(true);
    expect(await fleet.clock.until(other)).toBe('value');
    expect(cache.stats()).toMatchObject({ loads: 0, flights: 0, load: 2, 'late-load': 1 });
  });

  it.each([['all', 0], ['the first', 1]])('when %s of those who ask for an unreadable or an outdated value have gone, %i loader runs: that of the next', async (who, runs) => {
    const fleet = new Fleet(1, 0, { expire: 5, staleIfError: 60, earlyRefresh: 0 });
    const { cache, client, line } = fleet.processes[0]!;
    await fleet.clock.until(cache.get('outdated', () => 'old'));
    await fleet.clock.until(client.set('unreadable', 'value', { flags: 2 }));
    await fleet.clock.pass(seconds(7));
    line.delay = 20;
    for (const key of ['unreadable', 'outdated']) {
      const controller = new AbortController();
      const loads: string[] = [];
      const load = (name: string) => (): string => {
        loads.push(name);
        return name;
      };
      const first = cache.get(key, load('first'), { signal: controller.signal }).catch((error: unknown) => error);
      const others = who === 'all' ? [] : [cache.get(key, load('second'))];
      await fleet.clock.pass(10);
      controller.abort('gone');
      expect(await fleet.clock.until(Promise.all([first, ...others]))).toEqual(['gone', ...others.map(() => 'second')]);
      await fleet.clock.pass(100);
      expect(loads).toEqual(Array(runs).fill('second'));
      // The next one need not wait for a token that nobody uses.
      expect(await fleet.clock.until(cache.get(key, load('next')))).toBe(who === 'all' ? 'next' : 'second');
      await fleet.clock.pass(100);
    }
  });

  it.each(['set', 'invalidate', 'delete'] as const)('%s ends as soon as its signal fires', async (method) => {
    const fleet = new Fleet(1, 0, { stale: 30, tags: ['t'], recovery: 0 });
    const { cache, line } = fleet.processes[0]!;
    await fleet.herd(1, 'k');
    line.state = 'blackHole';
    const controller = new AbortController();
    const options = { signal: controller.signal };
    const call = (method === 'set' ? cache.set('k', 'new', options) : cache[method]('k', options)).catch((error: unknown) => error);
    await fleet.clock.pass(20);
    const sent = line.sent.length;
    controller.abort('gone');
    const before = fleet.clock.now();
    expect(await fleet.clock.until(call)).toBe('gone');
    expect(fleet.clock.now()).toBe(before);
    line.state = 'up';
    await fleet.clock.pass(3000);
    // What was not sent by then is never sent.
    expect(line.sent.length).toBe(sent);
    await expect(method === 'set' ? cache.set('k', 'new', options) : cache[method]('k', options)).rejects.toBe('gone');
  });
});

describe('a scope', () => {
  it('remembers for each key of a batch what became of that key', async () => {
    const fleet = new Fleet(1, 0);
    const scope = fleet.processes[0]!.cache.scope();
    const broken = new Error('broken');
    const batch = scope.getMany(['a', 'b'], () => ['A', broken]).catch((error: unknown) => error);
    expect(await fleet.clock.until(batch)).toBe(broken);
    const never = jest.fn(() => 'again');
    expect(await fleet.clock.until(scope.get('a', never))).toBe('A');
    expect(await fleet.clock.until(scope.get('b', never).catch((error: unknown) => error))).toBe(broken);
    expect(never).not.toHaveBeenCalled();
  });
});

describe('refreshes', () => {
  it('a reader that left the token to others asks for it when it turns out that it matters', async () => {
    const fleet = new Fleet(1, 10, { expire: 5, stale: 60, earlyRefresh: 0, maxBackground: 1 });
    await fleet.herd(1, 'k');
    await fleet.clock.pass(seconds(7));
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
    await fleet.clock.pass(seconds(4));
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

  it('a near cache lets some readers through shortly before the value expires', async () => {
    const fleet = new Fleet(1, 1000, { expire: 40, jitter: 0, earlyRefresh: 1, l1: { admit: 'all', ttl: seconds(60) } });
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

/** Begins a read of `k` that the server does not answer, and lets 50 ms pass; from then on each answer takes 80 ms. */
async function unansweredRead({ clock, database, processes: [process] }: Fleet): Promise<{ first: Promise<unknown> }> {
  database.mostAtOnce = 0;
  process!.line.state = 'blackHole';
  const first = process!.get('k');
  process!.line.state = 'up';
  await clock.pass(50);
  process!.line.delay = 80;
  return { first };
}

describe('loads of one key', () => {
  it('one at a time in a process, also when the place-holder ends a second early, as servers count them', async () => {
    const fleet = new Fleet(1, 5000, { lease: 2 });
    const first = fleet.processes[0]!.get('k');
    await fleet.clock.pass(1500);
    fleet.store.delete('k');
    const second = fleet.processes[0]!.get('k');
    expect(await fleet.clock.until(Promise.all([first, second]))).toEqual(['k@0', 'k@0']);
    expect(fleet.database.mostAtOnce).toBe(1);
    expect(fleet.count('joined')).toBe(1);
    await fleet.clock.pass(10);
    expect(fleet.store.find('k')).toBeUndefined();
  });

  it('also when the answer comes only after the place-holder has ended', async () => {
    const fleet = new Fleet(1, 5000, { lease: 3, cacheTimeout: 0 });
    const [process] = fleet.processes;
    const first = process!.get('k');
    await fleet.clock.pass(1900);
    process!.line.delay = 2000;
    const second = process!.get('k');
    fleet.store.delete('k');
    const third = process!.get('k');
    expect(await fleet.clock.until(Promise.all([first, second, third]))).toEqual(['k@0', 'k@0', 'k@0']);
    expect(fleet.database.mostAtOnce).toBe(1);
  });

  it('also when the place-holder was another process\'s, and was invalidated', async () => {
    const fleet = new Fleet(2, 5000, { lease: 10, stale: 30 });
    const [a, b] = fleet.processes;
    void a!.get('k');
    await fleet.clock.pass(100);
    a!.crash();
    await fleet.clock.pass(7400);
    await fleet.clock.until(b!.cache.invalidate('k'));
    const first = b!.get('k');
    await fleet.clock.pass(3500);
    expect(fleet.store.find('k')).toBeUndefined();
    const second = b!.get('k');
    expect(await fleet.clock.until(Promise.all([first, second]))).toEqual(['k@0', 'k@0']);
    // Another one was that of the process that has died.
    expect(fleet.database.loads).toBe(2);
  });

  it('a place-holder that somebody else has ended before is another matter: what was loaded may be outdated', async () => {
    const fleet = new Fleet(1, 5000, { lease: 3 });
    const first = fleet.processes[0]!.get('k');
    await fleet.clock.pass(1500);
    fleet.database.write('k');
    fleet.store.delete('k');
    const second = fleet.processes[0]!.get('k');
    expect(await fleet.clock.until(Promise.all([first, second]))).toEqual(['k@0', 'k@1']);
  });

  it.each(['nothing', 'an unreadable value', 'an outdated value'])('one at a time when the server is slow and another connection then finds %s', async (what) => {
    const fleet = new Fleet(1, 1000, { expire: 5, stale: 0, staleIfError: 60, earlyRefresh: 0, cacheTimeout: 100 });
    const [process] = fleet.processes;
    await fleet.clock.until(process!.get('other'));
    if (what === 'an unreadable value') await fleet.clock.until(process!.client.set('k', 'value', { flags: 2 }));
    if (what === 'an outdated value') {
      await fleet.clock.until(process!.get('k'));
      await fleet.clock.pass(seconds(7));
    }
    const before = fleet.database.loads;
    const { first } = await unansweredRead(fleet);
    const second = process!.get('k');
    expect(await fleet.clock.until(Promise.all([first, second]))).toEqual(['k@0', 'k@0']);
    expect(fleet.database.loads - before).toBe(1);
    expect(fleet.database.mostAtOnce).toBe(1);
    process!.line.delay = 0;
    // The lease or token that the second one got is for whoever comes next.
    expect(await fleet.clock.until(process!.get('k'))).toBe('k@0');
    expect(fleet.database.loads - before).toBe(2);
    await fleet.clock.pass(10);
    expect(await fleet.clock.until(process!.get('k'))).toBe('k@0');
    expect(fleet.database.loads - before).toBe(2);
  });

  it.each(['is down', 'has lost the place-holder'])('what was loaded before another process deleted it is not given to later callers when the server %s before the store is answered', async (how) => {
    const fleet = new Fleet(2, 100, { lease: 2 });
    const [a, b] = fleet.processes;
    const first = a!.get('k');
    await fleet.clock.pass(50);
    a!.line.delay = 3000;
    expect(await fleet.clock.until(first)).toBe('k@0');
    fleet.database.write('k');
    await fleet.clock.until(b!.cache.delete('k'));
    if (how === 'is down') a!.line.state = 'down';
    else {
      await fleet.clock.pass(2000);
      a!.line.delay = 0;
    }
    expect(await fleet.clock.until(a!.get('k'))).toBe('k@1');
    expect(fleet.database.mostAtOnce).toBe(1);
  });

  it.each([0, 1])('what was loaded before another process set it is not given to later callers, also when that value is outdated: stale %d', async (stale) => {
    const fleet = new Fleet(2, 5000, { expire: 1, stale, staleIfError: 60, earlyRefresh: 0 });
    const [process, other] = fleet.processes;
    const first = process!.get('k');
    await fleet.clock.pass(seconds(1));
    fleet.database.write('k');
    await fleet.clock.until(other!.cache.set('k', 'k@1'));
    await fleet.clock.pass(seconds(3));
    const second = process!.get('k');
    expect([await fleet.clock.until(first), await fleet.clock.until(second)]).toEqual(['k@0', 'k@1']);
  });

  it('what an impatient process loads is not given to those who ask after the place-holder was deleted', async () => {
    const fleet = new Fleet(3, 6000, { leaseWait: 1000 });
    const [holder, impatient, other] = fleet.processes;
    const calls = [holder!.get('k')];
    await fleet.clock.pass(10);
    calls.push(impatient!.get('k'));
    await fleet.clock.pass(seconds(2));
    expect(fleet.count('impatient')).toBe(1);
    fleet.database.write('k');
    await fleet.clock.until(other!.cache.delete('k'));
    calls.push(impatient!.get('k'));
    expect(await fleet.clock.until(Promise.all(calls))).toEqual(['k@0', 'k@0', 'k@1']);
  });

  it.each([1, 2])('what an impatient process loads is joined also after the place-holder has ended: %i such processes', async (others) => {
    const fleet = new Fleet(1 + others, 6000, { lease: 3, leaseWait: 1000 });
    const calls = [fleet.processes[0]!.get('k')];
    await fleet.clock.pass(10);
    for (let i = 0; i < 5; i++) {
      for (const process of fleet.processes.slice(1)) calls.push(process.get('k'));
      await fleet.clock.pass(seconds(1));
    }
    expect(new Set(await fleet.clock.until(Promise.all(calls)))).toEqual(new Set(['k@0']));
    expect(fleet.database.loads).toBe(1 + others);
  });

  it('what is loaded in place of what cannot be read is not given to those who ask after that was deleted', async () => {
    const fleet = new Fleet(2, 3000);
    const [process, other] = fleet.processes;
    await fleet.clock.until(other!.client.set('k', 'of another serde', { flags: 9999 }));
    const calls = [process!.get('k')];
    await fleet.clock.pass(seconds(1));
    fleet.database.write('k');
    await fleet.clock.until(other!.cache.delete('k'));
    calls.push(process!.get('k'));
    expect(await fleet.clock.until(Promise.all(calls))).toEqual(['k@0', 'k@1']);
  });

  it('a refresh is left to others while the key is being loaded without the cache', async () => {
    const fleet = new Fleet(1, 1000, { expire: 5, stale: 60, earlyRefresh: 0, cacheTimeout: 100 });
    const [process] = fleet.processes;
    await fleet.clock.until(process!.get('k'));
    await fleet.clock.pass(seconds(7));
    const { first } = await unansweredRead(fleet);
    expect(await fleet.clock.until(process!.get('k'))).toBe('k@0');
    await fleet.clock.until(first);
    expect(fleet.database.mostAtOnce).toBe(1);
    process!.line.delay = 0;
    await fleet.clock.until(process!.get('k'));
    await fleet.clock.pass(seconds(2));
    expect(fleet.count('refresh')).toBe(1);
  });

  it('an impatient process with nothing to store leaves the other one its lease', async () => {
    const fleet = new Fleet(2, 2000, { lease: 10, leaseWait: 100 });
    const [first, second] = fleet.processes;
    const loading = first!.get('k');
    await fleet.clock.pass(10);
    fleet.database.duration = 100;
    fleet.database.value = (key, version, load) => (load === 1 ? `${key}@${version}` : undefined);
    expect(await fleet.clock.until(second!.get('k'))).toBeUndefined();
    expect(await fleet.clock.until(loading)).toBe('k@0');
    await fleet.clock.pass(10);
    expect(await fleet.clock.until(second!.get('k'))).toBe('k@0');
    expect(fleet.database.loads).toBe(2);
  });
});

describe('waits', () => {
  it('who has waited for a load makes a lease that is longer than that', async () => {
    const fleet = new Fleet(8, 3000, { lease: 2, leaseWait: seconds(20) });
    const { values } = await fleet.herd(3, 'k');
    expect(new Set(values)).toEqual(new Set(['k@0']));
    expect(fleet.database.loads).toBeLessThanOrEqual(3);
    expect(fleet.database.mostAtOnce).toBeLessThanOrEqual(2);
    expect(fleet.store.find('k')).toBeDefined();
  });

  it('and never one that is shorter than the option says', async () => {
    const fleet = new Fleet(2, 1000, { lease: 10 });
    const [a, b] = fleet.processes;
    await fleet.clock.pass(seconds(60));
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

  it('one that ended with a load of this process leaves the key free for the next', async () => {
    const fleet = new Fleet(3, 0, { lease: 2, leaseWait: seconds(60) });
    const [a, b, c] = fleet.processes;
    const never = (): Promise<never> => new Promise(() => undefined);
    void a!.cache.get('k', never);
    await fleet.clock.pass(10);
    const impatient = b!.cache.get('k', async () => {
      await fleet.clock.sleep(seconds(10));
      return 'impatient';
    }, { leaseWait: 0 });
    await fleet.clock.pass(seconds(3));
    void c!.cache.get('k', never);
    await fleet.clock.pass(10);
    // It waits for another place-holder than the load of its process, and joins that when it asks again.
    const joined = b!.cache.get('k', () => 'in vain');
    expect(await fleet.clock.until(Promise.all([impatient, joined]))).toEqual(['impatient', 'impatient']);
    await fleet.clock.pass(seconds(3));
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
    const fleet = new Fleet(2, 0, { lease: 30, leaseWait: seconds(60), cacheTimeout: 50, ...circuit });
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
    await fleet.clock.pass(seconds(31));
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

  it.each(['a new key', 'an outdated value'])('do not end with what this process began to load of %s before another one deleted it', async (what) => {
    const fleet = new Fleet(2, 1000, { expire: 5, staleIfError: 60, earlyRefresh: 0, leaseWait: what === 'a new key' ? 100 : 2000 });
    const [a, b] = fleet.processes;
    if (what === 'an outdated value') {
      await fleet.clock.until(b!.get('k'));
      await fleet.clock.pass(seconds(10));
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
    await fleet.clock.pass(seconds(10));
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
    for (const length of [seconds(10), seconds(20), 1]) {
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

  it('what is done before a read is repeated counts against cacheTimeout', async () => {
    const fleet = new Fleet(2, 10, { expire: 600, tags: ['t'] });
    const [a, b] = fleet.processes;
    await fleet.herd(1, 'k');
    await fleet.clock.pass(seconds(3));
    await fleet.clock.until(a!.cache.invalidateTags('t'));
    await fleet.clock.pass(seconds(3));
    b!.line.onCommand = ({ verb }: Command<unknown>) => (verb === 'md' ? fleet.clock.sleep(5000) : undefined);
    const before = fleet.clock.now();
    expect(await fleet.clock.until(b!.get('k'))).toBe('k@0');
    expect(fleet.clock.now() - before).toBeLessThanOrEqual(120);
  });

  it('so do the versions of its tags', async () => {
    const fleet = new Fleet(1, 10, { expire: 600, tags: (value: unknown) => [String(value)] });
    const { cache, line } = fleet.processes[0]!;
    await fleet.clock.until(cache.set('k', 'v'));
    await fleet.clock.pass(seconds(3));
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
    await fleet.clock.pass(seconds(3));
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
    await fleet.clock.pass(seconds(5));
    process!.line.onCommand = ({ verb }: Command<unknown>) => (verb === 'ma' ? fleet.clock.sleep(700) : undefined);
    const before = fleet.clock.now();
    expect(await fleet.clock.until(process!.get('l', { cacheTimeout: 20 }))).toBe('l@0');
    expect(fleet.clock.now() - before).toBeLessThanOrEqual(50);
  });
});

describe('a namespace', () => {
  const options = { namespace: 'n', expire: 600, tagMaxAge: 1000 };

  it('costs nothing while the circuit is open', async () => {
    const fleet = new Fleet(1, 50, options);
    await fleet.herd(1, 'warm');
    fleet.processes[0]!.line.state = 'blackHole';
    await fleet.clock.pass(seconds(2));
    const times: number[] = [];
    for (let i = 0; i < 15; i++) times.push(max((await fleet.herd(1, `k${i}`)).times));
    expect(max(times)).toBeLessThanOrEqual(160);
    expect(max(times.slice(5))).toBeLessThanOrEqual(60);
  });

  it('costs no trip of its own for those who read all the time', async () => {
    const fleet = new Fleet(2, 0, options);
    const [process, other] = fleet.processes;
    await fleet.herd(1, 'k');
    await fleet.clock.pass(10);
    process!.line.delay = 8;
    const times: number[] = [];
    for (let i = 0; i < 100; i++) {
      const before = fleet.clock.now();
      await fleet.clock.until(process!.get('k'));
      times.push(fleet.clock.now() - before);
      await fleet.clock.pass(50);
    }
    expect(max(times)).toBe(8);
    fleet.database.write('k');
    await fleet.clock.until(other!.cache.invalidateNamespace());
    await fleet.clock.pass(1010);
    expect(await fleet.clock.until(process!.get('k'))).toBe('k@1');
  });
});

describe('trouble', () => {
  it('with no turn for a load, a value of the near cache past its time is served at once', async () => {
    const fleet = new Fleet(1, 10, { expire: 600, maxLoads: 1, l1: { admit: 'all', ttl: 100, staleIfError: seconds(60) } });
    const [process] = fleet.processes;
    await fleet.herd(1, 'k');
    await fleet.clock.pass(seconds(1));
    process!.line.state = 'down';
    fleet.database.duration = 5000;
    const slow = process!.get('slow');
    await fleet.clock.pass(10);
    const before = fleet.clock.now();
    expect(await fleet.clock.until(process!.get('k'))).toBe('k@0');
    expect(fleet.clock.now() - before).toBeLessThanOrEqual(10);
    expect(fleet.count('error-hit')).toBe(1);
    expect(await fleet.clock.until(slow)).toBe('slow@0');
  });

  it.each([[0, 'the database is down'], [60_000, 'k@0']])('l1.validate: without the server an entry is a last resort for staleIfError %i after it was confirmed', async (staleIfError, result) => {
    const fleet = new Fleet(2, 0, { expire: 600, l1: { validate: true, admit: 'all', staleIfError } });
    const [process, other] = fleet.processes;
    const get = (): Promise<unknown> => fleet.clock.until(process!.get('k').catch((error: unknown) => (error as Error).message));
    for (let i = 0; i < 3; i++) expect(await get()).toBe('k@0');
    await fleet.clock.pass(seconds(100));
    expect(await get()).toBe('k@0');
    expect(fleet.count('l1-hit')).toBe(2);
    fleet.database.write('k');
    await fleet.clock.until(other!.cache.delete('k'));
    await fleet.clock.pass(seconds(50));
    process!.line.state = 'down';
    fleet.database.value = () => {
      throw new Error('the database is down');
    };
    expect(await get()).toBe(result);
    await fleet.clock.pass(seconds(11));
    expect(await get()).toBe('the database is down');
  });

  it('a value that the server refuses frees the place that was held for it', async () => {
    const refusing = (next: Executor): Executor => ({
      execute: (command, options) =>
        command.verb === 'ms' ? Promise.reject(new MemcacheServerError('object too large for cache', { certainty: 'executed' })) : next.execute(command, options),
      close: () => next.close(),
    });
    const fleet = new Fleet(1, 10, {}, (client) => new Client(refusing(client.executor), client.options));
    expect((await fleet.herd(2, 'k')).values).toEqual(['k@0', 'k@0']);
    await fleet.clock.pass(10);
    expect(fleet.store.find('k')).toBeUndefined();
    expect(fleet.processes[0]!.cache.stats()).toMatchObject({ 'store-error': 1, released: 1 });
  });

  it('close leaves no timer, also while deletions are being repeated', async () => {
    const fleet = new Fleet(1, 0);
    const { cache, line } = fleet.processes[0]!;
    await fleet.herd(1, 'k');
    line.state = 'blackHole';
    await fleet.clock.until(cache.delete('k').catch(() => undefined));
    await fleet.clock.pass(300);
    await fleet.clock.until(cache.close());
    await fleet.clock.pass(seconds(5));
    // The server's own.
    expect(fleet.clock.timers).toBe(1);
  });
});

describe('l1.ttl counts from the moment at which the server was asked', () => {
  // As for a process that was stopped after it had asked: the answer is there when it goes on, and may be old.
  it.each<[string, (verb: string) => boolean]>([
    ['for what it has', (verb) => verb === 'mg'],
    ['to store what was loaded', (verb) => verb === 'ms'],
  ])('%s', async (_, isLate) => {
    const fleet = new Fleet(2, 10, { expire: 600, cacheTimeout: 0, l1: { admit: 'all', ttl: 1000 } });
    const [process, other] = fleet.processes;
    if (isLate('mg')) await fleet.clock.until(other!.get('k'));
    process!.line.onCommand = ({ verb }) => (isLate(verb) ? fleet.clock.sleep(5000) : undefined);
    const call = process!.get('k');
    await fleet.clock.pass(1000);
    fleet.database.write('k');
    await fleet.clock.until(other!.cache.delete('k'));
    await fleet.clock.pass(4100);
    await call;
    process!.line.onCommand = () => undefined;
    expect(await fleet.clock.until(process!.get('k'))).toBe('k@1');
    expect(fleet.count('l1-hit')).toBe(0);
  });
});

describe('l1.broadcast', () => {
  it('a write is seen at once by the near caches of other threads', async () => {
    const store = new MemoryStore();
    const options = { expire: 600, l1: { admit: 'all', ttl: seconds(60), broadcast: true } } as const;
    // A channel does not tell threads from other users of it in the same one.
    const [a, b, deaf] = [options, options, { ...options, l1: { ...options.l1, broadcast: false } }].map((each) => new ReadThroughCache(new EmbeddedClient(store), each));
    const read = (): Promise<unknown[]> => Promise.all([a, b, deaf].map((cache) => cache!.get('k', () => 'loaded')));
    await read();
    expect(await read()).toEqual(['loaded', 'loaded', 'loaded']);
    await a!.set('k', 'written');
    // Messages come with the event loop.
    while ((await b!.get<string>('k', () => 'again')) !== 'written') await new Promise((resolve) => setImmediate(resolve));
    expect(await read()).toEqual(['written', 'written', 'loaded']);
    await Promise.all([a!.close(), b!.close()]);
    expect(b!.stats()['l1-entries']).toBe(0);
    await Promise.all([a, b, deaf].map((cache) => cache!.close()));
  });
});
