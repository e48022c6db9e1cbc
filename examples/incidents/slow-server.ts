/** A server that needs 30 ms for each command: latency rises, and the slowest calls pass their deadline. */
import { Client } from 'tsmemcache';
import { MemcachedServer } from 'tsmemcache/server';
import { print } from './print';

async function main(): Promise<void> {
  const server = await MemcachedServer.start();
  const client = new Client(server.address, { timeout: 100 });
  for (let i = 0; i < 20; i++) await client.set(`k${i}`, i);
  print('a healthy server', client.metrics());
  server.faults = () => ({ delay: 30 });
  for (let i = 0; i < 20; i++) await client.get(`k${i}`);
  server.faults = () => ({ delay: 300 });
  await client.get('k1').catch(() => undefined);
  print('the same one, slow: p99 is far above p50, time-outs begin', client.metrics());
  server.faults = undefined;
  await client.close();
  await server.close();
}

void main();
