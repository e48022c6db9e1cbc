import { HashClient, PooledClient, type PooledClientOptions } from '../../src';
import { connectSocket, type Connect } from '../../src/client/wire/transport';
import { failure, rejection } from '../support/contract';
import { eachWithScriptedServer } from '../support/describe';
import { Dispatcher } from '../../src/pool/dispatcher';
import { MemcachedServer } from '../../src/server';
import { freePort } from '../support/memcached';
import { type ScriptedServer, type ScriptedConnection } from '../support/scripted-server';
import { turns, VirtualClock } from '../support/virtual-clock';

let server: ScriptedServer;
eachWithScriptedServer((fresh) => {
  server = fresh;
});

/** A client whose time stands still, and how many sockets it has opened. */
function makeClient(options: PooledClientOptions = {}): { client: PooledClient; clock: VirtualClock; opened: () => number } {
  const clock = new VirtualClock();
  let opened = 0;
  const connect: Connect = (...args) => {
    opened++;
    return connectSocket(...args);
  };
  return { client: new PooledClient(server.address, { clock, connect, ...options }), clock, opened: () => opened };
}

/** Connections that say nothing until they are told to; then they are real servers. */
function holdConnections(count: number): { held: ScriptedConnection[]; release: () => void } {
  const held: ScriptedConnection[] = [];
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  for (let i = 0; i < count; i++) {
    server.next(async (connection) => {
      held.push(connection);
      await released;
    });
  }
  return { held, release };
}

it('is empty at first, and grows only under load', async () => {
  const { client, opened } = makeClient();
  expect(client.poolStats).toEqual({ size: 0, available: 0, borrowed: 0, waiting: 0 });
  for (let i = 0; i < 20; i++) await client.set(`k${i}`, i);
  await Promise.all(Array.from({ length: 100 }, (_, i) => client.get(`k${i}`)));
  await turns();
  expect(opened()).toBe(1);
  expect(client.poolStats).toEqual({ size: 1, available: 1, borrowed: 0, waiting: 0 });
  await client.close();
  expect(client.poolStats).toEqual({ size: 0, available: 0, borrowed: 0, waiting: 0 });
});

it('calls made in one tick travel together; those made later take another connection', async () => {
  const { client, opened } = makeClient({ maxPoolSize: 2 });
  const { held, release } = holdConnections(2);
  const first = [client.get('a'), client.get('b'), client.set('c', 1)];
  await turns(10);
  expect([held.length, held[0]?.received]).toEqual([1, 'get a b\r\nset c 2 0 1\r\n1\r\n']);
  const second = [client.get('d'), client.get('e')];
  await turns(10);
  expect([held.length, held[1]?.received]).toEqual([2, 'get d e\r\n']);
  const third = client.get('f');
  await turns(10);
  expect(client.poolStats).toEqual({ size: 2, available: 0, borrowed: 2, waiting: 1 });
  release();
  expect(await Promise.all([...first, ...second, third])).toEqual([undefined, undefined, true, undefined, undefined, undefined]);
  expect(opened()).toBe(2);
  await client.close();
});

it('a connection carries no more than maxPending calls; the others wait for another one', async () => {
  const { client } = makeClient({ maxPoolSize: 2, maxPending: 3 });
  const { held, release } = holdConnections(2);
  const calls = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((key) => client.get(key));
  await turns(10);
  expect(held.map(({ received }) => received)).toEqual(['get a b c\r\n', 'get d e f\r\n']);
  expect(client.poolStats.waiting).toBe(1);
  release();
  expect(await Promise.all(calls)).toEqual(calls.map(() => undefined));
  await client.close();
});

it('one slow reply holds up nobody on the other connections', async () => {
  const { client } = makeClient({ maxPoolSize: 2 });
  server.put('small', 'x');
  const { release } = holdConnections(1);
  let slowDone = false;
  const slow = client.get('large').then(() => (slowDone = true));
  await turns(10);
  for (let i = 0; i < 100; i++) expect(await client.get('small')).toBe('x');
  expect(slowDone).toBe(false);
  release();
  await slow;
  await client.close();
});

