import { BroadcastChannel } from 'node:worker_threads';
import { Client } from '../../src';
import { ReadThroughCache } from '../../src/cache';
import { EmbeddedClient, MemoryStore } from '../../src/embedded';
import { Fleet } from './support/fleet';

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

  it('a read that came to the server before a deletion by this process leaves nothing behind, although it began after it', async () => {
    const fleet = new Fleet(1, 0, { l1, expire: 600 }, (client) => new Client({
      execute: async (command, options) => {
        if (command.verb === 'delete') await fleet.clock.sleep(20);
        return client.executor.execute(command, options);
      },
      close: () => client.executor.close(),
    }, client.options));
    const [process] = fleet.processes;
    await fleet.herd(1, 'k');
    fleet.database.write('k');
    const deleted = process!.cache.delete('k');
    await fleet.clock.pass(10);
    expect(await fleet.clock.until(process!.get('k'))).toBe('k@0');
    expect(await fleet.clock.until(deleted)).toBe(true);
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

  it('validate: a CAS of the server’s own proves nothing, as a server that was started anew gives it again', async () => {
    const [before, after] = [new EmbeddedClient(), new EmbeddedClient()];
    await before.set('k', 'old');
    await after.set('k', 'new');
    expect((await before.gets('k'))[1]).toBe((await after.gets('k'))[1]);
    let server = before;
    const client = new Client({ execute: (command, options) => server.executor.execute(command, options), close: () => Promise.resolve() });
    const cache = new ReadThroughCache(client, { expire: 600, l1: { admit: 'all', validate: true } });
    const read = (): Promise<unknown> => cache.get('k', () => 'loaded');
    expect([await read(), await read()]).toEqual(['old', 'old']);
    expect(cache.stats()['l1-entries']).toBe(1);
    server = after;
    expect(await read()).toBe('new');
    await cache.close();
    await Promise.all([before, after].map((each) => each.close()));
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

  it('staleIfError: with validate it counts from when the value was last confirmed, however long its life is', async () => {
    const fleet = new Fleet(1, 0, { l1: { admit: 'all', validate: true, staleIfError: 1000 }, expire: 600 });
    const [process] = fleet.processes;
    for (let i = 0; i < 3; i++) {
      await fleet.clock.until(process!.get('k'));
      await fleet.clock.pass(2000);
    }
    await fleet.clock.until(process!.get('k'));
    expect(process!.cache.stats()['l1-hit']).toBeGreaterThan(0);
    process!.line.state = 'down';
    fleet.database.value = () => {
      throw new Error('the loader failed');
    };
    await fleet.clock.pass(900);
    expect(await fleet.clock.until(process!.get('k'))).toBe('k@0');
    await fleet.clock.pass(200);
    await expect(fleet.clock.until(process!.get('k'))).rejects.toThrow('the loader failed');
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
    const options = { expire: 600, l1: { admit: 'all', ttl: 60_000, broadcast: true } } as const;
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

  it('what another thread writes while a load is being stored here leaves nothing of that load behind', async () => {
    const store = new MemoryStore();
    const options = { expire: 600, l1: { admit: 'all', ttl: 60_000, broadcast: true } } as const;
    const other = new ReadThroughCache(new EmbeddedClient(store), options);
    const embedded = new EmbeddedClient(store);
    const writes = new BroadcastChannel('tsmemcache:l1');
    const cache = new ReadThroughCache(
      new Client({
        execute: async (command, call) => {
          const result = await embedded.executor.execute(command, call);
          if (command.verb !== 'ms') return result;
          // It is stored, and the answer is yet to come.
          const told = new Promise((resolve) => (writes.onmessage = resolve));
          await other.set('k', 'written');
          await told;
          await new Promise((resolve) => setTimeout(resolve, 20));
          return result;
        },
        close: () => embedded.executor.close(),
      }, embedded.options),
      options,
    );
    expect(await cache.get('k', () => 'loaded')).toBe('loaded');
    while (cache.stats().stored === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(await cache.get('k', () => 'again')).toBe('written');
    await Promise.all([cache.close(), other.close()]);
    writes.close();
  });
});
