import { setTimeout as sleep } from 'node:timers/promises';
import type { KeyvStoreAdapter } from 'keyv';
import { Client, HashClient, JsonSerde, ManualClock, MemcacheConnectError, MemcacheIllegalInputError, MemcachePartialError, StructuredSerde, TypedSerde, VersionedSerde, type Command, type ExecuteOptions, type Executor } from '../../src';
import { KeyvMemcache } from '../../src/adapters/keyv';
import { memcacheDriver } from '../../src/adapters/unstorage';
import { promptly } from '../support/busy-machine';
import { EmbeddedClient, MemoryStore } from '../../src/embedded';
import { MemcachedServer } from '../../src/server';
import { caches, deadClient, describeOverCaches } from './clients';

const DAY = 86_400_000;

describeOverCaches('KeyvMemcache', (cache) => {
  it('stores, reads and deletes under any key', async () => {
    const store = new KeyvMemcache(cache.client());
    const keys = ['plain', 'with a space', 'ключ', 'x'.repeat(300), 'line\r\nfeed', ''];
    for (const key of keys) expect(await store.set(key, `of ${key}`)).toBe(true);
    for (const key of keys) expect(await store.get(key)).toBe(`of ${key}`);
    expect(await store.getMany([...keys, 'absent', 'plain'])).toEqual([...keys.map((key) => `of ${key}`), undefined, 'of plain']);
    expect(await store.delete('plain')).toBe(true);
    expect(await store.delete('plain')).toBe(false);
    expect(await store.deleteMany(keys)).toBe(false);
    expect(await store.getMany(keys)).toEqual(keys.map(() => undefined));
    expect(await store.getMany([])).toEqual([]);
  });

  it('is a store as Keyv declares one, which others than Keyv ask for', async () => {
    const store: KeyvStoreAdapter = new KeyvMemcache(cache.client());
    await store.setMany?.([{ key: 'a', value: 'of a', ttl: 60_000 }]);
    expect(await store.getMany?.(['a'])).toEqual(['of a']);
  });

  it('reads and deletes the keys that were given, although their list is changed at once', async () => {
    const store = new KeyvMemcache(cache.client());
    for (const key of ['a', 'b', 'c', 'd']) await store.set(key, `of ${key}`);
    const keys = ['a', 'b'];
    const values = store.getMany(keys);
    keys.splice(0, 2, 'c', 'd');
    expect(await values).toEqual(['of a', 'of b']);
    const deleted = store.deleteMany(keys);
    keys.length = 0;
    expect(await deleted).toBe(true);
    expect(await store.getMany(['a', 'b', 'c', 'd'])).toEqual(['of a', 'of b', undefined, undefined]);
    // A store that has yet to ask for the generation makes its keys later.
    const others = ['a', 'b'];
    const deletedByNew = new KeyvMemcache(cache.client()).deleteMany(others);
    others.length = 0;
    expect(await deletedByNew).toBe(true);
    expect(await store.getMany(['a', 'b'])).toEqual([undefined, undefined]);
  });

  it('tells what is there, by the millisecond where Keyv has said it, and stores several at once', async () => {
    const store = new KeyvMemcache(cache.client());
    const now = Date.now();
    const entries = { live: `{"value":1,"expires":${now + 60_000}}`, over: `{"value":1,"expires":${now - 1}}`, ever: '{"value":1}', other: 'no JSON', nothing: 'null' };
    expect(await store.setMany(Object.entries(entries).map(([key, value]) => ({ key, value, ttl: 60_000 })))).toEqual([true, true, true, true, true]);
    expect(await store.hasMany([...Object.keys(entries), 'absent'])).toEqual([true, false, true, true, true, false]);
    expect([await store.has('live'), await store.has('over'), await store.has('absent')]).toEqual([true, false, false]);
    await store.setMany([{ key: 'gone', value: 'v', ttl: -1 }, { key: 'stays', value: 'v' }]);
    expect(await store.getMany(['gone', 'stays'])).toEqual([undefined, 'v']);
  });

  it.each([1e12 - 1, 1e12, Infinity])('keeps for ever what is to live for %d ms', async (ttl) => {
    const store = new KeyvMemcache(cache.client());
    expect(await store.set('k', 'v', ttl)).toBe(true);
    expect(await store.get('k')).toBe('v');
  });

  it('clear empties its own namespace and nothing else, for every process', async () => {
    const client = cache.client();
    const [mine, elsewhere, other] = ['a', 'a', 'b'].map((namespace) => new KeyvMemcache(cache.client(), { namespace, generationTtl: 100 }));
    await client.set('of-another-program', 1);
    for (const store of [mine, other]) await store?.set('k', 'v');
    expect(await elsewhere?.get('k')).toBe('v');
    await mine?.clear();
    expect(await mine?.get('k')).toBeUndefined();
    await sleep(120);
    expect(await elsewhere?.get('k')).toBeUndefined();
    expect(await other?.get('k')).toBe('v');
    expect(await client.get('of-another-program')).toBe(1);
    await elsewhere?.set('k', 'again');
    expect(await mine?.get('k')).toBe('again');
  });

  it.each([
    ['set', (store: KeyvMemcache) => store.set('k', 'new'), true, 'new'],
    ['delete', (store: KeyvMemcache) => store.delete('k'), true, undefined],
    ['deleteMany', (store: KeyvMemcache) => store.deleteMany(['k', 'k']), true, undefined],
  ] as const)('a %s of a process that has not heard of a clear is not lost', async (_method, write, result, value) => {
    const [one, two] = [new KeyvMemcache(cache.client(), { namespace: 'late' }), new KeyvMemcache(cache.client(), { namespace: 'late' })];
    await two.set('k', 'old');
    await one.clear();
    await one.set('k', 'older than the write');
    expect(await two.get('k')).toBe('old');
    expect(await write(two)).toBe(result);
    expect([await one.get('k'), await two.get('k')]).toEqual([value, value]);
  });

  it('the namespace that Keyv sets has entries and a clear of its own, within that of the option', async () => {
    const client = cache.client();
    const [users, orders, again] = ['users', 'orders', 'users'].map((namespace) => {
      const store = new KeyvMemcache(client, { namespace: 'set', generationTtl: 0 });
      expect(store.namespace).toBe('set');
      store.namespace = namespace;
      expect(store.namespace).toBe(namespace);
      return store;
    }) as [KeyvMemcache, KeyvMemcache, KeyvMemcache];
    await users.set('k', 'Ada');
    await orders.set('k', '12 apples');
    expect(await again.get('k')).toBe('Ada');
    await again.clear();
    expect(await users.get('k')).toBeUndefined();
    expect(await orders.get('k')).toBe('12 apples');
  });

  it('writes of one moment ask for the generation once', async () => {
    const client = cache.client();
    const store = new KeyvMemcache(client, { namespace: 'many' });
    await store.set('k', 'v');
    const get = jest.spyOn(client, 'get');
    await store.setMany(Array.from({ length: 100 }, (_, i) => ({ key: `k${i}`, value: 'v' })));
    await Promise.all([store.delete('k0'), store.delete('k1'), store.deleteMany(['k2', 'k3'])]);
    expect(get).toHaveBeenCalledTimes(2);
    expect(await store.getMany(['k', 'k0', 'k3', 'k99'])).toEqual(['v', undefined, undefined, 'v']);
  });

  it('with generationTtl 0 a clear holds at once everywhere', async () => {
    const [one, two] = [1, 2].map(() => new KeyvMemcache(cache.client(), { namespace: 'exact', generationTtl: 0 }));
    for (let round = 0; round < 20; round++) {
      await one?.set('k', 'v');
      expect(await two?.get('k')).toBe('v');
      await two?.clear();
      expect(await one?.get('k')).toBeUndefined();
    }
  });

  it('racers agree on a generation, also where writes ask for no answer', async () => {
    const stores = Array.from({ length: 20 }, () => new KeyvMemcache(cache.client({ defaultNoreply: true }), { namespace: 'race' }));
    await Promise.all(stores.map((store, index) => store.set(`k${index}`, 'v')));
    expect(await stores[0]?.getMany(stores.map((__, index) => `k${index}`))).toEqual(stores.map(() => 'v'));
  });

  it('a generation that is lost is an empty namespace, and a prefix of the client leaves room', async () => {
    const client = cache.client({ keyPrefix: 'p'.repeat(60) });
    const store = new KeyvMemcache(client, { namespace: 'n'.repeat(100), generationTtl: 0 });
    await store.set('x'.repeat(250), 'v');
    expect(await store.get('x'.repeat(250))).toBe('v');
    expect(await client.delete(`${'n'.repeat(100)}:generation`)).toBe(true);
    expect(await store.get('x'.repeat(250))).toBeUndefined();
  });

  it('closes no client', async () => {
    const client = cache.client();
    const store = new KeyvMemcache(client);
    await store.disconnect();
    expect(await client.set('k', 1)).toBe(true);
  });
});

