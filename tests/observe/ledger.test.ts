import { setTimeout } from 'node:timers/promises';
import { CHANNELS, Client, HashClient, ManualClock, PooledClient, RetryingClient, type ClientOptions, type ServerMetrics } from '../../src';
import { EmbeddedClient } from '../../src/embedded';
import { MemcachedServer } from '../../src/server';
import { Relay } from '../../tools/relay';
import { startMemcached, type MemcachedProcess } from '../support/memcached';
import { ScriptedServer } from '../support/scripted-server';
import { SeededRandom } from '../support/seeded-random';
import { WireParser } from '../support/wire-parser';
import { Recorder } from './recorder';
import { sumsAgree } from './sums';

/** Counts on the wire, with code that shares no line with the client. */
class Meter {
  readonly calls: Record<string, number> = {};
  readonly replies = { hits: 0, misses: 0, stored: 0, notStored: 0, exists: 0, ok: 0 };
  bytesRead = 0;
  bytesWritten = 0;
  connections = 0;
  relay: Relay | undefined;

  static async start(port: number): Promise<Meter> {
    const meter = new Meter();
    meter.relay = await Relay.start(port, () => {
      meter.connections++;
      let rest = '';
      const parser = new WireParser(({ verb, args }) => {
        const keys = verb === 'get' || verb === 'gets' ? args.length : 1;
        meter.calls[verb] = (meter.calls[verb] ?? 0) + keys;
      });
      return {
        fromClient: (bytes, server) => {
          meter.bytesWritten += bytes.length;
          parser.push(bytes.toString('latin1'));
          server.write(bytes);
        },
        fromServer: (bytes, client) => {
          meter.bytesRead += bytes.length;
          rest += bytes.toString('latin1');
          for (let at; (at = rest.indexOf('\r\n')) >= 0; ) {
            const line = rest.slice(0, at);
            const size = /^VALUE \S+ \d+ (\d+)/.exec(line)?.[1];
            if (size !== undefined && rest.length < at + 4 + Number(size)) break;
            rest = rest.slice(at + 2 + (size === undefined ? 0 : Number(size) + 2));
            if (size !== undefined) meter.replies.hits++;
            else if (line === 'STORED') meter.replies.stored++;
            else if (line === 'NOT_STORED') meter.replies.notStored++;
            else if (line === 'EXISTS') meter.replies.exists++;
            else if (line === 'NOT_FOUND') meter.replies.misses++;
            else if (line !== 'END') meter.replies.ok++;
          }
          client.write(bytes);
        },
      };
    });
    return meter;
  }

  get address(): string {
    return this.relay?.address ?? '';
  }
}

let server: MemcachedProcess;
beforeAll(async () => {
  server = await startMemcached();
});
afterAll(async () => {
  await server.stop();
});

const CLASSES: readonly (readonly [name: string, make: (address: string, options: ClientOptions) => Client])[] = [
  ['Client', (address, options) => new Client(address, options)],
  ['PooledClient', (address, options) => new PooledClient(address, options)],
  // Never dead: while all servers are, no server counts a call.
  ['HashClient', (address, options) => new HashClient([address], { ...options, retryAttempts: 1000 })],
  ['RetryingClient', (address, options) => new RetryingClient(new Client(address, options))],
];

/** What the caller saw. */
interface Ledger {
  calls: number;
  errors: number;
}

function randomCall(client: Client, random: SeededRandom, ledger: Ledger): Promise<unknown> {
  const key = () => `k${random.below(30)}`;
  const keys = () => [...new Set(Array.from({ length: 1 + random.below(8) }, key))];
  const count = (of: number) => {
    ledger.calls += of;
  };
  const many = keys();
  switch (random.below(11)) {
    case 0: count(1); return client.set(key(), 'x'.repeat(random.below(300)));
    case 1: count(1); return client.add(key(), 'y');
    case 2: count(1); return client.delete(key());
    case 3: count(1); return client.touch(key(), 100);
    case 4: count(many.length); return client.getMany(many);
    case 5: count(many.length); return client.setMany(many.map((one): [string, string] => [one, 'z']));
    case 6: count(many.length); return client.deleteMany(many);
    case 7: count(1); return client.cas(key(), 'c', String(random.below(100)));
    case 8: count(1); return client.replace(key(), 'r');
    default: count(1); return client.get(key());
  }
}

const only = (client: Client): ServerMetrics => [...client.metrics().values()][0]!;
const sum = (counts: Readonly<Record<string, number>>) => Object.values(counts).reduce((total, each) => total + each, 0);

