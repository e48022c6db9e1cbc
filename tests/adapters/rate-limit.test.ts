import { Client, JsonSerde, MemcacheConnectError, MemcacheIllegalInputError, MemcacheServerError } from '../../src';
import { MemcacheRateLimitStore } from '../../src/adapters/rate-limit';
import { EmbeddedClient } from '../../src/embedded';
import { MemcachedServer } from '../../src/server';
import { systemClock, type Clock } from '../../src/runtime/clock';
import { deadClient, describeOverCaches } from './clients';

/** Without meta commands windows begin at multiples of their length, some of which a test may run into. Here the time of day stands still, in the middle of all. */
const NOW = Math.floor(Date.now() / 1_800_000) * 1_800_000 + 30_000;
const clock: Clock = { ...systemClock, time: () => NOW };

describeOverCaches('MemcacheRateLimitStore', (cache) => {
  describe.each([true, false])('with meta: %s', (meta) => {
    it('counts exactly, whoever counts, and all see one end of the window', async () => {
      const stores = Array.from({ length: 8 }, () => new MemcacheRateLimitStore(cache.client({ clock, defaultNoreply: true }), { prefix: `exact-${meta}:`, windowMs: 600_000, meta }));
      const begun = performance.now();
      const answers = await Promise.all(Array.from({ length: 160 }, (__, index) => stores[index % 8]!.increment('any key at all')));
      expect(answers.map((answer) => answer.totalHits).sort((a, b) => a - b)).toEqual(Array.from({ length: 160 }, (__, index) => index + 1));
      const took = performance.now() - begun;
      const ends = answers.map((answer) => answer.resetTime.getTime());
      // The server tells the whole seconds that are left, which become less meanwhile.
      expect(Math.max(...ends) - Math.min(...ends)).toBeLessThan(2500 + took);
      expect(Math.min(...ends)).toBeGreaterThan(NOW - 2000);
      expect(Math.max(...ends)).toBeLessThanOrEqual(NOW + 600_000);
    });

    it.each([5e11, 1e12])('counts in a window of %d ms, which stands for one that never ends', async (windowMs) => {
      const store = new MemcacheRateLimitStore(cache.client({ clock }), { prefix: `ever-${windowMs}-${meta}:`, windowMs, meta });
      for (let count = 1; count <= 3; count++) expect((await store.increment('k')).totalHits).toBe(count);
    });

    it('takes back, reads and resets', async () => {
      const store = new MemcacheRateLimitStore(cache.client({ clock }), { prefix: `others-${meta}:`, meta });
      store.init({ windowMs: 900_000 });
      expect(await store.get('k')).toBeUndefined();
      await store.decrement('k');
      expect(await store.get('k')).toBeUndefined();
      for (let count = 1; count <= 3; count++) expect((await store.increment('k')).totalHits).toBe(count);
      await store.decrement('k');
      expect((await store.get('k'))?.totalHits).toBe(2);
      for (let count = 0; count < 5; count++) await store.decrement('k');
      expect((await store.get('k'))?.totalHits).toBe(0);
      expect((await store.get('k'))?.resetTime.getTime()).toBeGreaterThan(NOW);
      await store.resetKey('k');
      expect((await store.increment('k')).totalHits).toBe(1);
    });
  });
});

it('a request is one trip to a server that knows meta commands, whatever the serde', async () => {
  await using server = await MemcachedServer.start();
  await using client = new Client(server.address, { serde: new JsonSerde<string>() });
  const lines: string[] = [];
  server.faults = ({ line }) => void lines.push(line);
  const store = new MemcacheRateLimitStore(client, { windowMs: 60_000 });
  for (let count = 1; count <= 3; count++) expect((await store.increment('k')).totalHits).toBe(count);
  expect(lines.map((line) => line.split(' ').slice(0, 2))).toEqual([['ma', 'rl:k'], ['ma', 'rl:k'], ['ma', 'rl:k']]);
});

it('counts on a server that does not know meta commands', async () => {
  await using server = await MemcachedServer.start();
  server.faults = ({ verb }) => (/^m[a-z]$/.test(verb) ? { reply: 'ERROR' } : undefined);
  await using client = new Client(server.address, { clock });
  const store = new MemcacheRateLimitStore(client, { windowMs: 600_000 });
  for (let count = 1; count <= 3; count++) expect((await store.increment('k')).totalHits).toBe(count);
  await store.decrement('k');
  expect((await store.get('k'))?.totalHits).toBe(2);
  await store.resetKey('k');
  expect(await store.get('k')).toBeUndefined();
  const answers = await Promise.all(Array.from({ length: 100 }, () => store.increment('at once')));
  expect(new Set(answers.map(({ totalHits }) => totalHits)).size).toBe(100);
});

