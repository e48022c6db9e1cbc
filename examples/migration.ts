/** From an old cache to a new cluster while both serve: what is read often moves by itself, with the time it has left. */
import { Client, FallbackClient, HashClient } from 'tsmemcache';
import { MemcachedServer } from 'tsmemcache/server';

async function main(): Promise<void> {
  const servers = await Promise.all([1, 2, 3].map(() => MemcachedServer.start()));
  const [oldServer, ...newServers] = servers.map(({ address }) => address);
  const old = new Client(oldServer);
  const cluster = new HashClient(newServers);
  const keys = Array.from({ length: 100 }, (_, i) => `session:${i}`);
  await old.setMany(keys.map((key) => [key, `data of ${key}`] as const), { expire: 3600 });

  const cache = new FallbackClient([cluster, old], { copyHits: true });
  const count = async (): Promise<string> => `old ${(await old.getMany(keys)).size}, new ${(await cluster.getMany(keys)).size}`;

  console.log('before:         ', await count());
  console.log('read through:   ', (await cache.getMany(keys.slice(0, 60))).size, 'hits');
  await cache.delete('session:0');
  await cache.set('session:99', 'written anew');
  await cache.close();
  console.log('after a day:    ', await count());
  console.log('session:1 lives:', (await cluster.metaGet('session:1', { ttl: true }))?.ttl, 'seconds more');

  await Promise.all([old.close(), cluster.close()]);
  await Promise.all(servers.map((server) => server.close()));
}

void main();