describe.each(CLASSES)('%s', (_, make) => {
  it('counts what a listener on the wire counts', async () => {
    const wire = await Meter.start(server.port);
    const client = make(wire.address, {});
    const random = new SeededRandom(7);
    const ledger = { calls: 0, errors: 0 };
    const begun = performance.now();
    for (let tick = 0; tick < 150; tick++) {
      await Promise.all(Array.from({ length: 1 + random.below(12) }, () => randomCall(client, random, ledger)));
      expect(sumsAgree(only(client))).toBe(true);
    }
    const metrics = only(client);
    expect(metrics).toMatchObject({ state: 'healthy', pending: 0, aborted: 0, errors: {}, ignored: 0, retries: 0, connectFailures: 0 });
    // Two gets of one key in one tick have one place on the wire.
    const { get = 0, ...others } = metrics.calls;
    const { get: getOnWire = 0, ...othersOnWire } = wire.calls;
    expect(others).toEqual(othersOnWire);
    expect(get).toBeGreaterThanOrEqual(getOnWire);
    expect(get - getOnWire).toBeLessThan(get * 0.1);
    expect(sum(metrics.calls)).toBe(ledger.calls);
    const { stored, notStored, exists, ok, hits, lookups, misses } = metrics;
    expect({ stored, notStored, exists, ok, missesOfOthers: misses - (lookups - hits) }).toEqual({
      stored: wire.replies.stored,
      notStored: wire.replies.notStored,
      exists: wire.replies.exists,
      ok: wire.replies.ok,
      missesOfOthers: wire.replies.misses,
    });
    expect(hits - wire.replies.hits).toBeLessThanOrEqual(get - getOnWire);
    expect(metrics.bytesRead).toBe(wire.bytesRead);
    expect(metrics.bytesWritten).toBe(wire.bytesWritten);
    expect(metrics.connects).toBe(wire.connections);
    expect(metrics.connections).toBe(wire.connections);
    expect(metrics.latency.count).toBeGreaterThan(0);
    expect(metrics.latency.p50).toBeGreaterThan(0);
    expect(metrics.latency.max).toBeLessThan(performance.now() - begun);
    await client.close();
    expect(only(client)).toMatchObject({ connections: 0, disconnects: wire.connections, calls: metrics.calls });
    await wire.relay?.close();
  });

  it('its sums agree and every call is in them, whatever breaks', async () => {
    const random = new SeededRandom(11);
    const port = server.port;
    let replies = 0;
    let strikes = 0;
    const relay = await Relay.start(port, () => ({
      fromServer: (bytes, client) => {
        if (++replies % 20 === 0) {
          strikes++;
          if (random.chance(0.3)) client.resetAndDestroy();
          else if (random.chance(0.5)) client.end(bytes.subarray(0, random.below(bytes.length)));
          // else: silence
        } else client.write(bytes);
      },
    }));
    const client = make(relay.address, { timeout: 60, connectTimeout: 500, retryTimeout: 5 });
    const ledger = { calls: 0, errors: 0 };
    for (let tick = 0; tick < 150 || strikes <= 3; tick++) {
      const calls = Array.from({ length: 1 + random.below(12) }, () => randomCall(client, random, ledger));
      await Promise.allSettled(calls);
      expect(sumsAgree(only(client))).toBe(true);
      // A server that is left alone after a strike is hardly met by the next one.
      if (only(client).state !== 'healthy') await setTimeout(6);
    }
    while (only(client).pending > 0) await setTimeout(1);
    const metrics = only(client);
    expect(strikes).toBeGreaterThan(3);
    expect(sum(metrics.errors)).toBeGreaterThan(0);
    expect(sum(metrics.calls)).toBeGreaterThanOrEqual(ledger.calls);
    // What the retrier and health checks add is told apart.
    if (metrics.retries === 0 && metrics.calls['version'] === undefined) expect(sum(metrics.calls)).toBe(ledger.calls);
    expect(metrics.pending).toBe(0);
    expect(metrics.connects - metrics.disconnects).toBe(metrics.connections);
    await client.close();
    await relay.close();
  });
});

it('latency is counted once per answered call: joined gets singly, a call for many keys once per server', async () => {
  const [a, b] = [await startMemcached(), await startMemcached()];
  const client = new HashClient([a.address, b.address]);
  const counts = () => [...client.metrics().values()].map(({ latency }) => latency.count).reduce((x, y) => x + y);
  await Promise.all(Array.from({ length: 40 }, (_, i) => client.get(`k${i}`)));
  expect(counts()).toBe(40);
  await client.getMany(Array.from({ length: 40 }, (_, i) => `k${i}`));
  expect(counts()).toBe(42);
  await client.set('a', 1, { noreply: true });
  await client.incr('none');
  expect(counts()).toBe(43);
  expect(await client.incr('a')).toBe(2);
  expect(counts()).toBe(44);
  await client.close();
  await a.stop();
  await b.stop();
});

