import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { Client, MemcacheClientError, MemcacheConnectError, MemcacheUnknownCommandError, type ClientOptions } from '../../src';
import { ReadThroughCache, type CacheOptions } from '../../src/cache';
import { MemcachedServer } from '../../src/server';
import { VirtualClock } from '../support/virtual-clock';
import { Fleet } from './support/fleet';

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

  it('softTimeout leaves no timer behind when the value comes first, however often it was asked for', async () => {
    const fleet = new Fleet(2, 10, { expire: 5, staleIfError: 60, earlyRefresh: 0, softTimeout: 5000 });
    await fleet.herd(1, 'k');
    await fleet.clock.pass(7000);
    fleet.database.duration = 300;
    fleet.database.write('k');
    expect((await fleet.herd(1, 'k')).values).toEqual(['k@1', 'k@1']);
    expect(fleet.count('lease-wait')).toBeGreaterThan(2);
    await fleet.clock.pass(100);
    expect(fleet.clock.held).toBe(0);
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

  it('what a first question has taken of cacheTimeout the next one has not: an entry whose tag has changed', async () => {
    const fleet = new Fleet(2, 0, { expire: 600, tags: ['t'], tagMaxAge: 0, cacheTimeout: 100 });
    const [a, b] = fleet.processes;
    await fleet.clock.until(a!.get('k'));
    await fleet.clock.until(b!.get('k'));
    await fleet.clock.until(a!.cache.invalidateTags('t'));
    b!.line.onCommand = ({ verb }) => (verb === 'mg' || verb === 'md' ? fleet.clock.sleep(60) : undefined);
    const start = fleet.clock.now();
    expect(await fleet.clock.until(b!.get('k'))).toBe('k@0');
    expect(fleet.clock.now() - start).toBeLessThanOrEqual(101);
  });

  it('what a first question has taken of cacheTimeout the next one has not: an entry that has changed, with validate', async () => {
    const fleet = new Fleet(2, 0, { l1: { admit: 'all', validate: true }, expire: 600, cacheTimeout: 100 });
    const [a, b] = fleet.processes;
    for (let i = 0; i < 2; i++) await fleet.clock.until(a!.get('k'));
    await fleet.clock.until(b!.cache.set('k', 'other'));
    a!.line.onCommand = ({ verb }) => (verb === 'mg' ? fleet.clock.sleep(60) : undefined);
    const start = fleet.clock.now();
    expect(await fleet.clock.until(a!.get('k'))).toBe('k@0');
    expect(fleet.clock.now() - start).toBeLessThanOrEqual(101);
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

it.each([{ stale: 2 ** 31 - 1 }, { staleIfError: 2 ** 31 - 1 }])('%j: a value is fresh for as long as `expire` says, however long it may be stale', async (options) => {
  const fleet = new Fleet(1, 30, { expire: 60, ...options });
  const { cache } = fleet.processes[0]!;
  await fleet.herd(1, 'k');
  await fleet.clock.pass(50_000);
  await fleet.herd(1, 'k');
  expect(cache.stats()).toMatchObject({ load: 1, refresh: 0, hit: 1, 'stale-hit': 0 });
  // Years later it is still there.
  await fleet.clock.pass(4 * 365 * 24 * 3600 * 1000);
  if (options.staleIfError !== undefined) {
    fleet.database.value = () => {
      throw new Error('the database fails');
    };
  }
  expect((await fleet.herd(1, 'k')).values).toEqual(['k@0']);
  expect(cache.stats()).toMatchObject({ [options.staleIfError === undefined ? 'stale-hit' : 'error-hit']: 1 });
});
