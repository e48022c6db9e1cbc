import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setTimeout as pause } from 'node:timers/promises';
import { CHANNELS, Client, Connection, HashClient, MemcacheConnectError, MemcacheOverloadedError, PooledClient, RendezvousHash, type ClientOptions, type Connect, type Executor, type ServerStateMessage } from '../../src';
import { VersionCommand } from '../../src/client/commands/admin';
import { ServerMeter } from '../../src/client/meter';
import { ConnectionPool } from '../../src/pool/connection-pool';
import { Guard } from '../../src/client/policies/fail-fast';
import { ServerHealth } from '../../src/client/policies/server-health';
import { connectSocket } from '../../src/client/wire/transport';
import { Relay } from '../../tools/relay';
import { failure, rejection } from '../support/contract';
import { describeWithMemcached, eachWithScriptedServer } from '../support/describe';
import { startMemcached } from '../support/memcached';
import { type ScriptedServer } from '../support/scripted-server';
import { turns, VirtualClock } from '../support/virtual-clock';

let server: ScriptedServer;
let clock: VirtualClock;
eachWithScriptedServer((fresh) => {
  server = fresh;
  clock = new VirtualClock();
});

const RETRY = 200;

/** The next connections get no answer. */
function hold(times: number): void {
  for (let i = 0; i < times; i++) server.next((connection) => connection.hold());
}

async function late(call: Promise<unknown>): Promise<unknown> {
  const outcome = rejection(call);
  await turns(5);
  await clock.advance(51);
  return outcome;
}

describe.each<[string, (options: ClientOptions) => Client]>([
  ['Client', (options) => new Client(server.address, options)],
  ['PooledClient', (options) => new PooledClient(server.address, options)],
])('%s', (_, make) => {
  const makeClient = (options: ClientOptions = {}): Client => make({ clock, timeout: 50, retryTimeout: RETRY, ...options });
  /** A client whose first call got no answer, and whose next one is a probe. */
  const dueForProbe = async (): Promise<Client> => {
    const client = makeClient();
    await late(client.get('k'));
    await clock.advance(RETRY);
    return client;
  };

  it('fails at once while the server is in trouble, but for one probe at a time, and is back with the first answer', async () => {
    hold(3);
    const client = makeClient();
    expect(await late(client.get('k'))).toMatchObject({ code: 'MEMCACHE_TIMEOUT', certainty: 'maybeExecuted' });
    const refused = await failure(client.get('k'));
    expect(refused).toMatchObject({ code: 'MEMCACHE_TIMEOUT', certainty: 'notSent', server: server.address, command: 'get', cause: { code: 'MEMCACHE_TIMEOUT' } });
    expect(refused.message).toContain('is failing and is probed again in');
    // Not before a quarter of the time is over.
    await clock.advance(RETRY / 4 - 1);
    for (let i = 0; i < 20; i++) await failure(client.set('k', 'x'));
    expect(server.connections).toHaveLength(1);
    for (let probe = 2; probe <= 3; probe++) {
      await clock.advance(RETRY);
      const calls = Array.from({ length: 20 }, () => rejection(client.get('k')));
      await turns(5);
      expect(server.connections).toHaveLength(probe);
      await clock.advance(51);
      const certainties = (await Promise.all(calls)).map((error) => (error as { certainty?: string }).certainty);
      expect(certainties.filter((certainty) => certainty !== 'notSent')).toHaveLength(1);
    }
    await clock.advance(RETRY);
    const first = client.set('k', 'x');
    const second = failure(client.get('k'));
    expect(await first).toBe(true);
    expect(await second).toMatchObject({ certainty: 'notSent' });
    expect(await client.get('k')).toBe('x');
    await client.close();
  });

  it.each<[string, string, () => void]>([
    ['refused', 'MEMCACHE_CONNECT', () => undefined],
    ['reset', 'MEMCACHE_UNEXPECTED_CLOSE', () => {
      server.next(async (connection) => {
        await connection.expectMatch(/\r\n/);
        await connection.rst();
      });
    }],
    ['garbled', 'MEMCACHE_UNKNOWN', () => {
      server.next(async (connection) => {
        await connection.expectMatch(/\r\n/);
        await connection.send('garbage\r\n');
      });
    }],
  ])('a call that is not sent after one that was %s has its class', async (kind, code, prepare) => {
    prepare();
    const client = kind === 'refused' ? makeClient({ connect: (_, __, handler) => refusing(handler) }) : makeClient();
    expect(await failure(client.get('k'))).toMatchObject({ code });
    expect(await failure(client.get('k'))).toMatchObject({ code, certainty: 'notSent', cause: { code } });
    await client.close();
  });

  it('an answer that is an error is no trouble, and a probe that gets one is answered', async () => {
    server.put('k', 'text');
    const client = makeClient();
    expect(await failure(client.incr('k'))).toMatchObject({ code: 'MEMCACHE_CLIENT_ERROR' });
    expect(await client.get('k')).toBe('text');
    hold(1);
    for (const connection of server.connections) connection.destroy();
    await turns(5);
    expect(await late(client.get('k'))).toMatchObject({ code: 'MEMCACHE_TIMEOUT' });
    await clock.advance(RETRY);
    expect(await failure(client.incr('k'))).toMatchObject({ code: 'MEMCACHE_CLIENT_ERROR' });
    expect(await client.get('k')).toBe('text');
    await client.close();
  });

  it('a probe that is aborted is followed by another', async () => {
    hold(2);
    const client = await dueForProbe();
    const abort = new AbortController();
    const probe = rejection(client.get('k', { signal: abort.signal }));
    await turns(5);
    const reason = new Error('never mind');
    abort.abort(reason);
    expect(await probe).toBe(reason);
    expect(await failure(client.get('k'))).toMatchObject({ certainty: 'notSent' });
    await clock.advance(RETRY + 51);
    expect(await client.get('k')).toBeUndefined();
    await client.close();
  });

  it('what asks for no answer is no probe: another command is sent in its place', async () => {
    hold(1);
    const client = await dueForProbe();
    expect(await failure(client.set('k', 'x', { noreply: true }))).toMatchObject({ certainty: 'notSent' });
    await turns(10);
    expect(await client.set('k', 'x', { noreply: true })).toBe(true);
    expect(await client.get('k')).toBe('x');
    await client.close();
  });

  it('is off unless it is asked for, and then nothing stands in the way', async () => {
    const client = make({ clock, timeout: 50 });
    expect(client.executor).not.toBeInstanceOf(Guard);
    expect(client.executor instanceof Connection || client.executor instanceof ConnectionPool).toBe(true);
    hold(2);
    for (let i = 0; i < 2; i++) expect(await late(client.get('k'))).toMatchObject({ certainty: 'maybeExecuted' });
    expect(await client.get('k')).toBeUndefined();
    await client.close();
  });
});

