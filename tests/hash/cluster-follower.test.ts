import { AsyncLocalStorage } from 'node:async_hooks';
import { execFile } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { getEventListeners } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CHANNELS, HashClient, ManualClock, MemcacheNoServersError, type ClusterServer, type Discovery, type HashClientOptions } from '../../src';
import { MemcachedServer } from '../../src/server';
import { failure, illegal, rejection } from '../support/contract';
import { CompiledProgram } from '../support/program';
import { ScriptedServer } from '../support/scripted-server';
import { SeededRandom } from '../support/seeded-random';
import { turns, VirtualClock } from '../support/virtual-clock';

let servers: MemcachedServer[];
beforeEach(async () => {
  servers = await Promise.all([1, 2, 3].map(() => MemcachedServer.start()));
});
afterEach(async () => {
  await Promise.all(servers.map((server) => server.close()));
});
const address = (index: number): string => servers[index]?.address ?? '';

/** A source whose lists, and failures, a test hands out one by one. */
class Source {
  readonly looks: number[] = [];
  ended = 0;
  #next: (ClusterServer[] | Error)[] = [];
  #wake: () => void = () => undefined;
  readonly #clock: VirtualClock;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  give(list: ClusterServer[] | Error): void {
    this.#next.push(list);
    this.#wake();
  }

  readonly discovery: Discovery = (context) => this.#lists(context);

  async *#lists({ signal, wait }: Parameters<Discovery>[0]): AsyncGenerator<ClusterServer[]> {
    try {
      while (!signal.aborted) {
        this.looks.push(this.#clock.now());
        let list: ClusterServer[] | Error | undefined;
        while ((list = this.#next.shift()) === undefined && !isOver(signal)) {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
            signal.addEventListener('abort', () => resolve());
          });
        }
        if (list === undefined) return;
        if (list instanceof Error) throw list;
        yield list;
        await wait(60_000);
      }
    } finally {
      this.ended++;
    }
  }
}

const isOver = (signal: AbortSignal): boolean => signal.aborted;

function makeClient(options: HashClientOptions = {}): { client: HashClient; clock: VirtualClock; source: Source } {
  const clock = new VirtualClock();
  const source = new Source(clock);
  return { clock, source, client: new HashClient(source.discovery, { clock, random: () => 1, ...options }) };
}

const names = (client: HashClient): string[] => client.servers().map(({ name }) => name).sort();

it('asks in the context in which the client was made, not in that of the request that came first', async () => {
  const storage = new AsyncLocalStorage<string>();
  const contexts: unknown[] = [];
  const discovery: Discovery = async function* ({ wait }) {
    for (let look = 0; look < 3; look++) {
      contexts.push(storage.getStore());
      yield [address(0)];
      await wait(1);
      contexts.push(storage.getStore());
    }
  };
  const client = storage.run('program', () => new HashClient(discovery));
  expect(await storage.run('request', () => client.set('k', 'v').then((stored) => [stored, storage.getStore()]))).toEqual([true, 'request']);
  while (contexts.length < 6) await turns(1);
  expect(contexts).toEqual(Array.from({ length: 6 }, () => 'program'));
  await client.close();
});

it('asks nobody before the first call, which waits for the first list', async () => {
  const { client, source } = makeClient();
  await turns(5);
  expect([source.looks, client.servers(), client.serverFor('k')]).toEqual([[], [], undefined]);
  const calls = [client.set('k', 'v'), client.get('k'), client.getMany(['k'])];
  await turns(5);
  source.give([address(0), address(1)]);
  expect(await Promise.all(calls)).toEqual([true, 'v', new Map([['k', 'v']])]);
  expect(names(client)).toEqual([address(0), address(1)].sort());
  await client.close();
  expect(source.ended).toBe(1);
});

it('a new list replaces the old: what stays keeps its connections, and only keys that must move do', async () => {
  const { client, source, clock } = makeClient();
  source.give([address(0), address(1)]);
  const keys = Array.from({ length: 200 }, (_, i) => `k${i}`);
  await client.setMany(keys.map((key): [string, string] => [key, key]));
  const before = new Map(keys.map((key) => [key, client.serverFor(key)]));
  const connections = async (): Promise<unknown> => (await client.stats()).get(address(0))?.get('total_connections');
  const made = await connections();
  source.give([address(0), address(1), address(2)]);
  await clock.advance(60_000);
  const calls = keys.map((key) => client.get(key));
  expect(names(client)).toHaveLength(3);
  for (const key of keys) if (client.serverFor(key) !== before.get(key)) expect(client.serverFor(key)).toBe(address(2));
  // Those under way on a server that leaves finish there.
  source.give([address(0), address(2)]);
  await clock.advance(60_000);
  await Promise.all(calls);
  expect(names(client)).toEqual([address(0), address(2)].sort());
  expect(await connections()).toBe(made);
  await client.close();
});