it.each([
  ['of another version of the serde', (store: MemoryStore) => new EmbeddedClient(store, { serde: new VersionedSerde(new TypedSerde(), 1) })],
  ['of another program', (store: MemoryStore) => store.store('set', 'keyv:generation', 'no word of ours', 16, 0)],
])('a generation %s is replaced: else the namespace would be empty for good', async (_, before) => {
  const store = new MemoryStore();
  const other = before(store);
  if (other instanceof EmbeddedClient) await new KeyvMemcache(other).set('k', 'v');
  const [one, two] = [0, 0].map((generationTtl) => new KeyvMemcache(new EmbeddedClient(store, { serde: new VersionedSerde(new TypedSerde(), 2) }), { generationTtl }));
  expect(await one?.set('k', 'v')).toBe(true);
  expect([await one?.get('k'), await two?.get('k')]).toEqual(['v', 'v']);
});

it.concurrent.each(caches.filter(([name]) => /^(Client|Embedded)/.test(name)))('rounds milliseconds up: half a second is neither for ever nor nothing, with %s', async (_, start) => {
  const cache = await start();
  const store = new KeyvMemcache(cache.client());
  const short = await promptly(async () => {
    await store.set('short', 'v', 1500);
    return store.get('short');
  });
  expect(short).toBe('v');
  await store.set('half', 'v', 500);
  await store.set('40 days', 'v', 40 * DAY);
  await store.set('100 years', 'v', 36_500 * DAY);
  await store.set('ever', 'v', 0);
  await store.set('null', 'v', null as never);
  await store.set('gone', 'v', -1);
  expect(await store.get('gone')).toBeUndefined();
  await sleep(2100);
  expect(await store.getMany(['short', 'half', '40 days', '100 years', 'ever', 'null'])).toEqual([undefined, undefined, 'v', 'v', 'v', 'v']);
  await cache.stop();
});

