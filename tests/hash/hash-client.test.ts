import {
  CHANNELS,
  Client,
  dnsDiscovery,
  ElastiCacheClient,
  HashClient,
  KetamaHash,
  KeysCommand,
  MemcacheIllegalInputError,
  MemcachePartialError,
  MORE,
  RetryingClient,
  type Hasher,
  type HashClientOptions,
  type Key,
  type ReplyReader,
  type RequestWriter,
} from '../../src';
import { connectSocket, type Connect } from '../../src/client/wire/transport';
import { MemcachedServer } from '../../src/server';
import { Recorder } from '../observe/recorder';
import { failure, illegal, rejection } from '../support/contract';
import { ScriptedServer, type ScriptedConnection } from '../support/scripted-server';
import { turns, VirtualClock } from '../support/virtual-clock';

const KEYS = Array.from({ length: 300 }, (_, i) => `key-${i}`);

let servers: ScriptedServer[];
let clock: VirtualClock;
/** Addresses at which nobody answers for the moment. */
let gone: Set<string>;
let opened: string[];
beforeEach(async () => {
  clock = new VirtualClock();
  gone = new Set();
  opened = [];
  servers = await Promise.all([1, 2, 3].map(() => ScriptedServer.start()));
});
afterEach(async () => {
  for (const server of servers) {
    await server.close();
    expect(server.failures).toEqual([]);
  }
});

const connect: Connect = (address, options, handler) => {
  opened.push(address.name);
  // A port of the loopback where nobody ever listens.
  const target = gone.has(address.name) ? { ...address, endpoint: { host: '127.0.0.1', port: 1 } } : address;
  return connectSocket(target, options, handler);
};

function makeClient(options: HashClientOptions = {}): HashClient {
  return new HashClient(servers.map(({ address }) => address), { clock, connect, random: () => 1, ...options });
}

/** Makes the server unreachable, connections and all. */
async function kill(server: ScriptedServer): Promise<void> {
  gone.add(server.address);
  for (const connection of server.connections) connection.destroy();
  await turns(10);
}

const addresses = (): string[] => servers.map(({ address }) => address);

const keysOf = (client: HashClient, name: string): string[] => KEYS.filter((key) => client.serverFor(key) === name);

/** A client that has stored all keys, one of its servers, and the keys that are there. */
async function withAllKeys(): Promise<{ client: HashClient; server: ScriptedServer; own: string[] }> {
  const client = makeClient();
  const [server] = servers;
  if (server === undefined) throw new Error('no servers');
  await client.setMany(KEYS.map((key): [string, string] => [key, key]));
  return { client, server, own: keysOf(client, server.address) };
}

it('each key lives on its owner, and serverFor tells which that is', async () => {
  const client = makeClient();
  expect(await client.setMany(KEYS.map((key): [string, string] => [key, key]))).toEqual([]);
  for (const server of servers) {
    const own = keysOf(client, server.address);
    expect(own.length).toBeGreaterThan(50);
    const stored = [...(await client.stats()).get(server.address) ?? []].find(([name]) => name === 'curr_items');
    expect(stored).toEqual(['curr_items', String(own.length)]);
  }
  expect([...(await client.getMany(KEYS)).keys()]).toEqual(KEYS);
  await client.close();
});

it('a routing key decides in place of the key, and no prefix does', async () => {
  const client = makeClient({ keyPrefix: 'p:' });
  expect(client.serverFor(['user-1', 'a'])).toBe(client.serverFor('user-1'));
  expect(client.serverFor('user-1')).toBe(makeClient().serverFor('user-1'));
  await client.set(['user-1', 'a'], 'x');
  expect(await client.get(['user-1', 'a'])).toBe('x');
  await client.close();
});

it('servers() tells how each one fares', async () => {
  const client = makeClient({ retryTimeout: 1000 });
  const [first, second] = servers;
  if (first === undefined || second === undefined) throw new Error('no servers');
  const healthy = { weight: 1, state: 'healthy', failures: 0, nextProbe: 0, inFlight: 0 };
  expect(client.servers()).toEqual(servers.map(({ address: name }) => ({ name, ...healthy })));
  second.next((connection) => connection.hold());
  const [key = ''] = keysOf(client, second.address);
  const waiting = failure(client.get(key));
  await turns();
  expect(client.servers()[1]).toMatchObject({ inFlight: 1 });
  await clock.advance(1000);
  await waiting;
  expect(client.servers()[1]).toEqual({ name: second.address, weight: 1, state: 'failing', failures: 1, nextProbe: 1000, inFlight: 0 });
  await clock.advance(400);
  expect(client.servers()[1]).toMatchObject({ nextProbe: 600 });
  await client.close();
});