it('takes weights, and notices when they change', async () => {
  const { client, source, clock } = makeClient();
  source.give([{ server: address(0), weight: 1 }, { server: address(1), weight: 1 }]);
  await client.get('k');
  source.give([{ server: address(0), weight: 5 }, { server: address(1), weight: 1 }]);
  await clock.advance(60_000);
  expect(client.servers().map(({ name, weight }) => [name, weight]).sort()).toEqual([[address(0), 5], [address(1), 1]].sort());
  expect(await client.set('k', 1)).toBe(true);
  await client.close();
});

it('takes credentials, and notices when they change', async () => {
  const auth = { username: 'alice', password: 'new' };
  await using server = await MemcachedServer.start({ auth: [auth] });
  const { client, source, clock } = makeClient();
  source.give([`memcached://alice:old@${server.address}`]);
  expect(await failure(client.get('k'))).toMatchObject({ code: 'MEMCACHE_AUTHENTICATION' });
  source.give([`memcached://alice:new@${server.address}`]);
  await clock.advance(60_000);
  expect(await client.set('k', 1)).toBe(true);
  source.give([`memcached://alice:new@${server.address}`]);
  await clock.advance(60_000);
  expect(await client.get('k')).toBe(1);
  expect(client.metrics().get(server.address)?.connectFailures).toBe(1);
  expect(server.metrics.connections.total).toBe(2);
  await client.close();
});

it('a source that fails before its first list fails the calls that wait, and is asked again', async () => {
  const { client, source, clock } = makeClient();
  source.give(new Error('no such name'));
  const error = await failure(client.get('k'));
  expect(error).toBeInstanceOf(MemcacheNoServersError);
  expect(error).toMatchObject({ certainty: 'notSent', cause: new Error('no such name') });
  const waiting = client.get('k');
  await clock.advance(999);
  expect(source.looks).toHaveLength(1);
  source.give([address(0)]);
  await clock.advance(1);
  expect(await waiting).toBeUndefined();
  await client.close();
});

it('a source that fails later, or has an empty list, leaves the list as it is', async () => {
  const { client, source, clock } = makeClient();
  source.give([address(0)]);
  await client.set('k', 'v');
  for (const bad of [new Error('gone'), [], ['not a server:x'], [{ server: address(0), weight: -1 }]]) {
    source.give(bad);
    await clock.advance(61_000);
    expect(names(client)).toEqual([address(0)]);
    expect(await client.get('k')).toBe('v');
  }
  source.give([address(0), address(1)]);
  await clock.advance(61_000);
  expect(names(client)).toHaveLength(2);
  await client.close();
});

it('a call waits for the list no longer than it may', async () => {
  const { client, clock } = makeClient();
  const late = failure(client.get('k'));
  const abort = new AbortController();
  const aborted = rejection(client.get('k', { signal: abort.signal }));
  await turns();
  const reason = new Error('never mind');
  abort.abort(reason);
  expect(await aborted).toBe(reason);
  await clock.advance(1001);
  expect(await late).toMatchObject({ code: 'MEMCACHE_TIMEOUT', certainty: 'notSent' });
  const closing = failure(client.get('k'));
  await turns();
  await client.close();
  expect(await closing).toMatchObject({ code: 'MEMCACHE_NO_SERVERS' });
});

it('a call that has waited for the list while the process stood still has what that gives it at the server, too', async () => {
  const silent = await ScriptedServer.start((connection) => connection.closed);
  const { client, source, clock } = makeClient();
  const call = failure(client.get('k')).then((error) => [error.code, clock.now()]);
  await turns();
  // Its time is over in a stall: it has as much time again as that took.
  clock.jump(1100);
  await clock.advance(1);
  source.give([silent.address]);
  await clock.advance(1000);
  expect(await call).toEqual(['MEMCACHE_TIMEOUT', 1200]);
  await client.close();
  await silent.close();
});

it('trouble with a server makes it look again, though not more often than once a second', async () => {
  const { client, source, clock } = makeClient();
  source.give([address(0), address(1)]);
  const keys = Array.from({ length: 50 }, (_, i) => `k${i}`);
  await client.setMany(keys.map((key): [string, number] => [key, 1]));
  await servers[0]?.close();
  source.give([address(1), address(2)]);
  await Promise.allSettled(keys.map((key) => client.get(key)));
  await turns(5);
  expect(source.looks).toHaveLength(1);
  await clock.advance(1000);
  expect(source.looks).toHaveLength(2);
  expect(names(client)).toEqual([address(1), address(2)].sort());
  expect(await client.setMany(keys.map((key): [string, number] => [key, 2]))).toEqual([]);
  await client.close();
});

