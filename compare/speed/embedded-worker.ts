/** One process of `embedded.ts`: reads from one cache in the same process, and tells the CPU time of a read in microseconds. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { LRUCache } from 'lru-cache';
import type * as Package from '../../src/embedded';
import { answer } from './order';

export interface EmbeddedOrder {
  readonly cache: 'EmbeddedClient' | 'lru-cache' | 'node-cache';
  /** How many reads are under way; a cache that answers without a promise has none. */
  readonly outstanding: number;
  readonly reads: number;
  readonly build: string;
  /** The folder below which node-cache was installed. */
  readonly fetched: string;
}

const KEYS = Array.from({ length: 1000 }, (_, i) => `bench:key:${String(i).padStart(9, '0')}`);
const VALUE = 'v'.repeat(100);

interface Synchronous {
  set(key: string, value: string): unknown;
  get(key: string): unknown;
}

/** A cache of the peers, and whether the first key is there. */
function peer({ cache, fetched }: EmbeddedOrder): Synchronous {
  if (cache === 'lru-cache') return new LRUCache<string, string>({ max: 100_000 });
  const NodeCache = createRequire(join(fetched, 'package.json'))('node-cache') as new () => Synchronous;
  return new NodeCache();
}

function cpuOf(before: NodeJS.CpuUsage, reads: number): { readonly cpu: number } {
  const { user, system } = process.cpuUsage(before);
  return { cpu: (user + system) / reads };
}

function measureSynchronous(order: EmbeddedOrder): { readonly cpu: number } {
  const cache = peer(order);
  for (const key of KEYS) cache.set(key, VALUE);
  let found = 0;
  const read = (reads: number): void => {
    for (let i = 0; i < reads; i++) if (cache.get(KEYS[i % KEYS.length] ?? '') !== undefined) found++;
  };
  read(order.reads);
  const before = process.cpuUsage();
  read(order.reads);
  if (found !== 2 * order.reads) throw new Error(`${order.cache} does not read back what it stored`);
  return cpuOf(before, order.reads);
}

async function measureClient({ build, outstanding, reads }: EmbeddedOrder): Promise<{ readonly cpu: number }> {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- which build it is, is said on the command line
  const { EmbeddedClient } = require(join(build, 'embedded')) as typeof Package;
  const client = new EmbeddedClient();
  await client.setMany(new Map(KEYS.map((key) => [key, VALUE])));
  let found = 0;
  const read = async (): Promise<void> => {
    let left = reads;
    const lane = async (): Promise<void> => {
      while (left-- > 0) if ((await client.get(KEYS[left % KEYS.length] ?? '')) === VALUE) found++;
    };
    await Promise.all(Array.from({ length: outstanding }, lane));
  };
  await read();
  const before = process.cpuUsage();
  await read();
  const result = cpuOf(before, reads);
  if (found !== 2 * reads) throw new Error('EmbeddedClient does not read back what it stored');
  await client.close();
  return result;
}

answer(async (order: EmbeddedOrder) => (order.cache === 'EmbeddedClient' ? measureClient(order) : measureSynchronous(order)));
