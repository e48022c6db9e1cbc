/** A server that has no place for all the connections that a pool may have: those that work are used, and the rest is tried seldom. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { HashClient, MemcacheTimeoutError, PooledClient, RawSerde, type PooledClientOptions } from '../../src';
import { MemcachedServer } from '../../src/server';
import { failure } from '../support/contract';
import { memcachedBinary, startMemcached } from '../support/memcached';
import { ScriptedServer } from '../support/scripted-server';
import { turns, VirtualClock } from '../support/virtual-clock';

const PLACES = 4;

type Make = (address: string, options?: PooledClientOptions) => PooledClient | HashClient;
const kinds: readonly (readonly [string, Make])[] = [
  ['PooledClient', (address, options) => new PooledClient(address, options)],
  ['PooledClient that fails fast', (address, options) => new PooledClient(address, { retryTimeout: 1000, ...options })],
  ['HashClient of pools', (address, options) => new HashClient([address], { usePooling: true, ...options })],
];

interface Served {
  readonly address: string;
  stop(): Promise<void>;
}

const servers: (readonly [string, (() => Promise<Served>) | undefined])[] = [
  ['the embedded server', async () => {
    const server = await MemcachedServer.start({ maxConnections: PLACES });
    return { address: server.address, stop: () => server.close() };
  }],
  ['a server that leaves the other connections unanswered, as memcached before 1.6.9', startSilentlyFull],
  ['memcached', memcachedBinary() === undefined ? undefined : startFullMemcached],
];

/** It takes a connection only when another one is closed; until then the system alone knows of it. */
async function startSilentlyFull(): Promise<Served> {
  const behind = await MemcachedServer.start();
  const waiting = new Set<Socket>();
  let places = PLACES;
  const serve = (socket: Socket): void => {
    places--;
    waiting.delete(socket);
    const onwards = connect(behind.port, '127.0.0.1');
    onwards.on('error', () => socket.destroy()).pipe(socket).pipe(onwards);
    socket.on('close', () => {
      onwards.destroy();
      places++;
      const [next] = waiting;
      if (next !== undefined) serve(next);
    });
  };
  const server = createServer((socket) => {
    waiting.add(socket.on('error', () => undefined).on('close', () => waiting.delete(socket)));
    if (places > 0) serve(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: async () => {
      server.close();
      await behind.close();
    },
  };
}

/** How many connections memcached has, as it tells over one of them, and whether it takes more. */
async function connectionsOf(socket: Socket): Promise<{ count: number; takesMore: boolean }> {
  let answer = '';
  socket.write('stats\r\n');
  while (!answer.endsWith('END\r\n')) answer += String((await once(socket, 'data'))[0]);
  return { count: Number(/^STAT curr_connections (\d+)/m.exec(answer)?.[1]), takesMore: answer.includes('STAT accepting_conns 1\r\n') };
}

/** With so few places memcached itself has no file left to start with, so all others are taken here. */
async function startFullMemcached(): Promise<Served> {
  const memcached = await startMemcached(['-c', '40', '-t', '1']);
  const witness = connect(memcached.port, '127.0.0.1');
  const taken: Socket[] = [];
  for (;;) {
    const socket = connect(memcached.port, '127.0.0.1');
    let answer: string | undefined;
    socket.on('error', () => undefined).once('data', (data) => (answer = String(data)));
    socket.write('version\r\n');
    // It is full when it answers others, and not this one.
    for (let i = 0; answer === undefined && i < 20; i++) {
      await connectionsOf(witness);
      await sleep(i);
    }
    if (answer?.startsWith('VERSION') !== true) {
      socket.destroy();
      break;
    }
    taken.push(socket);
  }
  const { count: full } = await connectionsOf(witness);
  for (const socket of taken.splice(0, PLACES)) socket.destroy();
  for (;;) {
    const { count, takesMore } = await connectionsOf(witness);
    if (count <= full - PLACES && takesMore) break;
    await sleep(5);
  }
  return {
    address: memcached.address,
    stop: async () => {
      for (const socket of [witness, ...taken]) socket.destroy();
      await memcached.stop();
    },
  };
}

describe.each(servers)('%s with places for four connections', (_, start) => {
  (start === undefined ? it.skip.each(kinds) : it.each(kinds))('%s: of 3000 calls by 30 callers none fails', async (_kind, make) => {
    const server = await start?.() ?? { address: '', stop: () => Promise.resolve() };
    const client = make(server.address, { maxPoolSize: 16, timeout: 10_000 });
    const failures: unknown[] = [];
    await Promise.all(
      Array.from({ length: 30 }, async (_caller, caller) => {
        for (let i = 0; i < 100; i++) {
          const call = i % 3 === 0 ? client.set(`${caller}`, i) : i % 3 === 1 ? client.get(`${caller}`) : client.incr(`${caller}`);
          await call.catch((error: unknown) => failures.push(error));
          if (i % 10 === 0) await sleep(1);
        }
      }),
    );
    expect(failures).toEqual([]);
    const [metrics] = client.metrics().values();
    // The pool may have dialled for all of its connections at first.
    expect(metrics?.connects).toBeLessThan(40);
    expect(await client.get('0')).toBe(99);
    if (client instanceof HashClient) expect(client.servers()).toMatchObject([{ state: 'healthy' }]);
    await client.close();
    await server.stop();
  });
});

describe.each(servers)('%s with places for four connections', (_, start) => {
  (start === undefined ? it.skip.each(kinds) : it.each(kinds))('%s: calls one by one, from the first on, are all answered, and none waits', async (_kind, make) => {
    const server = await start?.() ?? { address: '', stop: () => Promise.resolve() };
    // Its time stands still: a call that waited for some of it would wait for ever.
    const client = make(server.address, { maxPoolSize: 8, clock: new VirtualClock() });
    const calls: Promise<unknown>[] = [];
    for (let i = 0; i < 400; i++) {
      calls.push(i % 2 === 0 ? client.set(`k${i}`, i) : client.get('k'));
      if (i % 3 === 0) await new Promise(setImmediate);
    }
    await Promise.all(calls);
    const [metrics] = client.metrics().values();
    // What asks whether a connection is served is nobody's call.
    expect(metrics?.calls).toEqual({ set: 200, get: 200 });
    expect(metrics?.latency.count).toBe(400);
    await client.close();
    await server.stop();
  });
});

describe('a server without a place', () => {
  let server: MemcachedServer;
  beforeEach(async () => {
    server = await MemcachedServer.start({ maxConnections: 2 });
  });
  afterEach(() => server.close());

  it('where none works, says so, and nothing was executed', async () => {
    const [first, second] = [new PooledClient(server.address), new PooledClient(server.address)];
    await Promise.all([first.version(), second.version()]);
    const third = new PooledClient(server.address);
    expect(await failure(third.incr('k'))).toMatchObject({ code: 'MEMCACHE_SERVER_ERROR', message: 'Too many open connections', certainty: 'notSent', command: 'incr' });
    await first.close();
    while (server.metrics.connections.open > 1) await sleep(1);
    expect(await third.get('k')).toBeUndefined();
    await Promise.all([second.close(), third.close()]);
  });

  it('while others work gets no call that waits when the pool is closed', async () => {
    for (let round = 0; round < 20; round++) {
      const client = new PooledClient(server.address, { maxPoolSize: 6 });
      const calls: Promise<unknown>[] = [client.set('k', 0)];
      await calls[0];
      for (let i = 0; i < 12; i++) {
        calls.push(client.set('k', 'x'.repeat(20_000)));
        await new Promise(setImmediate);
      }
      calls.push(client.get('k'), client.get('k'));
      const closed = client.close();
      await Promise.all(calls);
      await closed;
    }
  });

  /** Calls that would use more connections than one. */
  async function load(client: PooledClient): Promise<void> {
    const calls: Promise<unknown>[] = [];
    for (let i = 0; i < 6; i++) {
      calls.push(client.get('k'));
      await new Promise(setImmediate);
    }
    await Promise.all(calls);
  }

  it('is asked for one ever more seldom', async () => {
    const other = new PooledClient(server.address);
    await other.version();
    const clock = new VirtualClock();
    const client = new PooledClient(server.address, { maxPoolSize: 3, clock });
    for (let i = 0; i < 10; i++) await load(client);
    const tries = (): number => client.metrics().get(server.address)?.connects ?? 0;
    const before = tries();
    for (let i = 0; i < 120; i++) {
      await load(client);
      await clock.advance(250);
    }
    // After 250 ms, then 500, 1000 and so on, 8 s at the most: once per 250 ms would be 120 times.
    expect(tries() - before).toBeGreaterThanOrEqual(5);
    expect(tries() - before).toBeLessThanOrEqual(16);
    await Promise.all([other.close(), client.close()]);
  });

  it('one that becomes free is used', async () => {
    const other = new PooledClient(server.address);
    await other.version();
    const clock = new VirtualClock();
    const client = new PooledClient(server.address, { maxPoolSize: 3, clock });
    for (let i = 0; i < 10; i++) await load(client);
    expect(client.poolStats.size).toBe(1);
    await other.close();
    for (let waited = 0; client.poolStats.size < 2 && waited < 5000; waited += 10) {
      await load(client);
      await clock.advance(10);
    }
    expect(client.poolStats.size).toBe(2);
    // It waits for none of its time, which stands still now.
    await client.close();
  });
});

it('a connection that is never answered, while others are, is not the server’s failure, and is not used again at once', async () => {
  const server = await ScriptedServer.start();
  server.put('k', 'v');
  const client = new HashClient([server.address], { usePooling: true, maxPoolSize: 3, timeout: 150 });
  await client.get('k');
  for (let i = 0; i < 2; i++) server.next((connection) => connection.hold());
  const outcomes: Promise<unknown>[] = [];
  for (let i = 0; i < 60; i++) {
    outcomes.push(client.get('k').catch((error: unknown) => (error as { code?: unknown }).code));
    await new Promise(setImmediate);
  }
  await Promise.all(outcomes);
  expect(client.servers()).toMatchObject([{ state: 'healthy', failures: 0 }]);
  const before = server.connections.length;
  for (let i = 0; i < 100; i++) expect(await client.get('k')).toBe('v');
  expect(server.connections.length - before).toBeLessThanOrEqual(1);
  await client.close();
  await server.close();
});

it('a connection that is refused before any other was answered is not the server’s failure', async () => {
  const server = await ScriptedServer.start();
  server.put('k', 'v');
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  for (let i = 0; i < 4; i++) server.next(() => released);
  for (let i = 0; i < 2; i++) {
    server.next(async (connection) => {
      await connection.send('ERROR Too many open connections\r\n');
      await connection.fin();
    });
  }
  const client = new HashClient([server.address], { usePooling: true, maxPoolSize: 6 });
  const calls: Promise<unknown>[] = [];
  while (server.connections.length < 6) {
    calls.push(client.get('k'));
    await new Promise(setImmediate);
  }
  await sleep(20);
  expect(client.servers()).toMatchObject([{ state: 'healthy', failures: 0 }]);
  release();
  expect(new Set(await Promise.all(calls))).toEqual(new Set(['v']));
  await client.close();
  await server.close();
});

it('a connection that was lost in the middle of its calls does not rest in the place of one that works', async () => {
  const server = await ScriptedServer.start();
  server.put('k', 'v');
  const client = new PooledClient(server.address, { maxPoolSize: 2, timeout: 20_000, serde: new RawSerde() });
  let answer: () => void = () => undefined;
  const answered = new Promise<void>((resolve) => (answer = resolve));
  // The first one answers while the second is lost, over which some calls were sent and some were not.
  server.next(async (connection) => {
    await connection.expectMatch(/get first\r\n/);
    await answered;
    await connection.send('END\r\n');
  });
  server.next(async (connection) => {
    await connection.expectMatch(/set k0 /);
    connection.pause();
    answer();
    await turns(20);
    await connection.rst();
  });
  const value = Buffer.alloc(60_000);
  const first = client.get('first');
  await turns(1);
  const sets = Array.from({ length: 300 }, (_, i) => client.set(`k${i}`, value));
  expect(await first).toBeUndefined();
  const outcomes = await Promise.allSettled(sets);
  expect(outcomes.at(-1)).toEqual({ status: 'fulfilled', value: true });
  expect(outcomes[0]).toMatchObject({ status: 'rejected', reason: { code: 'MEMCACHE_UNEXPECTED_CLOSE' } });
  // Now what works is lost as well, and the next connection too.
  server.next((connection) => connection.rst());
  await server.connections[0]?.fin();
  const lost = await client.get('k').catch((error: unknown) => error);
  expect(lost).not.toBeInstanceOf(MemcacheTimeoutError);
  expect(String(await client.get('k'))).toBe('v');
  await client.close();
  await server.close();
});

it('what was written over a connection that is refused is written anew over another, without those that were withdrawn meanwhile', async () => {
  const server = await ScriptedServer.start();
  for (const key of ['a', 'd']) server.put(key, key);
  const signs = Array.from({ length: 3 }, () => {
    let give: () => void = () => undefined;
    const given = new Promise<void>((resolve) => (give = resolve));
    return { given, give };
  });
  const [written, refuse, answer] = signs as [(typeof signs)[0], (typeof signs)[0], (typeof signs)[0]];
  server.next(async (connection) => {
    await connection.expect('get first\r\n');
    await answer.given;
    await connection.send('END\r\n');
  });
  server.next(async (connection) => {
    await connection.expect('get a b c\r\n');
    written.give();
    await refuse.given;
    await connection.send('ERROR Too many open connections\r\n');
    await connection.fin();
  });
  const client = new PooledClient(server.address, { maxPoolSize: 2, timeout: 5000 });
  const first = client.get('first');
  while (server.connections.length === 0) await turns(1);
  const abort = new AbortController();
  const a = client.get('a');
  const others = ['b', 'c'].map((key) => client.get(key, { signal: abort.signal }).catch(() => 'withdrawn'));
  await written.given;
  abort.abort();
  expect(await Promise.all(others)).toEqual(['withdrawn', 'withdrawn']);
  refuse.give();
  await sleep(20);
  answer.give();
  expect(await Promise.all([first, a])).toEqual([undefined, 'a']);
  expect(await client.get('d')).toBe('d');
  expect(server.connections).toHaveLength(2);
  await client.close();
  await server.close();
});
