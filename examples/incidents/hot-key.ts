/** One key that everybody reads: the server that owns it has many times the calls of the others. */
import { HashClient } from 'tsmemcache';
import { MemcachedServer } from 'tsmemcache/server';
import { print } from './print';

async function main(): Promise<void> {
  const servers = await Promise.all([1, 2, 3].map(() => MemcachedServer.start()));
  const client = new HashClient(servers.map(({ address }) => address));
  await client.set('front-page', 'x'.repeat(1000));
  for (let i = 0; i < 300; i++) await client.get(i % 10 === 0 ? `page-${i}` : 'front-page');
  print('three servers, one of which owns the hot key', client.metrics());
  await client.close();
  await Promise.all(servers.map((server) => server.close()));
}

void main();