it('what other connections of a pool were sent before a probe says nothing of the probe', async () => {
  hold(8);
  const client = new HashClient([server.address], { clock, timeout: 1000, retryTimeout: 1000, usePooling: true, random: () => 0 });
  const calls: Promise<unknown>[] = [];
  const callAndAdvance = async (milliseconds: number): Promise<void> => {
    calls.push(rejection(client.get('k')));
    await turns(5);
    await clock.advance(milliseconds);
  };
  // Of three connections each comes due 300 ms after the one before, the probe is sent between the first and the second.
  for (const milliseconds of [300, 300, 401, 251, 310, 100]) await callAndAdvance(milliseconds);
  expect(client.servers()).toMatchObject([{ state: 'failing', failures: 1 }]);
  await callAndAdvance(700);
  await turns(5);
  expect(client.servers()).toMatchObject([{ state: 'failing', failures: 2 }]);
  await Promise.all(calls);
  await client.close();
});

it('a probe that its caller has aborted has no outcome, also when another connection of the pool was lost meanwhile', async () => {
  hold(8);
  const client = new HashClient([server.address], { clock, timeout: 1000, retryTimeout: 1000, usePooling: true, random: () => 0 });
  const abort = new AbortController();
  const calls: Promise<unknown>[] = [];
  for (const [milliseconds, options] of [[300, {}], [701, {}], [251, {}], [60, { signal: abort.signal }]] as const) {
    calls.push(rejection(client.get('k', options)));
    await turns(5);
    await clock.advance(milliseconds);
  }
  // The first was late at 1001 ms, the probe was sent at 1252, the second was late at 1300.
  abort.abort();
  await turns(5);
  expect(await Promise.all(calls)).toMatchObject([{ certainty: 'maybeExecuted' }, { certainty: 'maybeExecuted' }, { certainty: 'notSent' }, { name: 'AbortError' }]);
  expect(client.servers()).toMatchObject([{ state: 'failing', failures: 1 }]);
  await client.close();
});