it.each([[{ proxy: true }, {}], [{}, { meta: false }]])('counts with %j and %j without a question that cannot be answered', async (options, storeOptions) => {
  await using server = await MemcachedServer.start();
  await using client = new Client(server.address, { clock, ...options });
  const verbs: string[] = [];
  server.faults = ({ verb }) => void verbs.push(verb);
  const store = new MemcacheRateLimitStore(client, { windowMs: 600_000, ...storeOptions });
  for (let count = 1; count <= 3; count++) expect((await store.increment('k')).totalHits).toBe(count);
  expect(verbs).toEqual(['incr', 'add', 'incr', 'incr']);
});

it('a count that failed is not made once more in another way', async () => {
  await using server = await MemcachedServer.start();
  await using client = new Client(server.address, { clock });
  const verbs: string[] = [];
  server.faults = ({ verb }) => {
    verbs.push(verb);
    return verb === 'ma' ? { reply: 'SERVER_ERROR out of memory' } : undefined;
  };
  const store = new MemcacheRateLimitStore(client);
  await expect(store.increment('k')).rejects.toBeInstanceOf(MemcacheServerError);
  expect(verbs).toEqual(['ma']);
});

it('the option windowMs holds, whatever the limiter says, and get tells the end of the very window', async () => {
  await using server = await MemcachedServer.start();
  await using client = new Client(server.address, { clock });
  const store = new MemcacheRateLimitStore(client, { windowMs: 4_000_000 });
  store.init({ windowMs: 60_000 });
  for (const { resetTime } of [await store.increment('k'), await store.get('k') ?? { resetTime: new Date(0) }]) {
    expect(resetTime.getTime()).toBeGreaterThan(NOW + 3_000_000);
    expect(resetTime.getTime()).toBeLessThanOrEqual(NOW + 4_000_000);
  }
  const told = new MemcacheRateLimitStore(client);
  told.init({ windowMs: 4_000_000 });
  expect((await told.increment('told')).resetTime.getTime()).toBeGreaterThan(NOW + 3_000_000);
  // Another process, with a window of its own, reads what is there.
  const other = await new MemcacheRateLimitStore(client, { windowMs: 1000 }).get('k');
  expect(other?.resetTime.getTime()).toBeGreaterThan(NOW + 3_000_000);
  // express-rate-limit warns of stores that count twice, unless their keys are their own.
  expect(store.localKeys).toBe(false);
});

it('errors reach the limiter; with failures: "miss" requests pass', async () => {
  const client = await deadClient();
  const store = new MemcacheRateLimitStore(client);
  for (const call of [store.increment('k'), store.get('k'), store.resetKey('k')]) {
    await expect(call).rejects.toBeInstanceOf(MemcacheConnectError);
  }
  // Called after the response: nobody hears it, and a rejection would end the process.
  await expect(store.decrement('k')).resolves.toBeUndefined();
  const lenient = new MemcacheRateLimitStore(client, { failures: 'miss' });
  expect((await lenient.increment('k')).totalHits).toBe(1);
  expect(await lenient.get('k')).toBeUndefined();
});

it('a count without an end, which another program has stored, ends in no past time', async () => {
  const client = new EmbeddedClient(undefined, { clock });
  await client.set('rl:k', '5');
  const store = new MemcacheRateLimitStore(client);
  for (const info of [await store.increment('k'), await store.get('k')]) expect(info).toEqual({ totalHits: 6, resetTime: new Date(NOW) });
});

it('refuses options that are not legal', async () => {
  const client = await deadClient();
  expect(() => new MemcacheRateLimitStore({} as Client)).toThrow(MemcacheIllegalInputError);
  for (const options of [{ windowMs: 0 }, { windowMs: Infinity }, { windowMs: 2 ** 40 }, { prefix: '' }, { meta: 1 }, { max: 5 }] as object[]) {
    expect(() => new MemcacheRateLimitStore(client, options)).toThrow(MemcacheIllegalInputError);
  }
  expect(() => {
    new MemcacheRateLimitStore(client).init({ windowMs: NaN });
  }).toThrow(MemcacheIllegalInputError);
});

it.each([[true, 0, 60], [false, 60, 120]])('a count lives as long as its window; where windows go by the clocks of processes, for one more, as these differ; meta: %s', async (meta, more, most) => {
  const client = new EmbeddedClient(undefined, { clock });
  const store = new MemcacheRateLimitStore(client, { prefix: 'rl:', windowMs: 60_000, meta });
  await store.increment('k');
  const ttl = (await client.metaGet(meta ? 'rl:k' : `rl:${Math.floor(NOW / 60_000)}:k`, { ttl: true }))?.ttl;
  expect(ttl).toBeGreaterThan(more);
  expect(ttl).toBeLessThanOrEqual(most);
});