it.each(CLASSES)('%s: a call that a server answers in part is counted as what went wrong', async (_, make) => {
  const refusal = 'SERVER_ERROR out of memory writing get response\r\n';
  const refusing = await ScriptedServer.start(
    async (connection) => {
      await connection.expectMatch(/get a b\r\n/);
      await connection.send(refusal);
    },
    // Each key is asked for by itself now.
    async (connection) => {
      await connection.expectMatch(/get a\r\nget b\r\n/);
      await connection.send(`VALUE a 0 1\r\nx\r\nEND\r\n${refusal}`);
    },
  );
  const client = make(refusing.address, { timeout: 500 });
  await expect(client.getMany(['a', 'b'])).rejects.toMatchObject({ code: 'MEMCACHE_PARTIAL', cause: { code: 'MEMCACHE_SERVER_ERROR' } });
  const { calls, errors, retries } = only(client);
  expect(Object.keys(errors)).toEqual(['MEMCACHE_SERVER_ERROR']);
  expect(sum(errors)).toBe(sum(calls));
  expect(retries).toBe(0);
  await client.close();
  await refusing.close();
});

it('a value that cannot be read is counted as such, in a call for many keys too, and with ignoreErrors', async () => {
  const serde = { serialize: (value: string) => ({ data: value, flags: 0 }), deserialize: (): string => { throw new Error('unreadable'); } };
  const client = new Client(server.address, { serde, ignoreErrors: true });
  await client.set('unreadable', 'x');
  expect(await client.getMany(['unreadable', 'none'])).toEqual(new Map());
  expect(await client.get('unreadable')).toBeUndefined();
  expect(only(client)).toMatchObject({ errors: { MEMCACHE_SERDE: 3 }, ignored: 3 });
  await client.close();
});

it('latency runs from the write to the reply', async () => {
  const relay = await Relay.start(server.port, () => ({
    fromServer: (bytes, client) => {
      void setTimeout(50).then(() => client.write(bytes));
    },
  }));
  const client = new Client(relay.address);
  await Promise.all([client.get('a'), client.get('b'), client.set('c', 1)]);
  await client.get('a');
  const { latency } = only(client);
  expect(latency.count).toBe(4);
  expect(latency.p50).toBeGreaterThan(45);
  expect(latency.sum).toBeGreaterThan(4 * 49);
  expect(latency.p50).toBeLessThanOrEqual(latency.max);
  await client.close();
  await relay.close();
});

it('a clock that goes back makes no time shorter than none', async () => {
  const clock = new ManualClock();
  const client = new Client(server.address, { clock });
  await client.get('a');
  const calls = [client.get('a'), client.get('b')];
  process.nextTick(() => { clock.advance(-3_600_000); });
  await Promise.all(calls);
  expect(only(client).latency).toMatchObject({ count: 3, sum: 0, max: 0, p50: 0 });
  await client.close();
});

it('a call whose server is asked for its version first counts from its own write, which is told too', async () => {
  let asked = 0;
  const relay = await Relay.start(server.port, () => ({
    fromClient: (bytes, upstream) => {
      if (asked === 0) asked = performance.now();
      upstream.write(bytes);
    },
    fromServer: (bytes, client) => {
      void setTimeout(50).then(() => client.write(bytes));
    },
  }));
  const recorder = new Recorder();
  const client = new Client(relay.address);
  await client.metaSet('a', 1);
  const whole = performance.now() - asked;
  recorder.stop();
  const { latency, bytesWritten } = only(client);
  expect(recorder.of(CHANNELS.batch)).toMatchObject([{ calls: 1 }, { calls: 0 }]);
  expect(recorder.of(CHANNELS.batch).reduce((all, { bytes }) => all + bytes, 0)).toBe(bytesWritten);
  expect(latency.count).toBe(1);
  expect(latency.sum).toBeGreaterThan(45);
  // The answer to the question took 50 ms of it.
  expect(latency.sum).toBeLessThan(whole - 45);
  await client.close();
  await relay.close();
});