/** A client with one connection, which `set n 0` holds until `release`. */
async function busyClient(): Promise<{ client: PooledClient; first: Promise<boolean>; release: () => void }> {
  const { client } = makeClient({ maxPoolSize: 1 });
  const { release } = holdConnections(1);
  const first = client.set('n', 0);
  await turns(5);
  return { client, first, release };
}

it('waiting calls keep their order', async () => {
  const { client, first, release } = await busyClient();
  const settled: number[] = [];
  const waiting: Promise<unknown>[] = [];
  for (let i = 0; i < 50; i++) {
    waiting.push(client.incr('n').then((count) => settled.push(count ?? -1)));
    if (i % 10 === 9) await turns(1);
  }
  release();
  await Promise.all([first, ...waiting]);
  expect(settled).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
  await client.close();
});

it('metrics tell how long calls have waited for a connection, those that had to', async () => {
  const { client, clock } = makeClient({ maxPoolSize: 1 });
  const { release } = holdConnections(1);
  const first = client.set('n', 0);
  await turns(5);
  const waiting = [client.get('n'), client.get('o')];
  await turns(5);
  await clock.advance(40);
  release();
  await Promise.all([first, ...waiting]);
  await client.get('n');
  const metrics = client.metrics().get(server.address);
  expect(metrics?.poolWait).toMatchObject({ count: 2, sum: 80, max: 40 });
  expect(metrics?.latency.count).toBe(4);
  await client.close();
});

it('keeps nothing of what it was before it was closed', async () => {
  const { client } = makeClient();
  for (let i = 0; i < 3; i++) {
    await client.get('k');
    await client.close();
  }
  const looks = jest.spyOn(Dispatcher.prototype, 'pending', 'get');
  expect([...client.metrics().values()]).toMatchObject([{ pending: 0 }]);
  expect(looks).not.toHaveBeenCalled();
  looks.mockRestore();
});

it('what asks whether a new connection works is not pending: it is no call', async () => {
  await using slow = await MemcachedServer.start();
  const client = new PooledClient(slow.address, { maxPoolSize: 2, timeout: 20_000 });
  await client.set('n', 0);
  const asked: string[] = [];
  slow.faults = ({ verb }) => {
    asked.push(verb);
    return { delay: 1000 };
  };
  const calls: Promise<unknown>[] = [];
  for (const key of ['n', 'o']) {
    calls.push(client.get(key));
    while (asked.length < calls.length) await turns(1);
  }
  expect(asked).toEqual(['get', 'version']);
  expect(client.metrics().get(slow.address)?.pending).toBe(2);
  await Promise.all(calls);
  await client.close();
});

it('a call that waits longer than acquireTimeout, or than timeout, is rejected unsent', async () => {
  for (const [options, message] of [
    [{ acquireTimeout: 200 }, 'acquireTimeout, 200 ms'],
    [{ acquireTimeout: 0, timeout: 500 }, 'timeout, 500 ms'],
  ] as const) {
    const { client, clock } = makeClient({ maxPoolSize: 1, timeout: 1000, ...options });
    const { release } = holdConnections(1);
    const first = client.get('a').catch((error: unknown) => error);
    await turns(10);
    const second = failure(client.get('b'));
    await turns(2);
    await clock.advance(501);
    const error = await second;
    expect(error).toMatchObject({ code: 'MEMCACHE_TIMEOUT', certainty: 'notSent', command: 'get', server: server.address });
    expect(error.message).toContain(message);
    expect(client.poolStats.waiting).toBe(0);
    release();
    await first;
    expect(await client.set('c', 1)).toBe(true);
    await client.close();
  }
});

it('a call whose deadline has just passed when a connection becomes free is rejected unsent', async () => {
  const { client, clock } = makeClient({ maxPoolSize: 1, acquireTimeout: 0, timeout: 500 });
  const { release } = holdConnections(1);
  const first = client.get('a');
  await turns(10);
  const second = failure(client.get('b'));
  await clock.advance(499);
  // No timer has fired yet that would tell of it.
  clock.jump(2);
  release();
  expect(await first).toBeUndefined();
  expect(await second).toMatchObject({ code: 'MEMCACHE_TIMEOUT', certainty: 'notSent' });
  expect(client.poolStats.waiting).toBe(0);
  await client.close();
});

