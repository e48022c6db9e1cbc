/** A call for each of many keys at once: those beyond `maxPending` are refused, and nothing of them is sent. */
import { Client } from 'tsmemcache';
import { MemcachedServer } from 'tsmemcache/server';
import { print } from './print';

async function main(): Promise<void> {
  const server = await MemcachedServer.start();
  const client = new Client(server.address, { maxPending: 1000 });
  const keys = Array.from({ length: 1500 }, (_, i) => `k${i}`);
  const calls = keys.map((key) => client.get(key));
  const [pending] = [...client.metrics().values()].map((metrics) => metrics.pending);
  await Promise.allSettled(calls);
  print('1500 gets at once with room for 1000: the rest are refused', client.metrics());
  console.log(`  calls that waited: ${pending ?? '?'}`);
  await client.getMany(keys);
  print('the same keys by getMany: one call, and nothing is refused', client.metrics());
  await client.close();
  await server.close();
}

void main();