it('not more often than once a second, however soon this process happens to look', async () => {
  const { client, source, clock } = makeClient({ random: () => 0 });
  source.give([address(0)]);
  await client.set('k', 1);
  await clock.advance(300);
  await servers[0]?.close();
  source.give([address(1)]);
  await failure(client.get('k'));
  await clock.advance(699);
  expect(source.looks).toEqual([0]);
  await clock.advance(1);
  expect(source.looks).toEqual([0, 1000]);
  await client.close();
});

it('a signal that outlives the calls that waited for the list keeps nothing of them', async () => {
  const { client, source } = makeClient();
  const { signal } = new AbortController();
  const call = client.set('k', 1, { signal });
  await turns(2);
  source.give([address(0)]);
  expect(await call).toBe(true);
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  await client.close();
});

it('more trouble does not make it look sooner than that', async () => {
  const { client, source, clock } = makeClient();
  source.give([address(0), address(1)]);
  const keys = Array.from({ length: 50 }, (_, i) => `k${i}`);
  await client.setMany(keys.map((key): [string, number] => [key, 1]));
  for (const index of [0, 1]) {
    await servers[index]?.close();
    source.give([address(0), address(1)]);
    await Promise.allSettled(keys.map((key) => client.get(key)));
    await clock.advance(400);
  }
  expect(source.looks).toEqual([0]);
  await clock.advance(200);
  expect(source.looks).toEqual([0, 1000]);
  await client.close();
});

describe('many processes', () => {
  /** When each of 200 looks at the list, all started at once. */
  function start(): { clock: VirtualClock; clients: HashClient[]; looks: number[][] } {
    const clock = new VirtualClock();
    const random = new SeededRandom(7);
    const looks: number[][] = [];
    const clients = Array.from({ length: 200 }, () => {
      const own: number[] = [];
      looks.push(own);
      const discovery: Discovery = async function* ({ signal, wait }) {
        while (!signal.aborted) {
          own.push(clock.now());
          yield [address(0)];
          await wait(60_000);
        }
      };
      return new HashClient(discovery, { clock, random: random.fork().next });
    });
    return { clock, clients, looks };
  }

  /** How many fall into the fullest tenth of the time. */
  const fullest = (times: number[], from: number, length: number): number => {
    const tenths = new Array<number>(10).fill(0);
    for (const time of times) tenths[Math.min(9, Math.floor(((time - from) / length) * 10))]! += 1;
    return Math.max(...tenths);
  };

  it('that were started together do not look together', async () => {
    const { clock, clients, looks } = start();
    await Promise.all(clients.map((client) => client.get('k')));
    await clock.advance(60_000);
    const second = looks.map(([, time]) => time ?? NaN);
    for (const time of second) expect(time >= 45_000 && time <= 60_000).toBe(true);
    expect(fullest(second, 45_000, 15_000)).toBeLessThan(40);
    await Promise.all(clients.map((client) => client.close()));
  });

  it('do not look together when a server of all of them is in trouble', async () => {
    const { clock, clients, looks } = start();
    await Promise.all(clients.map((client) => client.get('k')));
    await clock.advance(5000);
    await servers[0]?.close();
    await Promise.allSettled(clients.map((client) => client.get('k')));
    const from = clock.now();
    await clock.advance(1000);
    const second = looks.map(([, time]) => time ?? NaN);
    for (const time of second) expect(time >= from && time <= from + 1000).toBe(true);
    expect(fullest(second, from, 1000)).toBeLessThan(40);
    await Promise.all(clients.map((client) => client.close()));
  });
});

it('what is done by hand holds against the list', async () => {
  const { client, source, clock } = makeClient();
  source.give([address(0), address(1)]);
  await client.get('k');
  await client.removeServer(address(0));
  await client.addServer(address(2));
  for (let round = 0; round < 3; round++) {
    source.give([address(0), address(1)]);
    await clock.advance(60_000);
    expect(names(client)).toEqual([address(1), address(2)].sort());
  }
  await client.addServer(address(0));
  expect(names(client)).toHaveLength(3);
  await client.removeServer(address(2));
  source.give([address(1)]);
  await clock.advance(60_000);
  expect(names(client)).toEqual([address(0), address(1)].sort());
  await client.close();
});