/** An executor whose answers are held up while `isHeld`: they are as old as their questions. */
class Held implements Executor {
  readonly answers: (() => void)[] = [];
  isHeld = false;
  readonly #next: Executor;

  constructor(next: Executor) {
    this.#next = next;
  }

  async execute<R>(command: Command<R>, options?: ExecuteOptions): Promise<R> {
    const result = await this.#next.execute(command, options);
    if (this.isHeld) await new Promise<void>((resolve) => { this.answers.push(resolve); });
    return result;
  }

  close(): Promise<void> {
    return this.#next.close();
  }
}

/** A process that has asked for the generation, and has no answer yet: it comes after that to what is sent later, as it may over several connections. */
async function whileAsking(): Promise<{ client: Client; store: KeyvMemcache; other: KeyvMemcache; answered: () => Promise<void> }> {
  const embedded = new EmbeddedClient();
  const overtaken = new Held(embedded.executor);
  const client = new Client(overtaken, embedded.options);
  const other = new KeyvMemcache(embedded, { generationTtl: 3_600_000 });
  await other.set('k', 'old');
  const store = new KeyvMemcache(client, { generationTtl: 3_600_000 });
  overtaken.isHeld = true;
  const early = store.get('k');
  while (overtaken.answers.length === 0) await new Promise(setImmediate);
  overtaken.isHeld = false;
  const answered = async (): Promise<void> => {
    overtaken.answers[0]?.();
    await early;
  };
  return { client, store, other, answered };
}

