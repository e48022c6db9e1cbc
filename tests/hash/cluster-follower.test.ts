import { HashClient, MemcacheNoServersError, type ClusterServer, type Discovery } from '../../src';
import { MemcachedServer } from '../../src/server';
import { failure, rejection } from '../support/contract';
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

function makeClient(): { client: HashClient; clock: VirtualClock; source: Source } {
  const clock = new VirtualClock();
  const source = new Source(clock);
  return { clock, source, client: new HashClient(source.discovery, { clock, random: () => 1 }) };
}

const names = (client: HashClient): string[] => client.servers().map(({ name }) => name).sort();

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

it('what is done by hand holds against the list', async () => {
  const { client, source, clock } = makeClient();
  source.give([address(0), address(1)]);
  await client.get('k');
  await client.removeServer(address(0));
  client.addServer(address(2));
  for (let round = 0; round < 3; round++) {
    source.give([address(0), address(1)]);
    await clock.advance(60_000);
    expect(names(client)).toEqual([address(1), address(2)].sort());
  }
  client.addServer(address(0));
  expect(names(client)).toHaveLength(3);
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