it('failing: its keys fail at once; dead: they move to the others; back: they are its own again', async () => {
  const client = makeClient({ retryAttempts: 2, retryTimeout: 1000, deadTimeout: 60_000 });
  const [server] = servers;
  if (server === undefined) throw new Error('no servers');
  const own = keysOf(client, server.address);
  const [key = ''] = own;
  const others = KEYS.filter((other) => !own.includes(other));
  const before = new Map(others.map((other) => [other, client.serverFor(other)]));
  await client.set(key, 'here');
  await kill(server);
  // The first call finds out; until the next probe nobody asks.
  expect(await failure(client.get(key))).toMatchObject({ code: 'MEMCACHE_CONNECT', server: server.address, certainty: 'notSent' });
  expect(client.servers()[0]).toMatchObject({ state: 'failing' });
  opened = [];
  for (let i = 0; i < 50; i++) expect((await failure(client.get(key))).message).toContain('is failing and is probed again in');
  expect(opened).toEqual([]);
  expect(await client.set(others[0] ?? '', 'fine')).toBe(true);
  opened = [];
  for (let probe = 0; probe < 2; probe++) {
    await clock.advance(1000);
    const outcomes = await Promise.all(own.slice(0, 20).map((one) => failure(client.get(one))));
    expect(new Set(outcomes.map(({ code }) => code))).toEqual(new Set(['MEMCACHE_CONNECT']));
    expect(opened).toHaveLength(probe + 1);
  }
  // Dead: exactly its keys have moved.
  expect(client.servers()[0]).toMatchObject({ state: 'dead' });
  for (const other of others) expect(client.serverFor(other)).toBe(before.get(other));
  for (const one of own) expect(client.serverFor(one)).not.toBe(server.address);
  expect(await client.get(key)).toBeUndefined();
  expect(await client.set(key, 'elsewhere')).toBe(true);
  // One probe at a time brings it back.
  gone.clear();
  opened = [];
  await clock.advance(59_999);
  await client.get(key);
  expect(opened).toEqual([]);
  await clock.advance(2);
  await Promise.all(Array.from({ length: 20 }, () => client.get(key)));
  await turns(10);
  expect(opened).toEqual([server.address]);
  expect(client.servers()[0]).toMatchObject({ state: 'healthy', failures: 0 });
  expect(own.every((one) => client.serverFor(one) === server.address)).toBe(true);
  expect(await client.get(key)).toBe('here');
  await client.close();
});

it('with ignoreErrors reads miss and writes still tell', async () => {
  const client = makeClient({ ignoreErrors: true });
  const [server] = servers;
  if (server === undefined) throw new Error('no servers');
  const [key = ''] = keysOf(client, server.address);
  await client.setMany(KEYS.map((one): [string, string] => [one, one]));
  await kill(server);
  expect(await client.get(key)).toBeUndefined();
  expect(await client.gets(key)).toEqual([undefined, undefined]);
  const found = await client.getMany(KEYS);
  expect(found.size).toBe(KEYS.length - keysOf(client, server.address).length);
  expect(await rejection(client.set(key, 'x'))).toMatchObject({ code: 'MEMCACHE_CONNECT' });
  await client.close();
});

it.each<[string, boolean, (server: ScriptedServer, key: string, client: HashClient) => Promise<unknown>]>([
  ['a time-out', true, async (server, key, client) => {
    server.next((connection) => connection.hold());
    const outcome = failure(client.get(key));
    await turns();
    await clock.advance(1001);
    return outcome;
  }],
  ['a reset', true, (server, key, client) => {
    server.next(async (connection) => {
      await connection.expectMatch(/\r\n/);
      await connection.rst();
    });
    return failure(client.get(key));
  }],
  ['garbage', true, (server, key, client) => {
    server.next(async (connection) => {
      await connection.expectMatch(/\r\n/);
      await connection.send('garbage\r\n');
    });
    return failure(client.get(key));
  }],
  ['SERVER_ERROR', false, (server, key, client) => {
    server.next(async (connection) => {
      await connection.expectMatch(/\r\n/);
      await connection.send('SERVER_ERROR out of memory\r\n');
    });
    return failure(client.get(key));
  }],
  ['CLIENT_ERROR', false, (server, key, client) => {
    server.next(async (connection) => {
      await connection.expectMatch(/x\r\n/);
      await connection.send('CLIENT_ERROR bad data chunk\r\n');
    });
    return failure(client.set(key, 'x'));
  }],
  ['illegal input', false, (_, __, client) => failure(client.get('a b'))],
  ['an abort', false, async (server, key, client) => {
    server.next((connection) => connection.hold());
    const abort = new AbortController();
    const outcome = rejection(client.get(key, { signal: abort.signal }));
    await turns();
    abort.abort();
    return outcome;
  }],
  ['quit', false, async (_, __, client) => {
    await client.quit();
  }],
])('%s counts against a server: %p', async (_, counts, harm) => {
  const client = makeClient();
  const [server] = servers;
  if (server === undefined) throw new Error('no servers');
  await harm(server, keysOf(client, server.address)[0] ?? '', client);
  await turns();
  expect(client.servers()[0]?.state).toBe(counts ? 'failing' : 'healthy');
  await client.close();
});