it('more than maxWaiting are refused at once; those withdrawn free their places', async () => {
  const { client } = makeClient({ maxPoolSize: 1, maxWaiting: 3 });
  const { release } = holdConnections(1);
  const first = client.get('first');
  await turns(10);
  const abort = new AbortController();
  const reason = new Error('never mind');
  const withdrawn = [1, 2].map((i) => rejection(client.get(`w${i}`, { signal: abort.signal })));
  const kept = client.set('kept', 1);
  expect(await failure(client.get('over'))).toMatchObject({ code: 'MEMCACHE_OVERLOADED', certainty: 'notSent' });
  expect(client.poolStats.waiting).toBe(3);
  abort.abort(reason);
  expect(await Promise.all(withdrawn)).toEqual([reason, reason]);
  expect(client.poolStats.waiting).toBe(1);
  const more = [client.get('x'), client.get('y')];
  expect(await failure(client.get('z'))).toMatchObject({ code: 'MEMCACHE_OVERLOADED' });
  release();
  expect(await Promise.all([first, kept, ...more])).toEqual([undefined, true, undefined, undefined]);
  // What was withdrawn was never sent.
  expect(await client.get('kept')).toBe(1);
  await client.close();
});

it('calls that have waited too long free their places', async () => {
  const { client, clock } = makeClient({ maxPoolSize: 1, maxWaiting: 1, acquireTimeout: 200, timeout: 0 });
  const { release } = holdConnections(1);
  const first = client.get('first');
  await turns(10);
  const late = failure(client.get('late'));
  await turns(2);
  expect(await failure(client.get('over'))).toMatchObject({ code: 'MEMCACHE_OVERLOADED' });
  await clock.advance(201);
  expect(await late).toMatchObject({ code: 'MEMCACHE_TIMEOUT' });
  const next = client.set('next', 1);
  release();
  expect(await Promise.all([first, next])).toEqual([undefined, true]);
  await client.close();
});

it('close ends when the last call that waits has waited too long, and nobody awaits what the connection carries', async () => {
  const { client, clock } = makeClient({ maxPoolSize: 1, acquireTimeout: 200, timeout: 0 });
  const { release } = holdConnections(1);
  const abort = new AbortController();
  const withdrawn = rejection(client.get('withdrawn', { signal: abort.signal }));
  await turns(10);
  const late = failure(client.get('late'));
  await turns(2);
  let isClosed = false;
  const closed = client.close().then(() => { isClosed = true; });
  abort.abort(new Error('never mind'));
  await withdrawn;
  await clock.advance(201);
  expect(await late).toMatchObject({ code: 'MEMCACHE_TIMEOUT' });
  await turns(20);
  expect(isClosed).toBe(true);
  release();
  await closed;
});

