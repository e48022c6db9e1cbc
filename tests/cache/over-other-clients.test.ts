import { once } from 'node:events';
import { createServer } from 'node:net';
import { Client, FallbackClient, HashClient, MemcacheUnknownCommandError, RetryingClient } from '../../src';
import { ReadThroughCache, type CacheOptions } from '../../src/cache';
import { Reply } from '../../src/cache/exchange/reply';
import { connectSocket, type Connect, type Transport } from '../../src/client/wire/transport';
import { EmbeddedClient, MemoryStore } from '../../src/embedded';
import { MemcachedServer } from '../../src/server';
import { turns } from '../support/virtual-clock';
import { Before, Gone } from './support/executors';
import { Fleet } from './support/fleet';

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
    while (cache.stats().load === 0) await turns(1);
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

describe('over other clients', () => {
  it('a FallbackClient reads from the older cache before it makes a place in the first', async () => {
    const [first, second] = [new EmbeddedClient(), new EmbeddedClient()];
    const client = new FallbackClient<import('../../src').CacheValue>([first, second]);
    await second.set('old', 'from the older');
    const cache = new ReadThroughCache(client);
    const load = jest.fn(() => 'loaded');
    expect(await cache.get('old', load)).toBe('from the older');
    expect(load).not.toHaveBeenCalled();
    expect(await first.get('old')).toBeUndefined();
    expect(await cache.get('new', load)).toBe('loaded');
    await cache.close();
    expect(await first.get('new')).toBe('loaded');
    expect(await cache.get('new', load)).toBe('loaded');
    expect(load).toHaveBeenCalledTimes(1);
    await client.close();
  });

  it.each(['first', 'older'])('who read at once what the %s cache of a FallbackClient has get an object each', async (where) => {
    const [first, older] = [new EmbeddedClient(), new EmbeddedClient()];
    await (where === 'first' ? first : older).set('k', { n: 1 });
    const cache = new ReadThroughCache(new FallbackClient<import('../../src').CacheValue>([first, older]));
    // By now it is known what the servers can do.
    const read = (): Promise<unknown> => cache.get('k', () => 'loaded');
    expect(await read()).toEqual({ n: 1 });
    const values = await Promise.all([read(), read(), read(), read()]);
    expect(values).toEqual(Array(4).fill({ n: 1 }));
    expect(new Set(values).size).toBe(4);
  });

  it.each<[string, CacheOptions]>([
    ['entries', {}],
    ['counters', { namespace: 'shop', tagMaxAge: 0 }],
  ])('a server whose keys went to another while it was probed is probed again: %s', async (_, options) => {
    let owner = 'a';
    const fleet = new Fleet(1, 0, { ...options, expire: 600, circuit: { failures: 1, pause: 1000 } }, (client) => Object.assign(client, { serverFor: () => owner }));
    const { cache, line } = fleet.processes[0]!;
    const read = (): Promise<unknown> => fleet.clock.until(cache.get('k', () => 'v'));
    await read();
    await fleet.clock.pass(10);
    line.state = 'down';
    await read();
    await fleet.clock.pass(1100);
    // A HashClient takes a server that is dead out of the ring before the call that has found out is rejected.
    const admitted = read();
    owner = 'b';
    await admitted;
    line.state = 'up';
    owner = 'a';
    await fleet.clock.pass(5000);
    await read();
    await fleet.clock.pass(10);
    const { hit } = cache.stats();
    await read();
    expect(cache.stats().hit).toBe(hit + 1);
  });

  it.each([
    ['HashClient', (cluster: Client): Client => cluster],
    ['RetryingClient', (cluster: Client): Client => new RetryingClient(cluster)],
    ['FallbackClient', (cluster: Client): Client => new FallbackClient([cluster, new Client(new Gone())])],
  ])('%s: one server of a cluster that is down opens no circuit of the others', async (_, around) => {
    const servers = await Promise.all([MemcachedServer.start(), MemcachedServer.start()]);
    const [down, up] = servers.map(({ address }) => address) as [string, string];
    const cluster = new HashClient([down, up], { retryAttempts: 1000 });
    const client = around(cluster);
    const cache = new ReadThroughCache(client, { cacheTimeout: 5000 });
    const keysOf = (server: string): string[] => Array.from({ length: 40 }, (_each, i) => `k${i}`).filter((key) => cluster.serverFor(key) === server).slice(0, 8);
    for (const key of [...keysOf(down), ...keysOf(up)]) await cache.get(key, () => 1);
    await cache.close();
    await servers[0].close();
    for (const key of keysOf(down)) expect(await cache.get(key, () => 2)).toBe(2);
    expect(cache.stats()['circuit-open']).toBe(1);
    const load = jest.fn(() => 2);
    for (const key of keysOf(up)) expect(await cache.get(key, load)).toBe(1);
    expect(load).not.toHaveBeenCalled();
    await Promise.all([client.close(), cluster.close()]);
    await servers[1].close();
  });

  it.each<[string, boolean, CacheOptions]>([
    ['of one server', false, {}],
    ['of one server', false, { namespace: 'n' }],
    ['of one of two servers', true, {}],
    ['of one of two servers', true, { namespace: 'n' }],
    // So many that the counter of one of them is on the slow server.
    ['of one of two servers', true, { tags: Array.from({ length: 15 }, (_unused, i) => `t${i}`) }],
  ])('the first connection %s takes nothing of cacheTimeout (several: %p): %j', async (_, several, options) => {
    const servers = await Promise.all([MemcachedServer.start(), MemcachedServer.start()]);
    const [slow, quick] = servers.map(({ address }) => address) as [string, string];
    const connect: Connect = (address, settings, handler) => {
      if (address.name !== slow) return connectSocket(address, settings, handler);
      let transport: Transport | undefined;
      const timer = setTimeout(() => { transport = connectSocket(address, settings, handler); }, 500);
      return {
        write: (text) => { transport?.write(text); },
        cork: () => { transport?.cork(); },
        uncork: () => { transport?.uncork(); },
        get backlog() { return transport?.backlog ?? 0; },
        destroy: () => {
          clearTimeout(timer);
          transport?.destroy();
        },
        ref: () => { transport?.ref(); },
        unref: () => { transport?.unref(); },
      };
    };
    const clients = [1, 2, 3].map(() => (several ? new HashClient([slow, quick], { connect }) : new Client(slow, { connect })));
    const places = new HashClient([slow, quick]);
    let key = 'k';
    while (places.serverFor(key) !== slow) key += 'k';
    const load = jest.fn(() => new Promise((resolve) => { setTimeout(resolve, 50, 'v'); }));
    const caches = clients.map((client) => new ReadThroughCache(client, { cacheTimeout: 200, ...options }));
    expect(await Promise.all(caches.map((cache) => cache.get(key, load as never)))).toEqual(['v', 'v', 'v']);
    expect(load).toHaveBeenCalledTimes(1);
    // Nor do writes, which ask for versions first, give up before there is one.
    const writer = several ? new HashClient([slow, quick], { connect }) : new Client(slow, { connect });
    expect(await new ReadThroughCache(writer, { cacheTimeout: 200, ...options }).set(key, 'set')).toBe(true);
    // Nor do reads whose entry is on a server that is connected, and whose versions are not.
    let quickKey = 'k';
    while (places.serverFor(quickKey) === slow && several) quickKey += 'k';
    expect(await caches[0]!.set(quickKey, 'set')).toBe(true);
    const reader = several ? new HashClient([slow, quick], { connect }) : new Client(slow, { connect });
    expect(await new ReadThroughCache(reader, { cacheTimeout: 200, ...options }).get(quickKey, () => 'loaded')).toBe('set');
    clients.push(writer, reader);
    for (const cache of caches) await cache.close();
    await Promise.all([...clients, places].map((client) => client.close()));
    await Promise.all(servers.map((server) => server.close()));
  });

  it('prefixes and plain clients: 37', async () => {
    const store = new MemoryStore();
    const client = new EmbeddedClient(store, { keyPrefix: 'app:' });
    const cache = new ReadThroughCache(client, { expire: 60 });
    await cache.get('k', () => ({ a: 1 }));
    await cache.close();
    expect(await client.get('k')).toEqual({ a: 1 });
    expect(await new EmbeddedClient(store).get('app:k')).toEqual({ a: 1 });
    await cache.get('e', () => ({ a: 1 }), { tags: ['t'] });
    await cache.close();
    await expect(client.get('e')).rejects.toMatchObject({ code: 'MEMCACHE_SERDE' });
    await client.close();
  });
});