it('close waits for calls that are under way on a server which the list has left out', async () => {
  const { client, source, clock } = makeClient({ timeout: 0 });
  source.give([address(0)]);
  await client.get('k');
  const [first] = servers;
  if (first === undefined) throw new Error('no servers');
  first.faults = () => ({ delay: 200 });
  let settled = false;
  const call = client.get('k').finally(() => (settled = true));
  await turns();
  source.give([address(1)]);
  await clock.advance(60_000);
  while (names(client).join() !== address(1)) await turns();
  expect(settled).toBe(false);
  await client.close();
  expect(settled).toBe(true);
  expect(await call).toBeUndefined();
});

it('tells which servers a list has added and removed, and of no list that is the same', async () => {
  const { client, source, clock } = makeClient();
  const told: unknown[] = [];
  const hear = (message: unknown): void => {
    const { added, removed } = message as { added: string[]; removed: string[] };
    told.push([added, removed]);
  };
  subscribe(CHANNELS.servers, hear);
  try {
    source.give([address(0), address(1)]);
    await client.get('k');
    for (const list of [[address(1), address(0)], [address(1), address(2)], [{ server: address(1), weight: 2 }, address(2)]]) {
      source.give(list);
      await clock.advance(60_000);
    }
  } finally {
    unsubscribe(CHANNELS.servers, hear);
  }
  expect(told).toEqual([[[address(0), address(1)], []], [[address(2)], [address(0)]]]);
  await client.close();
});

it('may be used again after close: the source starts anew', async () => {
  const { client, source } = makeClient();
  source.give([address(0)]);
  await client.set('k', 'v');
  await client.close();
  source.give([address(0)]);
  expect(await client.get('k')).toBe('v');
  expect(source.looks).toHaveLength(2);
  await client.close();
  expect(source.ended).toBe(2);
});

it('a source that has ended with a list is not asked again', async () => {
  const clock = new VirtualClock();
  let asked = 0;
  const client = new HashClient(async function* () {
    asked++;
    await turns(1);
    yield [address(0)];
  }, { clock });
  await client.get('k');
  for (let i = 0; i < 10; i++) await clock.advance(60_000);
  expect(asked).toBe(1);
  expect(names(client)).toEqual([address(0)]);
  await client.close();
});

it('a call that waits for the first list keeps the process alive, also after another one was given up', async () => {
  const clock = new ManualClock();
  const client = new HashClient(async function* ({ signal }) {
    await new Promise((resolve) => { signal.addEventListener('abort', resolve); });
    yield [address(0)];
  }, { clock });
  const controller = new AbortController();
  const first = rejection(client.get('k', { signal: controller.signal }));
  await turns(2);
  expect(clock.held).toBe(1);
  controller.abort();
  await first;
  expect(clock.held).toBe(0);
  const second = failure(client.get('k'));
  await turns(2);
  expect(clock.held).toBe(1);
  await client.close();
  expect(await second).toMatchObject({ code: 'MEMCACHE_NO_SERVERS' });
  expect(clock.held).toBe(0);
});

it('a source that ends leaves its last list', async () => {
  const client = new HashClient(async function* () {
    yield [address(0)];
    await turns(1);
    yield [address(0), address(1)];
  });
  await client.set('k', 'v');
  await turns();
  expect(names(client)).toHaveLength(2);
  await client.close();
});

/** A source without the comfort of a generator. */
function asking(next: () => Promise<IteratorResult<ClusterServer[], undefined>>): Discovery {
  return () => ({ [Symbol.asyncIterator]: () => ({ next }) });
}

