import { Client, FallbackClient, MemcacheUnknownCommandError, type Executor } from '../../src';
import { ReadThroughCache, type CacheOptions } from '../../src/cache';
import { abilitiesOf } from '../../src/cache/exchange/version-probe';
import { EmbeddedClient, MemoryStore } from '../../src/embedded';
import { systemClock } from '../../src/runtime/clock';
import { MemcachedServer } from '../../src/server';
import { Fleet, type Process } from './support/fleet';

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

  it('they are asked for their version once a minute, and used as what they are then', async () => {
    let upgraded = false;
    let asked = 0;
    const fleet = new Fleet(1, 0, { expire: 600 }, (client) => {
      const before = new Old(client.executor);
      const execute: Executor['execute'] = (command, options) => {
        if (command.verb === 'version') asked++;
        return upgraded ? client.executor.execute(command, options) : before.execute(command as never, options as never);
      };
      return new Client({ execute, close: () => client.executor.close() }, client.options);
    });
    const { line } = fleet.processes[0]!;
    for (let second = 0; second < 59; second++) {
      await fleet.herd(1, 'k');
      await fleet.clock.pass(1000);
    }
    expect([asked, line.sent.includes('mg')]).toEqual([1, false]);
    upgraded = true;
    for (let second = 0; second < 3; second++) {
      await fleet.herd(1, 'k');
      await fleet.clock.pass(1000);
    }
    expect([asked, line.sent.includes('mg')]).toEqual([2, true]);
  });

  it('so are servers that have leases and take no CAS numbers of others', async () => {
    let version = '1.6.26';
    const fleet = new Fleet(1, 0, { expire: 600 }, (client) => {
      const execute: Executor['execute'] = (command, options) => (command.verb === 'version' ? Promise.resolve(new Map([['a', version]]) as never) : client.executor.execute(command, options));
      return new Client({ execute, close: () => client.executor.close() }, client.options);
    });
    const [process] = fleet.processes;
    const digits = async (key: string): Promise<number | undefined> => {
      await fleet.clock.until(process!.get(key));
      await fleet.clock.pass(10);
      return (await process!.client.gets(key))[1]?.length;
    };
    expect(await digits('before')).toBeLessThan(18);
    version = '1.6.27';
    await fleet.clock.pass(61_000);
    // This one asks, in the background.
    await digits('meanwhile');
    expect(await digits('after')).toBeGreaterThanOrEqual(18);
  });

  it.each([[['1.4.39', '1.6.45']], [['1.6.45', '1.4.39']], [['1.6.9']], [['nonsense']]])('all servers are taken for what the oldest of them is: %j', (versions) => {
    expect(abilitiesOf(versions)).toEqual({ leases: false, ownCas: false });
  });

  it('the key of an outdated entry is too long for the mark of its refresher: it is refreshed all the same', async () => {
    const key = 'k'.repeat(249);
    const fleet = fleetOf(1, 0, { expire: 5, stale: 60, earlyRefresh: 0 });
    await fleet.herd(1, key);
    await fleet.clock.pass(7000);
    fleet.database.write(key);
    await fleet.herd(1, key);
    await fleet.clock.pass(10);
    expect((await fleet.herd(1, key)).values).toEqual([`${key}@1`]);
    expect(fleet.count('cache-error')).toBe(0);
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
