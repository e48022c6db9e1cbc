/** A client per request in place of one per process: as many connections as calls. */
import { Client, type ServerMetrics } from 'tsmemcache';
import { MemcachedServer } from 'tsmemcache/server';
import { print } from './print';

async function main(): Promise<void> {
  const server = await MemcachedServer.start();
  const shared = new Client(server.address);
  for (let i = 0; i < 50; i++) await shared.get('k');
  print('one client for 50 requests', shared.metrics());
  let connects = 0;
  let disconnects = 0;
  let last = new Map<string, ServerMetrics>();
  for (let i = 0; i < 50; i++) {
    const client = new Client(server.address);
    await client.get('k');
    await client.close();
    last = client.metrics();
    for (const metrics of last.values()) {
      connects += metrics.connects;
      disconnects += metrics.disconnects;
    }
  }
  print('the last of 50 clients for 50 requests', last);
  const stats = await shared.stats();
  console.log(`  connections made: ${connects}; ended: ${disconnects}; the server has counted ${stats.get(server.address)?.get('total_connections') ?? '?'}`);
  await shared.close();
  await server.close();

  const small = await MemcachedServer.start({ maxConnections: 10 });
  const storm = Array.from({ length: 50 }, () => new Client(small.address));
  const outcomes = await Promise.allSettled(storm.map((client) => client.get('k')));
  console.log(`50 clients at once for a server with room for 10: ${outcomes.filter(({ status }) => status === 'rejected').length} calls failed`);
  await Promise.all(storm.map((client) => client.close()));
  const observer = new Client(small.address);
  console.log(`  rejected_connections: ${(await observer.stats()).get(small.address)?.get('rejected_connections') ?? '?'}`);
  await observer.close();
  await small.close();
}

void main();
