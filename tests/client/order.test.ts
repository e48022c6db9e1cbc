/** Calls that are made at once do what they do one after the other, whatever stands beside them in the pipeline. */
import { setImmediate as turn } from 'node:timers/promises';
import { Client, HashClient, MetaCommand, ModuloHash, type ClientOptions } from '../../src';
import { Connection } from '../../src/client/connection';
import { isOlderThan, memcachedBinary, startMemcached } from '../support/memcached';
import { SeededRandom } from '../support/seeded-random';
import { startEmbedded, type TestServer } from '../support/servers';

/** What `gets` gave. That of a phase is known in the next one: calls that are made at once cannot use each other's. */
class Tokens {
  #known = new Map<string, string>();
  readonly #given = new Map<string, string>();

  beginPhase(): void {
    this.#known = new Map(this.#given);
  }

  get(key: string): string | undefined {
    return this.#known.get(key);
  }

  set(key: string, token: string): void {
    this.#given.set(key, token);
  }
}

type Step = (client: Client, tokens: Tokens) => Promise<unknown>;

const KEYS = ['a', 'b', 'noreply', 'noreply-', 'count', 'x'.repeat(250)];
const OPTIONS: ClientOptions = { timeout: 20_000 };

/** What a call that is given up returns does not matter; what it does to the others does. */
async function abandoned(call: (signal: AbortSignal) => Promise<unknown>, when: (abort: () => void) => void): Promise<undefined> {
  const abort = new AbortController();
  const result = call(abort.signal).catch(() => undefined);
  when(() => { abort.abort(); });
  await result;
  return undefined;
}

function someStep(random: SeededRandom, hasGat: boolean, hasMeta: boolean): Step {
  const key = random.pick(KEYS);
  const keys = Array.from({ length: 1 + random.below(6) }, () => random.pick(KEYS));
  const value = random.pick(['1', '22', 'v'.repeat(random.below(50)), 'w'.repeat(70_000)]);
  const delta = 1 + random.below(3);
  const options = { noreply: random.chance(0.4) };
  const meta = random.pick([
    new MetaCommand('mg', key, ['f', 'v', 'k']),
    new MetaCommand('mg', key, ['v', 'q']),
    new MetaCommand('md', key, ['q']),
    new MetaCommand('ms', key, ['q', 'T100'], value),
  ]);
  const steps: Step[] = [
    (client) => client.get(key),
    (client) => client.get(key),
    async (client, tokens) => {
      const [found, token] = await client.gets(key);
      if (token !== undefined) tokens.set(key, token);
      return found;
    },
    (client) => client.getMany(keys),
    async (client) => Array.from(await client.getsMany(keys), ([name, [found]]) => [name, found]),
    (client) => client.set(key, value, options),
    (client) => client.set(key, value, options),
    (client) => client.add(key, value, options),
    (client) => client.replace(key, value, options),
    (client) => client.append(key, 'z', options),
    (client) => client.prepend(key, 'y', options),
    (client, tokens) => client.cas(key, value, tokens.get(key) ?? '1', options),
    (client) => client.delete(key, options),
    (client) => client.deleteMany(keys, options),
    (client) => client.setMany(keys.map((name): [string, string] => [name, value]), options),
    (client) => client.incr('count', delta, options),
    (client) => client.decr('count', 1, options),
    (client) => client.touch(key, 100, options),
    (client) => client.raw('verbosity 0'),
    (client) => client.verbosity(0),
    async (client) => (await client.version()).size,
    async (client) => (await client.stats()).size,
    (client) => abandoned((signal) => client.get(key, { signal }), (abort) => { abort(); }),
    (client) => abandoned((signal) => client.gets(key, { signal }), setImmediate),
    (client) => abandoned((signal) => client.getMany(keys, { signal }), (abort) => { process.nextTick(() => setImmediate(abort)); }),
  ];
  if (hasGat) steps.push((client) => client.gat(key, 100), async (client) => (await client.gats(key, 100))[0]);
  if (hasMeta) {
    steps.push(
      async (client) => (await client.metaGet(key))?.value,
      async (client) => (await client.metaSet(key, value)).status,
      async (client) => (await client.metaSet(key, value, { mode: 'add' })).status,
      async (client) => (await client.metaDelete(key)).status,
      async (client) => (await client.metaArithmetic('count', { vivify: 100, initial: 5 })).value,
      (client) => client.metaNoop(),
      (client) => client.executeMeta(meta),
    );
  }
  return random.pick(steps);
}

