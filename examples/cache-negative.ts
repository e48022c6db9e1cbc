/** "No such thing" is an answer too: without it, everybody who asks for what does not exist asks the database. */
import { ReadThroughCache } from 'tsmemcache/cache';
import { EmbeddedClient } from 'tsmemcache/embedded';

interface User {
  name: string;
}

let queries = 0;
const table = new Map<string, User>();

function findUser(name: string): User | undefined {
  queries++;
  return table.get(name);
}

async function main(): Promise<void> {
  const client = new EmbeddedClient();
  const cache = new ReadThroughCache(client, { expire: 300, negativeExpire: 10 });
  const user = (name: string): Promise<User | undefined> => cache.get<User>(`user:${name}`, () => findUser(name));

  for (let i = 0; i < 100; i++) await user('ada');
  console.log('100 questions for nobody,', queries, 'query:', await user('ada'));

  table.set('ada', { name: 'Ada' });
  await cache.delete('user:ada'); // what does not exist is deleted when it comes to exist
  console.log('after she signed up:', await user('ada'));

  await cache.close();
  await client.close();
}

void main();