it('partial failures carry what came, and setMany names exactly what was not stored', async () => {
  const { client, server, own } = await withAllKeys();
  await kill(server);
  const error = await rejection(client.getMany(KEYS));
  expect(error).toBeInstanceOf(MemcachePartialError);
  const { partial, failures } = error as MemcachePartialError;
  expect([...(partial as Map<string, string>).keys()]).toEqual(KEYS.filter((key) => !own.includes(key)));
  expect([...failures.keys()]).toEqual([server.address]);
  expect((await client.setMany(KEYS.map((key): [string, string] => [key, 'new']))).sort()).toEqual([...own].sort());
  expect(await rejection(client.deleteMany(KEYS))).toMatchObject({ code: 'MEMCACHE_PARTIAL', partial: KEYS.length - own.length });
  expect(await rejection(client.version())).toMatchObject({ code: 'MEMCACHE_PARTIAL' });
  await client.close();
});

/** A command of somebody's own: which of the keys are there. */
class Which extends KeysCommand<string[]> {
  readonly verb = 'get';
  readonly idempotent = true;

  constructor(
    readonly keys: readonly string[],
    readonly merges: { results: readonly string[][]; owners: readonly number[] }[] = [],
  ) {
    super();
  }

  pick(indices: readonly number[]): Which {
    return new Which(indices.map((index) => this.keys[index] ?? ''));
  }

  merge(results: readonly string[][], owners: readonly number[]): string[] {
    this.merges.push({ results, owners });
    return results.flat();
  }

  write(request: RequestWriter): void {
    request.text(`get ${this.keys.join(' ')}\r\n`);
  }

  reader(): ReplyReader<string[]> {
    const found: string[] = [];
    return {
      read: (frame) => {
        if (!frame.hasBlock) return found;
        found.push(frame.line().split(' ')[1] ?? '');
        return MORE;
      },
    };
  }
}

it("a command of one's own merges the results that there are, and knows whose each is", async () => {
  const { client, server, own: lost } = await withAllKeys();
  const whole = new Which(KEYS);
  expect((await client.executor.execute(whole)).sort()).toEqual([...KEYS].sort());
  await kill(server);
  const command = new Which(KEYS);
  const error = await rejection(client.executor.execute(command));
  expect([...((error as MemcachePartialError).partial as string[])].sort()).toEqual(KEYS.filter((key) => !lost.includes(key)).sort());
  for (const { results, owners } of [...whole.merges, ...command.merges]) {
    expect(owners).toHaveLength(KEYS.length);
    for (const [index, key] of KEYS.entries()) {
      const owner = owners[index] ?? -1;
      expect(results[owner]?.includes(key)).toBe(owner < 0 ? undefined : true);
    }
  }
  expect(KEYS.filter((_, index) => command.merges[0]?.owners[index] === -1)).toEqual(lost);
  await client.close();
});