describe('sources as they come', () => {
  it.each<[string, Discovery]>([
    ['yields on', async function* ({ wait }) {
      for (;;) {
        yield [address(0)];
        await wait(1000);
      }
    }],
    ['only waits on', async function* ({ wait }) {
      yield [address(0)];
      for (;;) await wait(1000);
    }],
    ['catches all that happens to it', async function* ({ wait }) {
      yield [address(0)];
      for (;;) await wait(1000).catch(() => undefined);
    }],
  ])('one that ignores its signal and %s does not hold up the end', async (_, discovery) => {
    const client = new HashClient(discovery);
    await client.set('k', 'v');
    await client.close();
    // The event loop turns.
    await turns(10);
    // It may be used again.
    expect(await client.get('k')).toBe('v');
    await client.close();
  });

  it('one that never waits lets the event loop turn', async () => {
    let lists = 0;
    let turned = false;
    setImmediate(() => { turned = true; });
    const client = new HashClient(async function* () {
      await Promise.resolve();
      for (; !turned && lists < 10_000; lists++) yield [address(0)];
    });
    await client.set('k', 'v');
    expect(turned).toBe(true);
    expect(lists).toBeLessThan(100);
    await client.close();
  });

  it.each([1000, 0])('one that ends without a list says so at once, with a timeout of %p', async (timeout) => {
    const client = new HashClient(asking(() => Promise.resolve({ done: true, value: undefined })), { clock: new VirtualClock(), timeout });
    for (let call = 0; call < 3; call++) {
      const error = await failure(client.get('k'));
      expect(error).toBeInstanceOf(MemcacheNoServersError);
      expect(error).toMatchObject({ certainty: 'notSent', command: 'get', cause: { code: 'MEMCACHE_NO_SERVERS' } });
      expect(error.message).toContain('ended without a list');
    }
    await client.close();
  });

  it('one that ended without a list is asked again', async () => {
    const clock = new VirtualClock();
    let looks = 0;
    const client = new HashClient(async function* () {
      await turns(1);
      if (++looks > 1) yield [address(0)];
    }, { clock });
    await failure(client.get('k'));
    await clock.advance(1000);
    expect(await client.set('k', 'v')).toBe(true);
    await client.close();
  });

  const cause = new Error('no such name');
  it.each<[string, Discovery]>([
    ['in the call', () => {
      throw cause;
    }],
    ['when it is asked for the first list', asking(() => Promise.reject(cause))],
  ])('one that throws at once, %s, gives its cause, not a time-out', async (_, discovery) => {
    for (const timeout of [0, 100, 1000]) {
      const clock = new VirtualClock();
      const client = new HashClient(discovery, { clock, timeout });
      expect(await failure(client.get('k'))).toMatchObject({ code: 'MEMCACHE_NO_SERVERS', certainty: 'notSent', cause });
      // Whoever waits for the next look, and may not wait that long, hears of it as well.
      const later = failure(client.get('k'));
      await clock.advance(1001);
      expect(await later).toMatchObject({ code: 'MEMCACHE_NO_SERVERS', cause });
      await client.close();
    }
  });

  it('one that is no source is an error that tells of it', async () => {
    const client = new HashClient(illegal(() => 42));
    const error = await failure(client.get('k'));
    expect(error.code).toBe('MEMCACHE_NO_SERVERS');
    expect(error.cause).toBeInstanceOf(TypeError);
    await client.close();
  });

  it('wait(Infinity) lasts until there is trouble, or the end', async () => {
    const clock = new VirtualClock();
    let looks = 0;
    const client = new HashClient(async function* ({ signal, wait }) {
      while (!signal.aborted) {
        looks++;
        yield [address(0)];
        await wait(Infinity);
      }
    }, { clock });
    await client.set('k', 'v');
    await clock.advance(365 * 86_400_000);
    expect(looks).toBe(1);
    await servers[0]?.close();
    await failure(client.get('k'));
    await clock.advance(1000);
    expect(looks).toBe(2);
    await client.close();
  });

  it.each([[NaN], [undefined], ['1000']])('wait(%p) is refused', async (milliseconds) => {
    const client = new HashClient(async function* ({ wait }) {
      await wait(illegal(milliseconds));
      yield [address(0)];
    });
    const error = await failure(client.get('k'));
    expect(error).toMatchObject({ code: 'MEMCACHE_NO_SERVERS', cause: { code: 'MEMCACHE_ILLEGAL_INPUT' } });
    expect(error.message).toContain('wait must be given');
    await client.close();
  });

  it.each(['wait(1e9)', 'new Promise(() => undefined)'])('a call that waits for the first list settles though nothing else keeps the process alive: %s', async (waiting) => {
    using everything = new CompiledProgram(join(__dirname, '../support/everything.ts'));
    const program = `
      const { HashClient } = require(${JSON.stringify(everything.file)});
      const client = new HashClient(async function* ({ wait }) { await ${waiting}; }, { timeout: 300 });
      client.get('k').catch((error) => console.log(error.code));
      const patient = new HashClient(async function* ({ wait }) { await wait(50); yield ['127.0.0.1:1']; }, { timeout: 0, connectTimeout: 100 });
      patient.get('k').catch((error) => console.log(error.code));
    `;
    const { stdout } = await promisify(execFile)(process.execPath, ['-e', program], { timeout: 120_000 });
    // And afterwards the process ends.
    expect(stdout.trim().split('\n').sort()).toEqual(['MEMCACHE_CONNECT', 'MEMCACHE_TIMEOUT']);
  });
});
