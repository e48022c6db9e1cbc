/** A password that the server does not take: every connection fails with one code, and no call is answered. */
import { Client } from 'tsmemcache';
import { MemcachedServer } from 'tsmemcache/server';
import { print } from './print';

async function main(): Promise<void> {
  const server = await MemcachedServer.start({ auth: [{ username: 'app', password: 'right' }] });
  const client = new Client(server.address, { auth: { username: 'app', password: 'wrong' }, retryTimeout: 60_000 });
  for (let i = 0; i < 5; i++) await client.get('k').catch(() => undefined);
  print('wrong credentials: nothing but MEMCACHE_AUTHENTICATION, no connection was ever ready', client.metrics());
  await client.close();
  await server.close();
}

void main();
