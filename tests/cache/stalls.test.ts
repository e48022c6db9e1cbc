import { setImmediate as turn } from 'node:timers/promises';
import { Client } from '../../src';
import { ReadThroughCache, type CacheOptions } from '../../src/cache';
import { MemcachedServer } from '../../src/server';
import { insist } from '../support/busy-machine';
import { describeWithMemcached } from '../support/describe';
import { startMemcached } from '../support/memcached';

/** Holds up the event loop. */
function stall(milliseconds: number): void {
  const until = performance.now() + milliseconds;
  while (performance.now() < until);
}

describeWithMemcached('the time for which this process itself stood still is not the cache’s', () => {
  it.each<[string, CacheOptions]>([
    ['an entry', {}],
    ['a tag', { tags: ['t'] }],
    ['the namespace', { namespace: 'n' }],
    ['a value that is validated', { l1: { admit: 'all', validate: true } }],
  ])('the question for %s', async (name, options) => {
    const memcached = await startMemcached();
    await using client = new Client(memcached.address);
    // Time that memcached lost is the cache's.
    await insist(async () => {
      await client.flushAll();
      const cache = new ReadThroughCache(client, { cacheTimeout: 60, tagMaxAge: 0, circuit: { failures: 1 }, ...options });
      const read = (): Promise<string> => cache.get(name.replaceAll(' ', '-'), () => 'loaded');
      await read();
      for (let round = 0; round < 3; round++) {
        await read();
        const call = read();
        // It is on its way.
        await turn();
        stall(120);
        expect(await call).toBe('loaded');
      }
      const stats = cache.stats();
      await cache.close();
      expect(stats).toMatchObject({ load: 1, refresh: 0, 'cache-timeout': 0, 'cache-error': 0, 'circuit-open': 0 });
    }, () => true);
    await memcached.stop();
  });
});

it.each<[string, CacheOptions]>([
  ['after the version of the namespace', { namespace: 'n' }],
  ['for a value that is validated', { l1: { admit: 'all', validate: true } }],
])('what is asked %s has some time, however long the process stood still', async (_, options) => {
  await using server = await MemcachedServer.start({ faults: () => ({ delay: 6 }) });
  await using client = new Client(server.address);
  // The server stands still with the process: only here, where its answer was under way, does that not count.
  await insist(async () => {
    await client.flushAll();
    const cache = new ReadThroughCache(client, { cacheTimeout: 60, tagMaxAge: 0, circuit: { failures: 1 }, ...options });
    await cache.get('k', () => 'loaded');
    for (let round = 0; round < 3; round++) {
      const call = cache.get('k', () => 'loaded');
      await turn();
      stall(120);
      expect(await call).toBe('loaded');
    }
    const stats = cache.stats();
    await cache.close();
    expect(stats).toMatchObject({ load: 1, 'cache-timeout': 0, 'cache-error': 0 });
  }, () => true);
});
