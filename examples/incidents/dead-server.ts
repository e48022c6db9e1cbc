/** A server that is gone: it is failing, then dead; connections cannot be made, and calls for its keys fail at once. */
import { setTimeout as sleep } from 'node:timers/promises';
import { HashClient } from 'tsmemcache';
import { MemcachedServer } from 'tsmemcache/server';
import { print } from './print';

async function main(): Promise<void> {
  const [one, other] = [await MemcachedServer.start(), await MemcachedServer.start()];
  const client = new HashClient([one.address, other.address], { ignoreErrors: true, retryTimeout: 1000 });
  const keys = Array.from({ length: 100 }, (_, i) => `k${i}`);
  for (const key of keys) await client.set(key, 'v');
  print('two servers', client.metrics());
  await one.close();
  // Until the client has noticed: what it sent in between would be an unexpected close.
  while (client.metrics().get(one.address)?.connections !== 0) await sleep(1);
  for (let i = 0; i < 5; i++) await client.getMany(keys);
  print('one is gone: its state says so, its share of the reads are errors that became misses', client.metrics());
  console.log(`  ignored: ${[...client.metrics().values()].map(({ ignored }) => ignored).join(' and ')}`);
  while (client.servers().every(({ state }) => state !== 'dead')) {
    await client.getMany(keys);
    await sleep(20);
  }
  print('probes found no server to connect to: it is dead, and the other one has its keys', client.metrics());
  await client.close();
  await other.close();
}

void main();