it('a connection that a full server refuses is made and lost, and not also one that could not be made', async () => {
  const full = await ScriptedServer.start(async (connection) => {
    await connection.send('ERROR Too many open connections\r\n');
    await connection.fin();
  });
  const recorder = new Recorder();
  const client = new Client(full.address);
  await expect(client.get('a')).rejects.toMatchObject({ code: 'MEMCACHE_SERVER_ERROR', certainty: 'notSent' });
  recorder.stop();
  expect(only(client)).toMatchObject({ state: 'failing', connects: 1, connectFailures: 0, disconnects: 1, connections: 0 });
  expect(recorder.of(CHANNELS.connect).map(({ error }) => error)).toEqual([undefined]);
  expect(recorder.of(CHANNELS.connectionClosed)).toMatchObject([{ code: 'MEMCACHE_SERVER_ERROR' }]);
  await client.close();
  await full.close();
});

it.each(CLASSES)('%s: a call that is made by whoever hears that a connection was closed goes over the next one', async (_, make) => {
  const server = await ScriptedServer.start();
  const client = make(server.address, {});
  await client.set('a', 'x');
  let call: Promise<unknown> | undefined;
  const recorder = new Recorder(({ name }) => {
    if (name === CHANNELS.connectionClosed) call ??= client.get('a');
  });
  server.connections[0]?.destroy();
  while (call === undefined) await setTimeout(1);
  expect(await call).toBe('x');
  recorder.stop();
  await client.close();
  await server.close();
});

it.each(CLASSES)('%s: calls that are made by whoever hears that a connection is being made share it', async (kind, make) => {
  const server = await ScriptedServer.start();
  const client = make(server.address, {});
  const calls: Promise<unknown>[] = [];
  const recorder = new Recorder(({ name }) => {
    if (name === CHANNELS.connect) calls.push(client.get('a'));
  });
  expect(await client.get('b')).toBeUndefined();
  expect(new Set(await Promise.all(calls))).toEqual(new Set([undefined]));
  recorder.stop();
  await client.close();
  // A pool needs more for calls that are not of one tick.
  if (kind !== 'PooledClient') expect(server.connections).toHaveLength(1);
  for (const connection of server.connections) await connection.closed;
  await server.close();
});

it.each(CLASSES)('%s: who hears that a connection is being made may give up its call, and close', async (_, make) => {
  const server = await ScriptedServer.start();
  const client = make(server.address, {});
  const aborting = new AbortController();
  let closed: Promise<void> | undefined;
  const recorder = new Recorder(({ name }) => {
    if (name !== CHANNELS.connect) return;
    aborting.abort();
    closed ??= client.close();
  });
  await expect(client.get('a', { signal: aborting.signal })).rejects.toMatchObject({ name: 'AbortError' });
  await setTimeout(5);
  recorder.stop();
  expect(closed).toBeDefined();
  await closed;
  for (const connection of server.connections) await connection.closed;
  expect(await client.get('a')).toBeUndefined();
  await client.close();
  await server.close();
});

it('the making of a connection ends for who listens, although the client is closed before it is made', async () => {
  const nothing = (): void => undefined;
  const never = { write: nothing, cork: nothing, uncork: nothing, backlog: 0, destroy: nothing, ref: nothing, unref: nothing };
  const client = new Client('a', { connect: (_address, _options, handler) => ({ ...never, destroy: () => { handler.onClose(undefined); } }) });
  const recorder = new Recorder();
  const aborting = new AbortController();
  const aborted = client.get('a', { signal: aborting.signal });
  setImmediate(() => { aborting.abort(); });
  await expect(aborted).rejects.toMatchObject({ name: 'AbortError' });
  await client.close();
  recorder.stop();
  expect(recorder.unbalanced(CHANNELS.connect)).toEqual([]);
  expect(recorder.of(CHANNELS.connect)).toMatchObject([{ error: { code: 'MEMCACHE_UNEXPECTED_CLOSE' } }]);
});

it('setMany counts what was stored, and what the server refused', async () => {
  await using small = await MemcachedServer.start({ maxItemSize: 2000 });
  const client = new Client(small.address);
  expect(await client.setMany({ a: 'x', b: 'x'.repeat(3000), c: 'x', d: 'x'.repeat(3000), e: 'x' })).toEqual(['b', 'd']);
  expect(only(client)).toMatchObject({ calls: { set: 5 }, stored: 3, notStored: 2, errors: {} });
  await client.close();
});

it('an abort is one, and its reply counts nowhere', async () => {
  const client = new Client(server.address);
  await client.set('a', 1);
  const controller = new AbortController();
  const aborted = client.get('a', { signal: controller.signal }).catch(() => 'aborted');
  setImmediate(() => controller.abort());
  await Promise.all([aborted, client.delete('none')]);
  await client.get('a');
  await expect(client.get('a', { signal: AbortSignal.abort() })).rejects.toThrow();
  const { calls, hits, aborted: aborts, latency } = only(client);
  // The first of them may have been answered before its signal fired.
  expect(calls).toEqual({ set: 1, get: 3, delete: 1 });
  expect(hits + aborts).toBe(3);
  expect(latency.count).toBe(calls['get']! + 2 - aborts);
  await client.close();
});