it('after its own clear a process reads nothing older, also when it was asking for the generation meanwhile', async () => {
  const { client, store, answered } = await whileAsking();
  await store.clear();
  await answered();
  expect(await store.get('k')).toBeUndefined();
  await client.close();
});

it('after a write that another process\'s clear has moved, a process reads it, also when the answer to an earlier question comes last', async () => {
  const { client, store, other, answered } = await whileAsking();
  await other.clear();
  expect(await store.set('k', 'new')).toBe(true);
  await answered();
  expect(await store.get('k')).toBe('new');
  await client.close();
});

it('generationTtl counts from the question, as a process may have stood still before it read the answer', async () => {
  const clock = new ManualClock();
  const memory = new MemoryStore({ clock });
  const other = new KeyvMemcache(new EmbeddedClient(memory, { clock }));
  await other.set('k', 'old');
  const embedded = new EmbeddedClient(memory, { clock });
  const stopped = new Held(embedded.executor);
  await using client = new Client(stopped, embedded.options);
  const store = new KeyvMemcache(client);
  stopped.isHeld = true;
  const early = store.get('k');
  while (stopped.answers.length === 0) await new Promise(setImmediate);
  stopped.isHeld = false;
  clock.advance(1000);
  await other.clear();
  clock.advance(1000);
  stopped.answers[0]?.();
  await early;
  expect(await store.get('k')).toBeUndefined();
});

it.each(['miss', 'throw'] as const)('goes on with another serde, which cannot read the generation, with failures: %s', async (failures) => {
  const store = new MemoryStore();
  for (const serde of [new TypedSerde(), new JsonSerde<string>(), new StructuredSerde<string>(), new TypedSerde()]) {
    const keyv = new KeyvMemcache(new EmbeddedClient(store, { serde }), { failures });
    expect(await keyv.get('k')).toBeUndefined();
    expect(await keyv.set('k', 'v')).toBe(true);
    expect([await keyv.get('k'), await keyv.getMany(['k', 'l'])]).toEqual(['v', ['v', undefined]]);
  }
});

it('reads that fail, and are ignored by the client, empty the namespace for nobody', async () => {
  await using server = await MemcachedServer.start();
  await using lenient = new Client(server.address, { ignoreErrors: true });
  await using other = new Client(server.address);
  await new KeyvMemcache(other).set('k', 'v');
  server.faults = ({ verb }) => (verb === 'get' ? { reply: 'SERVER_ERROR too busy' } : undefined);
  const store = new KeyvMemcache(lenient);
  for (let attempt = 0; attempt < 7; attempt++) expect([await store.get('k'), await store.set('k', 'w')]).toEqual([undefined, false]);
  // However many calls fail together.
  const exact = new KeyvMemcache(lenient, { generationTtl: 0 });
  expect(new Set(await Promise.all(Array.from({ length: 100 }, () => exact.get('k'))))).toEqual(new Set([undefined]));
  server.faults = undefined;
  expect([await new KeyvMemcache(other).get('k'), await store.get('k')]).toEqual(['v', 'v']);
});

it('with a client that ignores errors, too, a generation that cannot be read is replaced in the end', async () => {
  const memory = new MemoryStore();
  for (const serde of [new StructuredSerde<string>(), new TypedSerde(), new VersionedSerde(new TypedSerde(), 1), new VersionedSerde(new TypedSerde(), 2)]) {
    const store = new KeyvMemcache(new EmbeddedClient(memory, { serde, ignoreErrors: true }));
    let isStored = false;
    for (let attempt = 0; attempt < 30 && !isStored; attempt++) isStored = await store.set('k', 'v');
    expect([isStored, await store.get('k')]).toEqual([true, 'v']);
  }
});

it('has no iterator: an empty list would be a lie', async () => {
  expect('iterator' in new KeyvMemcache(await deadClient())).toBe(false);
});