it('what cannot be read is told as such, also by the calls that fail at once', async () => {
  server.next(async (connection) => {
    await connection.expectMatch(/\r\n/);
    await connection.send('STORED\n\n');
  });
  const codes: unknown[] = [];
  const listen = (message: unknown): unknown => codes.push((message as ServerStateMessage).code);
  subscribe(CHANNELS.serverState, listen);
  const client = new Client(server.address, { clock, retryTimeout: RETRY });
  expect(await failure(client.get('k'))).toMatchObject({ code: 'MEMCACHE_UNKNOWN', certainty: 'maybeExecuted' });
  expect(await failure(client.get('k'))).toMatchObject({ code: 'MEMCACHE_UNKNOWN', certainty: 'notSent', cause: { code: 'MEMCACHE_UNKNOWN', server: server.address } });
  unsubscribe(CHANNELS.serverState, listen);
  expect(codes).toEqual(['MEMCACHE_UNKNOWN']);
  await client.close();
});

it('a pool probes with one call over one connection, also where it has connections from before', async () => {
  let hears = true;
  let writes = 0;
  const relay = await Relay.start(Number(server.address.split(':').at(-1)), () => ({
    fromClient: (bytes, upstream) => {
      writes++;
      if (hears) upstream.write(bytes);
    },
    // So that calls one after the other need a connection each.
    fromServer: (bytes, client) => {
      void pause(10).then(() => client.write(bytes));
    },
  }));
  const client = new PooledClient(relay.address, { clock, timeout: 40, retryTimeout: 60, maxPoolSize: 10 });
  const spread = async (calls: number): Promise<void> => {
    const made: Promise<unknown>[] = [];
    for (let i = 0; i < calls; i++) {
      made.push(client.get('k'));
      await pause(1);
    }
    if (!hears) await clock.advance(41);
    await Promise.allSettled(made);
  };
  for (let i = 0; i < 20 && relay.connections < 10; i++) await spread(10);
  expect(relay.connections).toBeGreaterThan(7);
  hears = false;
  // Some of the connections are lost, the others are idle: they do not know yet.
  await spread(5);
  for (let probe = 0; probe < 4; probe++) {
    await clock.advance(61);
    const before = { connections: relay.connections, writes };
    const outcome = rejection(client.get('k'));
    while (writes === before.writes) await turns(1);
    await turns(10);
    await clock.advance(41);
    expect(await outcome).toMatchObject({ code: 'MEMCACHE_TIMEOUT', certainty: 'maybeExecuted' });
    expect(writes - before.writes).toBe(1);
    expect(relay.connections - before.connections).toBeLessThanOrEqual(1);
  }
  hears = true;
  await clock.advance(61);
  expect(await client.get('k')).toBeUndefined();
  await client.close();
  await relay.close();
});

/** A way to a server that nobody answers at. */
function refusing(handler: { onClose(cause: Error): void }): { readonly backlog: number; write(): void; cork(): void; uncork(): void; destroy(): void; ref(): void; unref(): void } {
  process.nextTick(() => {
    handler.onClose(new Error('connect ECONNREFUSED'));
  });
  const nothing = (): void => undefined;
  return { backlog: 0, write: nothing, cork: nothing, uncork: nothing, destroy: nothing, ref: nothing, unref: nothing };
}

