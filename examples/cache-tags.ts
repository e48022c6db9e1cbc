/** Entries that were made of the same thing share a tag, and go together. */
import { ReadThroughCache } from 'tsmemcache/cache';
import { EmbeddedClient } from 'tsmemcache/embedded';

let author = 'Ada';
let renders = 0;

interface Post {
  id: number;
  by: string;
}

async function main(): Promise<void> {
  const client = new EmbeddedClient();
  const cache = new ReadThroughCache(client, { expire: 3600 });
  const post = (id: number): Promise<Post> =>
    cache.get(
      `post:${id}`,
      () => {
        renders++;
        return { id, by: author };
      },
      // Names may be made of the value: whatever is by this author goes when the author changes.
      { tags: (value) => [`by:${value.by}`, 'posts'] },
    );

  await Promise.all([post(1), post(2), post(3)]);
  console.log(renders, 'posts were made:', (await post(1)).by);

  author = 'Grace';
  await cache.invalidateTags(['by:Ada']);
  console.log('after the author changed her name:', (await post(1)).by, (await post(2)).by);

  await cache.close();
  await client.close();
}

void main();
