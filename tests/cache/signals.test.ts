import { getEventListeners } from 'node:events';
import { ReadThroughCache } from '../../src/cache';
import { Fleet } from './support/fleet';

it('a signal that outlives its calls keeps nothing of them', async () => {
  const fleet = new Fleet(1, 10, { expire: 600 });
  const { signal } = new AbortController();
  for (let i = 0; i < 2; i++) await fleet.clock.until(fleet.processes[0]!.get('k', { signal }));
  await expect(fleet.clock.until(fleet.processes[0]!.cache.get('broken', () => Promise.reject(new Error('broken')), { signal }))).rejects.toThrow('broken');
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
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
    await fleet.clock.pass(7000);
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

  it('that of a loader that first reads it when its time is up has fired', async () => {
    const fleet = new Fleet(1, 0, { loadTimeout: 50 });
    const { cache } = fleet.processes[0]!;
    let signal: AbortSignal | undefined;
    const read = cache.get('k', async (context) => {
      await fleet.clock.sleep(100);
      signal = context.signal;
      return 'v';
    });
    const error = await fleet.clock.until(read.catch((reason: unknown) => reason));
    expect(error).toMatchObject({ code: 'MEMCACHE_LOAD_TIMEOUT' });
    await fleet.clock.pass(100);
    expect(signal?.aborted).toBe(true);
    expect(signal?.reason).toBe(error);
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
