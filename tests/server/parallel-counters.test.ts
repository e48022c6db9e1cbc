import { Redis } from 'ioredis';
import { Client } from '../../src';
import { MemcachedServer, RedisServer } from '../../src/server';

const CONNECTIONS = 20;
const EACH = 50;

/** Counts up, and ends. */
interface Counter {
  up(): Promise<unknown>;
  close(): Promise<unknown>;
}

async function throughMemcached({ address }: MemcachedServer): Promise<Counter> {
  const client = new Client(address);
  await client.version();
  return { up: () => client.incr('n'), close: () => client.close() };
}

async function throughRedis({ port }: RedisServer): Promise<Counter> {
  const client = new Redis(port, '127.0.0.1');
  await client.ping();
  return { up: () => client.incr('n'), close: () => client.quit() };
}

it.each([
  ['memcached’s protocol', CONNECTIONS],
  ['Redis’s protocol', 0],
  ['both at once', CONNECTIONS / 2],
])(`${CONNECTIONS * EACH} parallel increments over ${CONNECTIONS} connections in %s are exactly so many`, async (_, memcachedClients) => {
  await using memcached = await MemcachedServer.start();
  await using redis = await RedisServer.start({ store: memcached.store });
  memcached.store.store('set', 'n', '0', 0, 0);
  const counters = await Promise.all(
    Array.from({ length: CONNECTIONS }, (_, i) => (i < memcachedClients ? throughMemcached(memcached) : throughRedis(redis))),
  );
  const answers = await Promise.all(counters.flatMap((counter) => Array.from({ length: EACH }, () => counter.up())));
  expect(memcached.store.find('n')?.value).toBe('1000');
  // No number was given twice.
  expect(answers.map(Number).sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i + 1));
  await Promise.all(counters.map((counter) => counter.close()));
});
