/** A cache that is too small: the hit rate falls although nothing fails, and the server's own numbers show evictions. */
import { Client } from 'tsmemcache';
import { MemcachedServer } from 'tsmemcache/server';
import { statsToPrometheus } from 'tsmemcache/prometheus';
import { print } from './print';

async function main(): Promise<void> {
  const server = await MemcachedServer.start({ maxBytes: 1024 * 1024 });
  const client = new Client(server.address);
  const keys = Array.from({ length: 1000 }, (_, i) => `k${i}`);
  for (const key of keys) await client.set(key, 'x'.repeat(4000));
  await client.getMany(keys);
  print('4 MB of items in a cache of 1 MB: no errors, and most reads miss', client.metrics());
  console.log(statsToPrometheus(await client.stats()).split('\n').filter((line) => /^memcached_(items_evicted_total|current_bytes|limit_bytes)\{/.test(line)).join('\n'));
  await client.close();
  await server.close();
}

void main();
