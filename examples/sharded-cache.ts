/** Three servers share the keys; one fails and comes back. */
import { setTimeout as pause } from 'node:timers/promises';
import { HashClient } from 'tsmemcache';
import { MemcachedServer } from 'tsmemcache/server';

async function main(): Promise<void> {
  const servers = await Promise.all([1, 2, 3].map(() => MemcachedServer.start()));
  const cache = new HashClient(servers.map(({ address }) => address), {
    ignoreErrors: true,
    retryAttempts: 1,
    retryTimeout: 100,
    deadTimeout: 300,
  });
  const keys = Array.from({ length: 300 }, (_, i) => `key-${i}`);
  const show = async (moment: string): Promise<void> => {
    const hits = (await cache.getMany(keys)).size;
    console.log(`${moment}: ${hits} of ${keys.length} keys; ${cache.servers().map(({ name, state }) => `${name} ${state}`).join(', ')}`);
  };

  await cache.setMany(keys.map((key) => [key, `value of ${key}`] as const));
  await show('all there');

  const [first] = servers;
  if (first === undefined) return;
  const { port } = first;
  await first.close();
  await show('one is gone');
  while (cache.servers().some(({ state }) => state === 'failing')) {
    await pause(50);
    await cache.getMany(keys);
  }
  await cache.setMany(keys.map((key) => [key, `value of ${key}`] as const));
  await show('its keys have moved');

  servers[0] = await MemcachedServer.start({ port });
  while (cache.servers().some(({ state }) => state !== 'healthy')) {
    await pause(50);
    await cache.getMany(keys);
  }
  await show('it is back, empty');

  await cache.close();
  await Promise.all(servers.map((server) => server.close()));
}

void main();
