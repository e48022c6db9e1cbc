/**
 * What a GraphQL server needs: within one request each user is asked for once, those asked for in one tick go to one
 * query, and all requests of all processes share what was found.
 */
import { ReadThroughCache, type RequestScope } from 'tsmemcache/cache';
import { EmbeddedClient } from 'tsmemcache/embedded';

interface User {
  name: string;
}

const queries: string[] = [];

/** Stands for `SELECT … WHERE id IN (…)`. */
function usersById(ids: readonly string[]): Promise<User[]> {
  queries.push(ids.join(','));
  return Promise.resolve(ids.map((id) => ({ name: `user ${id}` })));
}

/** Gathers the keys of a tick, as dataloader does. */
class UserLoader {
  readonly #scope: RequestScope;
  #wanted: { id: string; resolve: (user: Promise<User>) => void }[] = [];

  constructor(cache: ReadThroughCache) {
    this.#scope = cache.scope();
  }

  load(id: string): Promise<User> {
    if (this.#wanted.length === 0) {
      setImmediate(() => {
        this.#fetch();
      });
    }
    return new Promise((resolve) => {
      this.#wanted.push({ id, resolve });
    });
  }

  #fetch(): void {
    const wanted = this.#wanted;
    this.#wanted = [];
    const users = this.#scope.getMany<string, User>(
      wanted.map(({ id }) => `user:${id}`),
      (keys) => usersById(keys.map((key) => key.slice('user:'.length))),
    );
    for (const { id, resolve } of wanted) resolve(users.then((found) => found.get(`user:${id}`) ?? Promise.reject(new Error(`no user ${id}`))));
  }
}

async function main(): Promise<void> {
  const client = new EmbeddedClient();
  const cache = new ReadThroughCache(client, { expire: 300 });

  const first = new UserLoader(cache);
  const names = await Promise.all(['1', '2', '1', '3'].map(async (id) => (await first.load(id)).name));
  console.log(names.join(', '), '| queries:', queries.join(' ; '));

  const second = new UserLoader(cache);
  await Promise.all(['3', '4'].map((id) => second.load(id)));
  console.log('the next request | queries:', queries.join(' ; '));

  await cache.close();
  await client.close();
}

void main();