describe('setMany', () => {
  it('names each of two items of the same key on different servers that was not stored', async () => {
    const client = new HashClient(['127.0.0.1:1'], { retryAttempts: 0 });
    await rejection(client.get('k'));
    expect(client.servers()).toMatchObject([{ state: 'dead' }]);
    const entries: [Key, number][] = [[['r1', 'k'], 1], [['r2', 'k'], 2], ['k', 3], ['k', 4]];
    expect(await client.setMany(entries)).toEqual([['r1', 'k'], ['r2', 'k'], 'k']);
    await client.close();
  });

  const entries: [string, string][] = KEYS.map((key) => [key, 'new']);

  function first(): ScriptedServer {
    const [server] = servers;
    if (server === undefined) throw new Error('no servers');
    return server;
  }

  it('after a time-out does not call a key not stored that may be stored, and says of which keys it is certain', async () => {
    const client = makeClient();
    const [slow, down, fine] = servers.map(({ address }) => address);
    first().next((connection) => connection.hold());
    gone.add(down ?? '');
    const outcome = rejection(client.setMany(entries));
    await turns();
    await clock.advance(1001);
    const error = (await outcome) as MemcachePartialError;
    expect(error).toBeInstanceOf(MemcachePartialError);
    expect([...error.failures]).toEqual([[slow, expect.objectContaining({ code: 'MEMCACHE_TIMEOUT', certainty: 'maybeExecuted' })]]);
    expect(error.certainty).toBe('maybeExecuted');
    expect((error.partial as string[]).sort()).toEqual(keysOf(client, down ?? '').sort());
    expect(await client.get(keysOf(client, fine ?? '')[0] ?? '')).toBe('new');
    await client.close();
  });

  it('resolves with a value that is too large among the keys not stored, and deletes what was there', async () => {
    const client = makeClient({ maxValueSize: 100 });
    const [large = '', ...small] = KEYS;
    await client.set(large, 'old');
    expect(await client.setMany([[large, 'x'.repeat(101)], ...small.map((key): [string, string] => [key, 'x'])])).toEqual([large]);
    expect(await client.getMany(KEYS)).toEqual(new Map(small.map((key) => [key, 'x'])));
    await client.close();
  });

  it('takes routing keys of bytes for different ones, though as text they are the same', async () => {
    const client = makeClient({ maxValueSize: 100, hasher: new KetamaHash() });
    const bytes = Array.from({ length: 128 }, (_, i) => Buffer.of(128 + i));
    const keys = servers.map(({ address }): Key => [bytes.find((part) => client.serverFor(part) === address) ?? '', 'k']);
    expect(new Set(keys.map((key) => client.serverFor(key)))).toEqual(new Set(servers.map(({ address }) => address)));
    await client.setMany([['large', 'x'.repeat(101)], ...keys.map((key): [Key, string] => [key, 'x'])]);
    for (const key of keys) expect(await client.get(key)).toBe('x');
    await client.close();
  });

  it('a value that is too large whose server is down does not hide that the others were stored', async () => {
    const client = makeClient({ maxValueSize: 100 });
    const [large = ''] = keysOf(client, first().address);
    await kill(first());
    const values = KEYS.map((key): [string, string] => [key, key === large ? 'x'.repeat(101) : 'x']);
    const error = (await rejection(client.setMany(values))) as MemcachePartialError;
    expect(error).toBeInstanceOf(MemcachePartialError);
    expect(error.certainty).toBe('maybeExecuted');
    expect([...error.failures.keys()]).toEqual([first().address]);
    const own = keysOf(client, first().address);
    expect([...(error.partial as string[])].sort()).toEqual([...own].sort());
    const others = KEYS.filter((key) => !own.includes(key));
    expect((await client.getMany(others)).size).toBe(others.length);
    await client.close();
  });

  it.each([1, 3])('repeated after a time-out, does not call a key not stored that the first attempt may have stored (%i servers)', async (count) => {
    const cluster = new HashClient(servers.slice(0, count).map(({ address }) => address), { clock, connect, random: () => 1, retryTimeout: 60_000 });
    const client = new RetryingClient(cluster, { attempts: 3 });
    first().next((connection) => connection.hold());
    const outcome = rejection(client.setMany(entries));
    await turns();
    await clock.advance(1001);
    // From then on nothing is sent to that server.
    const error = await outcome;
    expect(error).toMatchObject({ certainty: 'maybeExecuted' });
    if (count > 1) expect((error as MemcachePartialError).partial).toEqual([]);
    // What no attempt has sent is not stored.
    expect([...(await client.setMany(entries))].sort()).toEqual(keysOf(cluster, first().address).sort());
    await client.close();
  });

  it('of one server that is down, nothing was sent', async () => {
    const client = new Client(first().address, { connect, clock, maxValueSize: 100 });
    gone.add(first().address);
    const error = (await rejection(client.setMany({ a: 'x', b: 'x'.repeat(101) }))) as MemcachePartialError;
    expect(error).toMatchObject({ code: 'MEMCACHE_PARTIAL', certainty: 'notSent', partial: ['a', 'b'], cause: { code: 'MEMCACHE_CONNECT' } });
    await client.close();
  });

  it('an abort rejects with its reason, whatever else there is', async () => {
    const client = makeClient({ maxValueSize: 100 });
    const reason = new Error('never mind');
    const signal = AbortSignal.abort(reason);
    expect(await rejection(client.setMany({ a: 'x', b: 'x'.repeat(101) }, { signal }))).toBe(reason);
    await client.close();
  });
});

