/**
 * The usual way to use a cache: look there first, else ask the slow source and keep its answer. A cache that is down must
 * never hurt a request, so reads that fail are misses and writes that fail are not worth an error.
 *
 * With `metaGet`'s `vivify` only one of those who miss at the same moment asks the source.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Client } from 'tsmemcache';
import { MemcachedServer } from 'tsmemcache/server';

let questions = 0;

/** Stands for a database. */
async function askDatabase(id: number): Promise<string> {
  questions++;
  await pause(30);
  return `the row with id ${id}`;
}

async function readRow(cache: Client, id: number): Promise<string> {
  const key = `row:${id}`;
  const found = await cache.get<string>(key);
  if (found !== undefined) return found;
  const row = await askDatabase(id);
  await cache.set(key, row, { expire: 60 }).catch(() => undefined);
  return row;
}

/** The same, without a stampede: who misses first has 5 seconds to bring the value, the others wait for it. */
async function readRowOnce(cache: Client, id: number): Promise<string> {
  const key = `once:${id}`;
  for (;;) {
    const item = await cache.metaGet<string>(key, { vivify: 5 });
    if (item?.value !== undefined) return item.value;
    if (item?.recaching !== true) {
      const row = await askDatabase(id);
      await cache.set(key, row, { expire: 60 }).catch(() => undefined);
      return row;
    }
    await pause(10);
  }
}

async function main(): Promise<void> {
  const server = await MemcachedServer.start();
  const cache = new Client(server.address, { ignoreErrors: true, timeout: 50 });

  await readRow(cache, 1);
  await readRow(cache, 1);
  console.log('read twice, asked', questions, 'time');

  questions = 0;
  await Promise.all(Array.from({ length: 100 }, () => readRow(cache, 2)));
  console.log('100 who miss at once ask', questions, 'times');

  questions = 0;
  await Promise.all(Array.from({ length: 100 }, () => readRowOnce(cache, 3)));
  console.log('with vivify they ask', questions, 'time');

  await server.close();
  console.log('without a server:', await readRow(cache, 1));
  console.log('with vivify too: ', await readRowOnce(cache, 3));
  await cache.close();
}

void main();