/** The result, or what the error says but for the server's name. */
async function outcomeOf(call: Promise<unknown>): Promise<unknown> {
  try {
    return await call;
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message.replace(/127\.0\.0\.1:\d+/g, 'SERVER')}` : error;
  }
}

const kinds: [name: string, servers: number, make: (servers: readonly string[], random: SeededRandom) => Client][] = [
  ['Client', 1, ([server = '']) => new Client(server, OPTIONS)],
  // At times it holds calls back, as a connection of a cluster does while the event loop is busy.
  ['a connection of a cluster', 1, ([server = ''], random) => new Client(new Connection(server, OPTIONS, {}, { isBusy: () => random.chance(0.5) }), OPTIONS)],
  ['HashClient', 2, (servers) => new HashClient(servers, { ...OPTIONS, hasher: new ModuloHash({ hash: 'one-at-a-time' }) })],
];

const stores: [name: string, start: (() => Promise<TestServer>) | undefined, old: (version: string) => boolean][] = [
  ['the embedded server', startEmbedded, () => false],
  ['memcached', memcachedBinary() === undefined ? undefined : startMemcached, isOlderThan],
];

describe.each(stores)('over %s', (_, start, isOld) => {
  (start === undefined ? it.skip : it)('a line that ends with the key noreply may end with a call for another key of it, and the item that is asked for beside it may be there', async () => {
    const server = await (start ?? startEmbedded)();
    const client = new Client(server.address);
    await client.setMany({ a: 1, noreply: 2, 'noreply-': 3 });
    const orders = [['a', 'noreply', 'a'], ['noreply', 'noreply', 'noreply-', 'noreply'], ['noreply-', 'noreply', 'noreply-'], ['noreply', 'none', 'noreply'], ['none', 'noreply', 'none']];
    const values: Readonly<Record<string, number>> = { a: 1, noreply: 2, 'noreply-': 3 };
    for (const keys of orders) {
      const expected = keys.map((key) => values[key]);
      expect(await Promise.all(keys.map((key) => client.get(key)))).toEqual(expected);
      expect(await Promise.all(keys.map(async (key) => (await client.gets(key))[0]))).toEqual(expected);
      expect((await client.getMany(keys)).get('noreply')).toBe(2);
    }
    expect([...client.metrics().values()][0]).toMatchObject({ disconnects: 0, errors: {} });
    await client.close();
    await server.stop();
  });

  (start === undefined ? it.skip : it).each(kinds)('%s', async (_name, count, make) => {
    const servers = await Promise.all(Array.from({ length: 2 * count }, () => start?.() ?? startEmbedded()));
    const addresses = servers.map(({ address }) => address);
    const random = new SeededRandom(16);
    // A trip to another process is slow where the machine is busy.
    for (let round = 0; round < (start === startEmbedded ? 10 : 4); round++) {
      const [atOnce, oneByOne] = [make(addresses.slice(0, count), random), make(addresses.slice(count), random)];
      await Promise.all([atOnce.flushAll(), oneByOne.flushAll()]);
      const [tokens, otherTokens] = [new Tokens(), new Tokens()];
      for (let phase = 0; phase < 8; phase++) {
        tokens.beginPhase();
        otherTokens.beginPhase();
        const steps = Array.from({ length: 1 + random.below(30) }, () => someStep(random, !isOld('1.5.3'), !isOld('1.6.0')));
        const results: Promise<unknown>[] = [];
        for (const step of steps) {
          results.push(outcomeOf(step(atOnce, tokens)));
          // In one tick, in ticks of one turn, or in several turns.
          const pause = random.below(8);
          if (pause === 1) await Promise.resolve();
          if (pause === 2) await new Promise<void>((resolve) => { process.nextTick(resolve); });
          if (pause === 3) await turn();
        }
        const expected: unknown[] = [];
        for (const step of steps) expected.push(await outcomeOf(step(oneByOne, otherTokens)));
        expect(await Promise.all(results)).toEqual(expected);
      }
      await Promise.all([atOnce.close(), oneByOne.close()]);
    }
    await Promise.all(servers.map((server) => server.stop()));
    // Each of a thousand trips to another process waits for its turn where the processor has much to do.
  }, 600_000);
});