it('the certainty of a call to several servers: one that may have executed it makes it so, and only what nobody was sent is notSent', async () => {
  const client = makeClient({ retryTimeout: 60_000 });
  const [slow, down] = servers;
  if (slow === undefined || down === undefined) throw new Error('no servers');
  for (const server of servers) await kill(server);
  expect(await rejection(client.deleteMany(KEYS))).toMatchObject({ code: 'MEMCACHE_PARTIAL', certainty: 'notSent' });
  await clock.advance(60_000);
  gone.clear();
  await client.version().catch(() => undefined);
  for (const call of [() => client.flushAll(), () => client.deleteMany(KEYS)]) {
    slow.next((connection) => connection.hold());
    for (const connection of slow.connections) connection.destroy();
    await kill(down);
    const outcome = rejection(call());
    await turns();
    await clock.advance(1001);
    expect(await outcome).toMatchObject({ code: 'MEMCACHE_PARTIAL', certainty: 'maybeExecuted' });
    gone.clear();
    await clock.advance(60_000);
    await client.version().catch(() => undefined);
    await turns(10);
  }
  await client.close();
});

it('a server that stays, and is removed and added in the end, keeps its counts, however many others have come and gone', async () => {
  const client = makeClient();
  const address = servers[0]?.address ?? '';
  const [key = ''] = keysOf(client, address);
  await client.get(key);
  for (let i = 0; i < 100; i++) {
    const name = `10.0.0.${i}:11211`;
    await client.addServer(name);
    await client.removeServer(name);
  }
  await client.removeServer(address);
  await client.addServer(address);
  expect(client.metrics().get(address)?.calls).toMatchObject({ get: 1 });
  await client.close();
});

it('when all servers are dead calls say so, and recover', async () => {
  const client = makeClient({ retryAttempts: 0, deadTimeout: 5000 });
  for (const server of servers) await kill(server);
  await Promise.allSettled(KEYS.map((key) => client.get(key)));
  expect(client.servers().map(({ state }) => state)).toEqual(['dead', 'dead', 'dead']);
  expect(await failure(client.get('key'))).toMatchObject({ code: 'MEMCACHE_NO_SERVERS', certainty: 'notSent', message: expect.stringContaining('all servers are dead') as string });
  expect(client.serverFor('key')).toBeUndefined();
  gone.clear();
  await clock.advance(5001);
  await client.get('key').catch(() => undefined);
  await turns(20);
  expect(await client.set('key', 'x')).toBe(true);
  expect(client.servers().map(({ state }) => state)).toEqual(['healthy', 'healthy', 'healthy']);
  await client.close();
});

describe('as long as all servers are dead', () => {
  const states = (client: HashClient): string[] => client.servers().map(({ state }) => state);
  /** Makes a call, which nobody can serve but may begin probes, and gives these the time that they need. */
  const call = async (client: HashClient): Promise<void> => {
    await client.get('key').catch(() => undefined);
    await turns(20);
  };

  it('they are probed as often as failing ones, since nobody else can be asked', async () => {
    const client = makeClient({ retryAttempts: 0, retryTimeout: 1000, deadTimeout: 60_000 });
    const [first, second, third] = servers;
    if (first === undefined || second === undefined || third === undefined) throw new Error('no servers');
    const ask = (): Promise<unknown> => Promise.allSettled(KEYS.map((key) => client.get(key)));
    for (const server of [first, second]) await kill(server);
    await ask();
    expect(states(client)).toEqual(['dead', 'dead', 'healthy']);
    opened = [];
    await clock.advance(5000);
    await call(client);
    expect(opened).toEqual([]);
    await kill(third);
    await ask();
    expect(states(client)).toEqual(['dead', 'dead', 'dead']);
    // Each outage of seconds ended the use of all servers for up to a minute.
    for (let round = 0; round < 20; round++) {
      opened = [];
      await call(client);
      expect(opened).toEqual([]);
      await clock.advance(1000);
      await call(client);
      expect([...opened].sort()).toEqual(servers.map(({ address }) => address).sort());
    }
    gone.clear();
    await clock.advance(1000);
    await call(client);
    expect(states(client)).toEqual(['healthy', 'healthy', 'healthy']);
    // What was hurried is forgotten.
    await kill(first);
    await ask();
    expect(client.servers()[0]).toMatchObject({ state: 'dead', nextProbe: 60_000 });
    await client.close();
  });

  it('one that was being probed when another came back is probed soon once more', async () => {
    const client = makeClient({ retryAttempts: 0, retryTimeout: 1000, deadTimeout: 60_000 });
    for (const server of servers) await kill(server);
    await Promise.allSettled(KEYS.map((key) => client.get(key)));
    await call(client);
    const [first, second, third] = servers;
    if (first === undefined || second === undefined || third === undefined) throw new Error('no servers');
    await clock.advance(1000);
    // The probes of the others were begun before the network was back, and fail.
    gone.delete(first.address);
    await call(client);
    expect(states(client)).toEqual(['healthy', 'dead', 'dead']);
    expect(client.servers().map(({ nextProbe }) => nextProbe)).toEqual([0, 1000, 1000]);
    gone.delete(second.address);
    await clock.advance(1000);
    await call(client);
    expect(states(client)).toEqual(['healthy', 'healthy', 'dead']);
    // The third one is dead for a reason of its own.
    expect(client.servers()[2]).toMatchObject({ nextProbe: 60_000 });
    await client.close();
  });
});

