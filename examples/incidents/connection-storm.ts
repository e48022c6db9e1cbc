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
  let last = new Map<string, ServerMetrics>();
  for (let i = 0; i < 50; i++) {
    const client = new Client(server.address);
    await client.get('k');
    await client.close();
    last = client.metrics();
    for (const metrics of last.values()) connects += metrics.connects;
  }
  print('the last of 50 clients for 50 requests', last);
  const stats = await shared.stats();
  console.log(`  connections made: ${connects}; the server has counted ${stats.get(server.address)?.get('total_connections') ?? '?'}`);
  await shared.close();
  await server.close();
}

void main();