describeWithMemcached('a server that is stopped, under traffic half of which asks for no answer', () => {
  it.each([false, true])('is dead as soon as without, and stays so (pools: %p)', async (usePooling) => {
    const [stopped, other] = [await startMemcached(), await startMemcached()];
    const client = new HashClient([stopped.address, other.address], { clock, usePooling, timeout: 100, retryTimeout: 100, retryAttempts: 2, deadTimeout: 60_000, random: () => 1 });
    const keys = Array.from({ length: 200 }, (_, i) => `k${i}`).filter((key) => client.serverFor(key) === stopped.address).slice(0, 10);
    await Promise.all(keys.map((key) => client.set(key, 'x')));
    process.kill(stopped.pid, 'SIGSTOP');
    try {
      const states: (string | undefined)[] = [];
      for (let step = 0; step < 60; step++) {
        const gets = keys.map((key) => client.get(key));
        for (const key of keys) client.set(key, 'y', { noreply: true }).catch(() => undefined);
        // Dead, its keys are those of the other one, and every call succeeds.
        if (states.at(-1) === 'dead') await Promise.all(gets);
        else for (const get of gets) get.catch(() => undefined);
        await turns(3);
        // The other one answers in real time, which a busy machine has less of than there are turns.
        await new Promise((resolve) => setTimeout(resolve, 2));
        await clock.advance(20);
        states.push(client.servers()[0]?.state);
      }
      const firstDead = states.indexOf('dead');
      // One time-out, and two probes of 100 ms after waits of 100 ms.
      expect(firstDead).toBeGreaterThan(0);
      expect(firstDead * 20).toBeLessThanOrEqual(600);
      expect(new Set(states.slice(firstDead))).toEqual(new Set(['dead']));
      expect(states.slice(states.indexOf('failing'))).not.toContain('healthy');
    } finally {
      process.kill(stopped.pid, 'SIGCONT');
      await client.close();
      await Promise.all([stopped.stop(), other.stop()]);
    }
  });
});

it('who closes on hearing of trouble waits for what goes on over the next connection, and none is left', async () => {
  server.next(async (connection) => {
    await connection.expectMatch(/\r\n/);
    await connection.rst();
  });
  const client = new Client(server.address, { retryTimeout: RETRY });
  const order: string[] = [];
  let closed: Promise<unknown> | undefined;
  const listen = (): void => {
    closed ??= client.close().then(() => order.push('closed'));
  };
  subscribe(CHANNELS.serverState, listen);
  // Nothing is written after a raw command before it is answered.
  const raw = failure(client.raw('version'));
  const value = client.get('k').then(() => order.push('answered'));
  expect(await raw).toMatchObject({ certainty: 'maybeExecuted' });
  await value;
  await closed;
  unsubscribe(CHANNELS.serverState, listen);
  expect(order).toEqual(['answered', 'closed']);
  expect(client.metrics().get(server.address)).toMatchObject({ connections: 0, connects: 2 });
});

it('what was wrong during one probe says nothing of the next', async () => {
  const clock = new VirtualClock();
  const trouble = new MemcacheConnectError('refused');
  const ends: ((error: unknown) => void)[] = [];
  const next: Executor = { execute: () => new Promise((_, reject) => { ends.push(reject); }), close: () => Promise.resolve() };
  const health = new ServerHealth({ clock, random: () => 1, retryAttempts: 5, retryTimeout: 1000, deadTimeout: 0, timeout: 0 });
  const guard = new Guard(next, health, { meter: new ServerMeter('s', 1), refusal: (message) => new MemcacheConnectError(message) });
  guard.onTrouble(trouble);
  for (const [troubles, failures] of [[[trouble], 2], [[], 2], [[trouble], 3]] as const) {
    await clock.advance(1000);
    const probe = failure(guard.execute(new VersionCommand()));
    for (const each of troubles) guard.onTrouble(each);
    ends.at(-1)?.(new MemcacheOverloadedError('too many wait'));
    await probe;
    expect(health.failures).toBe(failures);
  }
});

it('the calls of a lost connection learn of it also where a hasher throws when its server is dead', async () => {
  class Stubborn extends RendezvousHash {
    override removeNode(): never {
      throw new Error('never');
    }
  }
  const thrown: unknown[] = [];
  const connect: Connect = (address, options, handler) => connectSocket(address, options, {
    ...handler,
    onClose: (cause) => {
      try {
        handler.onClose(cause);
      } catch (error) {
        thrown.push(error);
      }
    },
  });
  hold(1);
  const client = new HashClient([server.address], { hasher: new Stubborn(), retryAttempts: 0, connect, timeout: 0 });
  const outcome = failure(client.get('k'));
  while (server.connections.length === 0) await pause(1);
  await server.connections[0]?.rst();
  expect(await outcome).toMatchObject({ code: 'MEMCACHE_UNEXPECTED_CLOSE' });
  expect(thrown).toMatchObject([{ message: 'never' }]);
});
