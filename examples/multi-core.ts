/**
 * Several cores: each process of a cluster has a client of its own, hence a connection of its own, to the server that all
 * share. It is the same with worker threads: clients cannot be passed on, addresses can.
 */
import cluster from 'node:cluster';
import { once } from 'node:events';
import { Client } from 'tsmemcache';
import { MemcachedServer } from 'tsmemcache/server';

const NUMBERS = 1000;
const PROCESSES = 2;

function keyOf(number: number): string {
  return `number-${number}`;
}

/** A worker sums the squares of its share of the numbers in the cache. */
async function work(address: string, share: number): Promise<void> {
  const cache = new Client<number>(address);
  const size = NUMBERS / PROCESSES;
  const numbers = await cache.getMany(Array.from({ length: size }, (_, i) => keyOf(share * size + i)));
  await cache.close();
  process.send?.([...numbers.values()].reduce((sum, number) => sum + number * number, 0));
  process.disconnect();
}

async function main(): Promise<void> {
  const server = await MemcachedServer.start();
  const cache = new Client<number>(server.address);
  await cache.setMany(Array.from({ length: NUMBERS }, (_, i) => [keyOf(i), i] as const));

  const sums = await Promise.all(
    Array.from({ length: PROCESSES }, async (_, share) => {
      const worker = cluster.fork({ CACHE: server.address, SHARE: share });
      const [sum] = (await once(worker, 'message')) as [number];
      return sum;
    }),
  );
  console.log(`${PROCESSES} processes: ${sums.join(' + ')} = ${sums.reduce((total, sum) => total + sum, 0)}`);

  await cache.close();
  await server.close();
}

const { CACHE = '', SHARE } = process.env;
void (cluster.isPrimary ? main() : work(CACHE, Number(SHARE)));