it('servers come and go by hand while calls are under way', async () => {
  const client = makeClient();
  const extra = await MemcachedServer.start();
  const [server] = servers;
  if (server === undefined) throw new Error('no servers');
  const before = new Map(KEYS.map((key) => [key, client.serverFor(key)]));
  const calls = KEYS.map((key) => client.set(key, key));
  const added = client.addServer(extra.address);
  const moved = KEYS.filter((key) => client.serverFor(key) !== before.get(key));
  expect(moved.length).toBeGreaterThan(40);
  expect(moved.length).toBeLessThan(110);
  expect(moved.every((key) => client.serverFor(key) === extra.address)).toBe(true);
  const more = KEYS.map((key) => client.set(key, key));
  const removed = client.removeServer(server.address);
  // Those under way on it finish.
  expect(await Promise.all([...calls, ...more])).toEqual([...calls, ...more].map(() => true));
  await removed;
  expect(await added).toBeUndefined();
  // A promise in every case: nothing is thrown past those who wait for it.
  for (const wrong of [server.address, illegal(5)]) {
    const refused = client.removeServer(wrong);
    expect(await rejection(refused)).toMatchObject({ code: 'MEMCACHE_ILLEGAL_INPUT' });
  }
  for (const wrong of [extra.address, illegal(5), illegal({ server: 'localhost', weight: 0 })]) {
    const refused = client.addServer(wrong);
    expect(await rejection(refused)).toMatchObject({ code: 'MEMCACHE_ILLEGAL_INPUT' });
  }
  await expect(client.addServer(extra.address)).rejects.toThrow('already');
  await expect(client.removeServer(server.address)).rejects.toThrow('not in the cluster');
  expect(client.servers().map(({ name }) => name)).toEqual([servers[1]?.address, servers[2]?.address, extra.address]);
  await clock.advance(120_000);
  await client.get('key');
  expect(client.servers()).toHaveLength(3);
  await client.close();
  await extra.close();
});

it.each([[60, 1], [70, 0]])('what was counted of a server that is removed is kept for when it comes back, though not for ever: after %i others', async (others, counted) => {
  const client = makeClient();
  const [server] = servers;
  if (server === undefined) throw new Error('no servers');
  const [key = ''] = keysOf(client, server.address);
  await client.set(key, 'v');
  await client.removeServer(server.address);
  for (let i = 1; i <= others; i++) {
    await client.addServer(`127.0.0.9:${i}`);
    await client.removeServer(`127.0.0.9:${i}`);
  }
  await client.addServer(server.address);
  expect(client.metrics().get(server.address)).toMatchObject({ stored: counted });
  await client.close();
});

it.each(['127.0.0.1:1', '[::1]:1', '::1', '/s', 'unix:relative.sock'])('a server is removed by the name that servers() has: %s', async (form) => {
  const client = new HashClient([form]);
  const [status] = client.servers();
  await client.removeServer(status?.name ?? '');
  expect(client.servers()).toEqual([]);
  await client.addServer(form);
  await client.removeServer(form);
  expect(client.servers()).toEqual([]);
});

it('a server that is removed while it is dead stays away', async () => {
  const client = makeClient({ retryAttempts: 0 });
  const [server] = servers;
  if (server === undefined) throw new Error('no servers');
  const [key = ''] = keysOf(client, server.address);
  await kill(server);
  await failure(client.get(key));
  await client.removeServer(server.address);
  gone.clear();
  await clock.advance(120_000);
  await client.get(key);
  await turns(10);
  expect(client.serverFor(key)).not.toBe(server.address);
  await client.addServer(server.address);
  expect(client.serverFor(key)).toBe(server.address);
  await client.close();
});

it('a server that is removed by whoever hears that it is dead leaves no keys without a server', async () => {
  const client = makeClient({ retryAttempts: 0, deadTimeout: 5000 });
  const [first, second] = servers;
  if (first === undefined || second === undefined) throw new Error('no servers');
  const recorder = new Recorder(({ name, copy }) => {
    if (name === CHANNELS.serverState && copy['server'] === first.address && copy['to'] === 'dead') void client.removeServer(first.address);
  });
  const [key = ''] = keysOf(client, first.address);
  await kill(first);
  await failure(client.get(key));
  expect(client.serverFor(key)).not.toBe(first.address);
  expect(await client.get(key)).toBeUndefined();
  // Those that die afterwards are probed all the same.
  const [other = ''] = keysOf(client, second.address);
  await kill(second);
  await failure(client.get(other));
  gone.clear();
  await clock.advance(5000);
  await client.get(other);
  await turns(10);
  expect(client.serverFor(other)).toBe(second.address);
  recorder.stop();
  await client.close();
});