it('what expires in this very millisecond is gone, as Keyv has it', async () => {
  const clock = new ManualClock();
  const store = new KeyvMemcache(new EmbeddedClient(undefined, { clock }));
  for (const [key, left] of [['now', 0], ['next', 1]] as const) await store.set(key, JSON.stringify({ value: 1, expires: clock.time() + left }));
  expect(await store.hasMany(['now', 'next'])).toEqual([false, true]);
});

describe('when the cache fails', () => {
  it('reads miss, writes say false, and clear rejects', async () => {
    const store = new KeyvMemcache(await deadClient());
    expect(await store.get('k')).toBeUndefined();
    expect(await store.getMany(['a', 'b'])).toEqual([undefined, undefined]);
    expect(await store.set('k', 'v')).toBe(false);
    expect(await store.setMany([{ key: 'k', value: 'v' }])).toEqual([false]);
    expect([await store.has('k'), ...(await store.hasMany(['a', 'b']))]).toEqual([false, false, false]);
    expect(await store.delete('k')).toBe(false);
    expect(await store.deleteMany(['k'])).toBe(false);
    await expect(store.clear()).rejects.toBeInstanceOf(MemcacheConnectError);
  });

  it('finds what the other servers of a cluster hold', async () => {
    await using first = await MemcachedServer.start();
    const second = await MemcachedServer.start();
    await using client = new HashClient([first.address, second.address], { retryAttempts: 100 });
    const isThere = (namespace: string): boolean => client.serverFor(`${namespace}:generation`) === first.address;
    const namespace = Array.from({ length: 20 }, (_, index) => `n${index}`).find(isThere);
    const keys = Array.from({ length: 20 }, (_, index) => `k${index}`);
    const store = new KeyvMemcache(client, { namespace });
    const driver = memcacheDriver({ client, base: namespace });
    await store.setMany(keys.map((key) => ({ key, value: 'v' })));
    await second.close();
    const errors: unknown[] = [];
    store.on('error', (error) => errors.push(error));
    const found = await store.getMany(keys);
    expect(found.filter((value) => value === 'v').length).toBe(first.store.size - 1);
    expect(new Set(found)).toEqual(new Set(['v', undefined]));
    expect(errors).toEqual([expect.any(MemcachePartialError)]);
    expect((await driver.getItems(keys.map((key) => ({ key })))).map(({ value }) => value ?? undefined)).toEqual(found);
    await expect(new KeyvMemcache(client, { namespace, failures: 'throw' }).getMany(keys)).rejects.toBeInstanceOf(MemcachePartialError);
  });

  it("with failures: 'throw' everything rejects", async () => {
    const store = new KeyvMemcache(await deadClient(), { failures: 'throw' });
    for (const call of [store.get('k'), store.getMany(['k']), store.set('k', 'v'), store.delete('k')]) {
      await expect(call).rejects.toBeInstanceOf(MemcacheConnectError);
    }
  });

  it('emits error to those who listen, and ends no process where nobody does', async () => {
    const store = new KeyvMemcache(await deadClient());
    await store.get('k');
    const error = new Promise((resolve) => store.once('error', resolve));
    await store.get('k');
    expect(await error).toBeInstanceOf(MemcacheConnectError);
  });

  it('reads miss also where the listener throws the error because nobody hears it, as Keyv 6 does', async () => {
    const store = new KeyvMemcache(await deadClient());
    store.once('error', (error) => { throw error; });
    expect(await store.get('k')).toBeUndefined();
    store.once('error', () => { throw new RangeError('of the listener'); });
    await expect(store.get('k')).rejects.toThrow(RangeError);
  });
});

it('refuses what is no client, and options that are not legal', async () => {
  const client = await deadClient();
  const notAClient: unknown = 'localhost:11211';
  expect(() => new KeyvMemcache(notAClient as typeof client)).toThrow(/client must be a client/);
  for (const options of [{ namespace: 'a b' }, { failures: 'ignore' }, { generationTtl: -1 }, { ttl: 1 }] as object[]) {
    expect(() => new KeyvMemcache(client, options)).toThrow(MemcacheIllegalInputError);
  }
});
