/** A server that needs 30 ms for each command: latency rises, and the slowest calls pass their deadline. */
import { Client } from 'tsmemcache';
import { MemcachedServer } from 'tsmemcache/server';
import { print } from './print';

async function main(): Promise<void> {
  const server = await MemcachedServer.start();
  // The first calls of a process wait for its code to be compiled: they are made by another client.
  const warm = new Client(server.address);
  for (let i = 0; i < 200; i++) await warm.set(`k${i % 20}`, i);
  await warm.close();
  const client = new Client(server.address, { timeout: 300 });
  for (let i = 0; i < 200; i++) await client.get(`k${i % 20}`);
  print('a healthy server', client.metrics());
  server.faults = () => ({ delay: 30 });
  for (let i = 0; i < 20; i++) await client.get(`k${i}`);
  server.faults = () => ({ delay: 1000 });
  const late = client.get('k1').catch(() => undefined);
  const waiting = [1, 2, 3].map((i) => client.get(`k${i}`).catch(() => undefined));
  const [pending] = [...client.metrics().values()].map((metrics) => metrics.pending);
  await Promise.all([late, ...waiting]);
  print('the same one, slow: p99 is far above p50, time-outs begin', client.metrics());
  console.log(`  calls that waited for it: ${pending ?? '?'}`);
  server.faults = undefined;
  await client.close();
  await server.close();
}

void main();