it('a probe that is answered after its server was removed gives it no keys', async () => {
  const client = makeClient({ retryAttempts: 0, deadTimeout: 5000 });
  const [server] = servers;
  if (server === undefined) throw new Error('no servers');
  const [key = ''] = keysOf(client, server.address);
  await kill(server);
  await failure(client.get(key));
  gone.clear();
  let answer: () => void = () => undefined;
  server.next(() => new Promise((resolve) => (answer = resolve)));
  await clock.advance(5000);
  await client.get(key);
  await turns(10);
  expect(client.servers().find(({ name }) => name === server.address)).toMatchObject({ state: 'dead', inFlight: 1 });
  const removed = client.removeServer(server.address);
  answer();
  await removed;
  expect(client.serverFor(key)).not.toBe(server.address);
  expect(await client.get(key)).toBeUndefined();
  await client.close();
});

it.each([0, 2 ** 31 - 1])('a probe that is never answered is not the last one, nor does close() wait for it, when timeout is %i', async (timeout) => {
  const client = makeClient({ retryAttempts: 0, deadTimeout: 5000, timeout });
  const [server] = servers;
  if (server === undefined) throw new Error('no servers');
  const [key = ''] = keysOf(client, server.address);
  await kill(server);
  await failure(client.get(key));
  gone.clear();
  const hold = (connection: ScriptedConnection): Promise<void> => connection.hold();
  server.next(hold);
  server.next(hold);
  for (const state of ['dead', 'dead', 'healthy']) {
    await clock.advance(5000);
    await client.get(key);
    await turns(10);
    expect(client.servers().find(({ name }) => name === server.address)).toMatchObject({ state });
    await clock.advance(5000);
    await turns(10);
  }
  await kill(server);
  await failure(client.get(key));
  gone.clear();
  server.next(hold);
  await clock.advance(5000);
  await client.get(key);
  await turns(10);
  expect(client.servers().find(({ name }) => name === server.address)).toMatchObject({ state: 'dead', inFlight: 1 });
  const closed = client.close();
  await clock.advance(5000);
  await closed;
});

it.each([false, true])('a value that another client made larger than maxValueSize is no trouble with its server; pool: %s', async (usePooling) => {
  await using server = await MemcachedServer.start({ maxItemSize: 4_000_000 });
  await using writer = new Client(server.address, { maxValueSize: 3_000_000 });
  await using client = new HashClient([server.address], { retryAttempts: 0, usePooling });
  await writer.set('large', Buffer.alloc(2_000_000));
  await client.set('k', 'v');
  for (let i = 0; i < 3; i++) expect(await failure(client.get('large'))).toMatchObject({ code: 'MEMCACHE_UNKNOWN', message: expect.stringContaining('maxValueSize') as string });
  expect(client.servers()).toMatchObject([{ state: 'healthy', failures: 0 }]);
  expect(await client.get('k')).toBe('v');
});

it('a weight is a share of the keys', async () => {
  const [first, second] = servers.map(({ address }) => address);
  const client = new HashClient([{ server: first ?? '', weight: 3 }, { server: second ?? '' }]);
  const share = Array.from({ length: 20_000 }, (_, i) => client.serverFor(`k${i}`)).filter((name) => name === first).length / 20_000;
  expect(share).toBeGreaterThan(0.735);
  expect(share).toBeLessThan(0.765);
  await client.close();
});

const calls: [name: string, call: (client: Client) => Promise<unknown>][] = [
  ['get', (client) => client.get('k')],
  ['gets', (client) => client.gets('k')],
  ['getMany', (client) => client.getMany(['k', 'l'])],
  ['set', (client) => client.set('k', 'v')],
  ['set with noreply', (client) => client.set('k', 'v', { noreply: true })],
  ['setMany', (client) => client.setMany({ k: 'v' })],
  ['delete', (client) => client.delete('k')],
  ['incr', (client) => client.incr('k')],
  ['metaSet', (client) => client.metaSet('k', 'v')],
];

it.each(calls)('%s rejects with what a hasher throws, and does not throw', async (_, call) => {
  const mistake = new TypeError('this key has no tag');
  const hasher = { addNode: () => undefined, removeNode: () => undefined, getNode: () => { throw mistake; } };
  const cluster = new HashClient(servers.map(({ address }) => address), { hasher });
  for (const client of [cluster, new RetryingClient(cluster), new Client(cluster.executor, { ignoreErrors: true })]) {
    const result = call(client);
    expect(await rejection(result)).toBe(mistake);
  }
  await cluster.close();
});

