/** A server that is gone: its state is failing or dead, connections cannot be made, and calls for its keys fail at once. */
import { HashClient } from 'tsmemcache';
import { MemcachedServer } from 'tsmemcache/server';
import { print } from './print';

async function main(): Promise<void> {
  const [one, other] = [await MemcachedServer.start(), await MemcachedServer.start()];
  const client = new HashClient([one.address, other.address], { ignoreErrors: true, retryTimeout: 60_000 });
  const keys = Array.from({ length: 100 }, (_, i) => `k${i}`);
  for (const key of keys) await client.set(key, 'v');
  print('two servers', client.metrics());
  await one.close();
  for (let i = 0; i < 5; i++) await client.getMany(keys);
  print('one is gone: its state says so, its share of the reads are errors that became misses', client.metrics());
  console.log(`  ignored: ${[...client.metrics().values()].map(({ ignored }) => ignored).join(' and ')}`);
  await client.close();
  await other.close();
}

void main();