it('overload and fail fast are calls and errors; illegal input and refusals of a serde are no calls', async () => {
  const client = new Client(server.address, { maxPending: 2 });
  const outcomes = await Promise.allSettled([client.get('a'), client.get('b'), client.get('c')]);
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
  await expect(client.get('a b')).rejects.toThrow();
  await expect(client.set('a', (() => 1))).rejects.toThrow();
  expect(only(client)).toMatchObject({ calls: { get: 3 }, errors: { MEMCACHE_OVERLOADED: 1 } });
  await client.close();

  const dead = await startMemcached();
  await dead.stop();
  const failing = new HashClient([dead.address], { retryTimeout: 5000 });
  await failing.get('a').catch(() => undefined);
  await failing.getMany(['a', 'b', 'c']).catch(() => undefined);
  expect(only(failing)).toMatchObject({ state: 'failing', calls: { get: 4 }, errors: { MEMCACHE_CONNECT: 4 }, connectFailures: 1 });
  await failing.close();
});

it('ignored errors are counted by key, and told to the function', async () => {
  const dead = await startMemcached();
  await dead.stop();
  const told: string[] = [];
  const client = new HashClient([dead.address, server.address], {
    retryTimeout: 0,
    ignoreErrors: (error) => {
      told.push(error.code);
      throw new Error('whatever it does');
    },
  });
  const keys = Array.from({ length: 40 }, (_, i) => `k${i}`);
  const lost = keys.filter((key) => client.serverFor(key) === dead.address);
  expect(lost.length).toBeGreaterThan(5);
  await client.getMany(keys);
  await Promise.all(lost.slice(0, 3).map((key) => client.get(key)));
  expect(await client.metaGet(lost[0] ?? '')).toBeUndefined();
  const metrics = client.metrics().get(dead.address);
  expect(metrics?.ignored).toBe(lost.length + 4);
  expect(sum(metrics?.errors ?? {})).toBe(metrics?.ignored);
  expect(client.metrics().get(server.address)?.ignored).toBe(0);
  expect(told).toHaveLength(5);
  await client.close();
});

it('retries are counted at the server that failed, each attempt at its own', async () => {
  const dead = await startMemcached();
  await dead.stop();
  const client = new RetryingClient(new Client(dead.address), { attempts: 4 });
  await client.get('a').catch(() => undefined);
  expect(only(client)).toMatchObject({ calls: { get: 4 }, errors: { MEMCACHE_CONNECT: 4 }, retries: 3 });
  await client.close();
});

it('while all servers are dead no server counts a call, an ignored error or a retry: the channels tell of them', async () => {
  const dead = await startMemcached();
  await dead.stop();
  const client = new RetryingClient(new HashClient([dead.address], { retryAttempts: 0, ignoreErrors: true }), { attempts: 2 });
  const recorder = new Recorder();
  // Both end with the error of their second attempt, for which there was no server left.
  expect(await client.get('a')).toBeUndefined();
  expect(await client.get('a')).toBeUndefined();
  recorder.stop();
  expect(only(client)).toMatchObject({ state: 'dead', calls: { get: 1 }, errors: { MEMCACHE_CONNECT: 1 }, ignored: 0, retries: 1 });
  expect(recorder.of(CHANNELS.retry).map(({ code }) => code)).toEqual(['MEMCACHE_CONNECT', 'MEMCACHE_NO_SERVERS']);
  expect(recorder.of(CHANNELS.command)).toMatchObject([{ attempts: 2 }, { attempts: 2, error: { code: 'MEMCACHE_NO_SERVERS' } }]);
  await client.close();
});

it('a server that leaves a cluster and comes back goes on counting', async () => {
  const client = new HashClient([server.address]);
  await client.get('a');
  await client.removeServer(server.address);
  expect(client.metrics().size).toBe(0);
  await client.addServer(server.address);
  await client.get('a');
  expect(only(client).calls).toEqual({ get: 2 });
  await client.close();
});

it('an EmbeddedClient counts too', async () => {
  const client = new EmbeddedClient();
  await client.set('a', 1);
  await client.get('a');
  expect([...client.metrics()]).toMatchObject([['embedded', { hits: 1, stored: 1, connections: 1, latency: { count: 2 } }]]);
  await client.close();
});