describe('a hasher', () => {
  const OF_ANOTHER = illegal(/^hasher belongs to another client$/);

  it('is of one client, until that one is closed', async () => {
    const hasher = new KetamaHash();
    const first = makeClient({ hasher });
    expect(() => makeClient({ hasher })).toThrow(OF_ANOTHER);
    expect(() => new ElastiCacheClient('localhost:1', { hasher })).toThrow(OF_ANOTHER);
    expect(() => new HashClient(dnsDiscovery('localhost'), { hasher })).toThrow(OF_ANOTHER);
    // Nothing was changed by those.
    expect(await first.set('k', 'v')).toBe(true);
    await first.close();
    const second = makeClient({ hasher });
    expect(await second.get('k')).toBe('v');
    // This one has it no more, and cannot give it away.
    await first.close();
    expect(() => makeClient({ hasher })).toThrow(OF_ANOTHER);
    // A policy closes what is behind it.
    await new RetryingClient(second).close();
    await makeClient({ hasher }).close();
  });

  it.each<readonly [string, (hasher: Hasher) => unknown]>([
    ['there is no such option', (hasher) => makeClient({ hasher, ...{ hashes: 1 } })],
    ['a server stands twice', (hasher) => new HashClient(['a:1', 'a:1'], { hasher })],
    ['there is no server', (hasher) => new HashClient([], { hasher })],
    ['a prefix is not legal', (hasher) => new HashClient(['a:1', 'b:1'], { hasher, keyPrefix: 'a b' })],
  ])('is free when a client could not be made: %s', async (_, make) => {
    const hasher = new KetamaHash();
    expect(() => make(hasher)).toThrow(MemcacheIllegalInputError);
    const client = makeClient({ hasher });
    // It has learnt of none of the others' servers.
    for (let i = 0; i < 20; i++) expect(addresses()).toContain(hasher.getNode(`k${i}`));
    await client.close();
  });

  it('has the servers of the client that has it, and none of the one before', async () => {
    const [first, second] = addresses();
    const hasher = new KetamaHash();
    const before = new HashClient([first!, 'localhost:1'], { hasher, retryAttempts: 0 });
    await expect(before.setMany(Array.from({ length: 20 }, (_, i): [string, number] => [`k${i}`, i]))).resolves.not.toEqual([]);
    expect(before.servers().map(({ state }) => state)).toEqual(['healthy', 'dead']);
    await before.close();
    expect(await before.set('k', 'still its own')).toBe(true);
    await before.close();
    const client = new HashClient([first!, second!], { hasher });
    const all = Array.from({ length: 20 }, (_, i) => `k${i}`);
    expect(await client.setMany(all.map((key): [string, string] => [key, key]))).toEqual([]);
    await before.addServer('localhost:1');
    await expect(before.get('k')).rejects.toMatchObject({ code: 'MEMCACHE_NO_SERVERS' });
    expect((await client.getMany(all)).size).toBe(20);
    await client.close();
  });
});

it('usePooling puts a pool behind each server', async () => {
  const client = makeClient({ usePooling: true, maxPoolSize: 2 });
  const [server] = servers;
  if (server === undefined) throw new Error('no servers');
  const own = keysOf(client, server.address);
  server.next(async (connection) => {
    await connection.expectMatch(/\r\n/);
    await turns(30);
    await connection.send('END\r\n');
  });
  const slow = client.get(own[0] ?? '');
  await turns(5);
  expect(await client.get(own[1] ?? '')).toBeUndefined();
  expect(server.connections).toHaveLength(2);
  await slow;
  await client.close();
});

it('a cluster without a server is refused', () => {
  for (const none of [[], new Set<string>()]) expect(() => new HashClient(none)).toThrow('servers must hold at least one server');
});

it('a weight is a weight, beside the server or beside its host', () => {
  const servers = [{ host: 'a', port: 1, weight: 5 }, { server: 'b:2', weight: 4 }, { path: '/c', weight: 3 }, { host: 'd' }, 'e'];
  const client = new HashClient(servers);
  expect(client.servers().map(({ name, weight }) => [name, weight])).toEqual([['a:1', 5], ['b:2', 4], ['/c', 3], ['d:11211', 1], ['e:11211', 1]]);
  expect(() => new HashClient([{ host: 'a', weight: -1 }])).toThrow('weight must be');
  expect(() => new HashClient([illegal(null)])).toThrow('server must be "host"');
  expect(() => new HashClient([illegal({ server: 'a', wieght: 2 })])).toThrow('there is no option "wieght"; the options are server, weight');
  expect(() => new HashClient([illegal({ host: 'a', wieght: 2 })])).toThrow('there is no option "wieght"');
});
