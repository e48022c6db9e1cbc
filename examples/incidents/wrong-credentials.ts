/** A password that the server does not take, or none: every call fails with one code. */
import { Client } from 'tsmemcache';
import { MemcachedServer } from 'tsmemcache/server';
import { print } from './print';

async function main(): Promise<void> {
  const server = await MemcachedServer.start({ auth: [{ username: 'app', password: 'right' }] });
  const client = new Client(server.address, { auth: { username: 'app', password: 'wrong' }, retryTimeout: 60_000 });
  for (let i = 0; i < 5; i++) await client.get('k').catch(() => undefined);
  print('wrong credentials: nothing but MEMCACHE_AUTHENTICATION, no connection was ever ready', client.metrics());
  await client.close();
  const unnamed = new Client(server.address);
  for (let i = 0; i < 5; i++) await unnamed.get('k').catch(() => undefined);
  print('no credentials: each call ends the connection that was made for it', unnamed.metrics());
  await unnamed.close();
  await server.close();
}

void main();
