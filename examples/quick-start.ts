/** The first steps: store, read, expire, count, read many. */
import { Client } from 'tsmemcache';
import { MemcachedServer } from 'tsmemcache/server';

interface User {
  name: string;
  logins: number;
}

async function main(): Promise<void> {
  await using server = await MemcachedServer.start();
  await using client = new Client(server.address);

  await client.set('user:1', { name: 'Ada', logins: 0 } satisfies User, { expire: 3600 });
  const user = await client.get<User>('user:1');
  console.log('hello,', user?.name);

  console.log('a miss is', await client.get('user:2'));

  await client.set('visits', 0);
  await Promise.all(Array.from({ length: 100 }, () => client.incr('visits')));
  console.log('visits:', await client.get('visits'));

  await client.setMany({ a: 1, b: 'two', c: Buffer.from([3]) });
  console.log(await client.getMany(['a', 'b', 'c', 'd']));
}

void main();