it('a server that refuses connections makes no storm, and the event loop stays alive', async () => {
  const port = await freePort();
  let opened = 0;
  const connect: Connect = (...args) => {
    opened++;
    return connectSocket(...args);
  };
  const client = new PooledClient(['127.0.0.1', port], { connect, maxPoolSize: 4 });
  let ticks = 0;
  const ticking = setInterval(() => ticks++, 1);
  for (let round = 0; round < 20; round++) {
    const errors = await Promise.all(Array.from({ length: 10 }, (_, i) => failure(client.get(`k${i}`))));
    for (const error of errors) expect(error).toMatchObject({ code: 'MEMCACHE_CONNECT', certainty: 'notSent' });
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  clearInterval(ticking);
  expect(ticks).toBeGreaterThan(10);
  expect(opened).toBeLessThanOrEqual(20);
  expect(client.poolStats).toMatchObject({ borrowed: 0, waiting: 0 });
  await client.close();
});

it('a connection that dies while idle is replaced, and nobody notices', async () => {
  const { client } = makeClient({ maxPoolSize: 2 });
  const { held, release } = holdConnections(2);
  const calls = [client.set('a', 1)];
  await turns(10);
  calls.push(client.set('b', 2));
  await turns(10);
  release();
  await Promise.all(calls);
  for (const connection of held) {
    await connection.rst();
    await connection.closed;
  }
  await turns(5);
  expect(await Promise.all([client.get('a'), client.get('b')])).toEqual([1, 2]);
  await client.close();
});

it('a connection that dies with calls on it takes only those along', async () => {
  const { client } = makeClient({ maxPoolSize: 2 });
  server.put('fine', 'x');
  server.next(async (connection) => {
    await connection.expectMatch(/\r\n/);
    await turns(20);
    await connection.rst();
  });
  const doomed = failure(client.get('a'));
  await turns(3);
  const others = Promise.all(Array.from({ length: 20 }, () => client.get('fine')));
  expect(await doomed).toMatchObject({ code: 'MEMCACHE_UNEXPECTED_CLOSE', certainty: 'maybeExecuted' });
  expect(new Set(await others)).toEqual(new Set(['x']));
  await client.close();
});

it('idle connections are closed, down to minPoolSize', async () => {
  const client = new PooledClient(server.address, { maxPoolSize: 3, minPoolSize: 1, poolIdleTimeout: 40 });
  const { release } = holdConnections(3);
  const calls: Promise<unknown>[] = [];
  for (let i = 0; i < 3; i++) {
    calls.push(client.get(`k${i}`));
    await turns(10);
  }
  expect(client.poolStats.size).toBe(3);
  release();
  await Promise.all(calls);
  while (client.poolStats.size > 1) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(client.poolStats).toEqual({ size: 1, available: 1, borrowed: 0, waiting: 0 });
  await client.close();
});

it('close lets what waits and what is under way finish, and the pool may be used again', async () => {
  const { client, first, release } = await busyClient();
  const waiting = client.set('b', 2);
  await turns(2);
  const closing = client.close();
  release();
  expect(await Promise.all([first, waiting])).toEqual([true, true]);
  await closing;
  expect(await client.getMany(['n', 'b'])).toEqual(new Map([['n', 0], ['b', 2]]));
  await client.close();
});

it('raw commands have a connection for themselves, and others pass them by', async () => {
  const { client } = makeClient({ maxPoolSize: 2 });
  server.put('k', 'x');
  const { release } = holdConnections(1);
  const raw = client.raw('version');
  await turns(10);
  expect(await client.get('k')).toBe('x');
  release();
  expect(String(await raw)).toMatch(/^VERSION /);
  await client.close();
});

it('5000 calls from 50 callers over 4 connections get each their own', async () => {
  const client = new PooledClient(server.address, { maxPoolSize: 4, timeout: 10_000 });
  await Promise.all(
    Array.from({ length: 50 }, async (_, caller) => {
      for (let i = 0; i < 100; i++) {
        const key = `caller${caller}-${i}`;
        await client.set(key, `${key} ${'x'.repeat((caller * i) % 3000)}`);
        expect(await client.get(key)).toBe(`${key} ${'x'.repeat((caller * i) % 3000)}`);
      }
    }),
  );
  expect(client.poolStats.size).toBeLessThanOrEqual(4);
  await client.close();
});

it.each([
  ['PooledClient', (place: [string, number], options: PooledClientOptions): PooledClient | HashClient => new PooledClient(place, options)],
  ['HashClient with pools', (place: [string, number], options: PooledClientOptions) => new HashClient([place], { ...options, usePooling: true })],
])('what %s was made with may be changed afterwards', async (_, make) => {
  await using other = await MemcachedServer.start();
  const [host = '', port] = server.address.split(':');
  const place: [string, number] = [host, Number(port)];
  const options: PooledClientOptions = { maxPoolSize: 2 };
  const client = make(place, options);
  server.put('k', 'x');
  place[1] = Number(other.address.split(':')[1]);
  options.timeout = -1;
  // More calls than one connection takes.
  expect(new Set(await Promise.all(Array.from({ length: 3000 }, () => client.get('k'))))).toEqual(new Set(['x']));
  expect(server.connections).toHaveLength(2);
  await client.close();
});
