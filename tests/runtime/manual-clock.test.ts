import { Client, FallbackClient, RetryingClient } from '../../src';
import { ReadThroughCache } from '../../src/cache';
import { EmbeddedClient } from '../../src/embedded';
import { ManualClock, MemcachedServer } from '../../src/server';

it('fires its timers in order, each at its own time', () => {
  const clock = new ManualClock(1_700_000_000_000);
  const fired: [string, number][] = [];
  const note = (name: string) => () => fired.push([name, clock.now()]);
  clock.setTimeout(note('late'), 20);
  clock.setTimeout(() => {
    note('early')();
    clock.setTimeout(note('set meanwhile'), 5);
  }, 10);
  clock.setTimeout(note('cancelled'), 15).close();
  clock.setTimeout(note('not yet'), 31).unref();
  expect([clock.timers, clock.held]).toEqual([3, 2]);
  clock.advance(30);
  expect(fired).toEqual([['early', 10], ['set meanwhile', 15], ['late', 20]]);
  expect([clock.now(), clock.time(), clock.timers, clock.held]).toEqual([30, 1_700_000_000_030, 1, 0]);
});

it('lets items expire when it is turned', async () => {
  const clock = new ManualClock();
  await using server = await MemcachedServer.start({ clock });
  const client = new Client(server.address);
  await client.set('minute', 'v', { expire: 60 });
  await client.set('date', 'v', { expire: new Date(clock.time() + 120_000) });
  clock.advance(59_999);
  expect(await client.get('minute')).toBe('v');
  clock.advance(1);
  expect(await client.get('minute')).toBeUndefined();
  expect(await client.get('date')).toBe('v');
  clock.advance(61_000);
  // Nobody had to ask.
  expect(server.store.size).toBe(0);
  await client.close();
});

it('is a clock for clients and caches too, whatever an expiry is given as', async () => {
  const clock = new ManualClock(1_900_000_000_000);
  await using server = await MemcachedServer.start({ clock });
  const month = 31 * 86_400;
  const client = new Client(server.address, { clock });
  const retrying = new RetryingClient(client);
  const copying = new FallbackClient([new Client(server.address, { clock, keyPrefix: 'new:' }), client], { copyHits: true });
  const embedded = new EmbeddedClient(undefined, { clock });
  for (const each of [client, retrying, copying, embedded]) {
    for (const expire of [month, new Date(clock.time() + month * 1000)]) {
      expect(await each.set('k', 'v', { expire })).toBe(true);
      expect((await each.metaSet('meta', 'v', { expire })).status).toBe('done');
      expect(await each.touch('k', expire)).toBe(true);
      expect(await each.gat('k', expire)).toBe('v');
      expect((await each.metaGet('k', { ttl: true }))?.ttl).toBe(month);
    }
  }
  await client.set('old', 'v', { expire: month });
  await copying.get('old');
  const cache = new ReadThroughCache(client, { expire: month, stale: 60, clock });
  expect(await cache.get('loaded', () => Promise.resolve('v'))).toBe('v');
  await cache.close();
  await Promise.all([copying.close(), client.close(), embedded.close()]);
});

it('does not hold up a long pipeline', async () => {
  await using server = await MemcachedServer.start({ clock: new ManualClock(), maxCommandsPerTurn: 10 });
  const client = new Client(server.address, { timeout: 0 });
  await Promise.all(Array.from({ length: 1000 }, (_, i) => client.set(`k${i}`, i)));
  expect(server.store.size).toBe(1000);
  await client.close();
});
