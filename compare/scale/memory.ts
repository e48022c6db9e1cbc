/** What a client and its connections take in a real process, over real sockets; started with `--expose-gc`. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from '../../src';
import { load } from '../speed/clients/tsmemcache';
import { answer } from '../speed/order';

export interface MemoryOrder {
  readonly build: string;
  /** All of them lead to one memcached. */
  readonly servers: readonly string[];
  readonly clients: number;
}

/** Bytes: of live objects with their buffers, and of what the process has of the machine's memory. */
export interface Bytes {
  readonly heap: number;
  readonly rss: number;
}

export interface MemoryFigures {
  /** A `HashClient` of all servers that has not made a call. */
  readonly idleCluster: Bytes;
  /** The same with a connection to each server, each used once. */
  readonly connectedCluster: Bytes;
  /** What each of these connections takes. */
  readonly connection: Bytes;
}

async function measure(): Promise<Bytes> {
  if (globalThis.gc === undefined) throw new Error('start node with --expose-gc');
  await pause(100);
  for (let i = 0; i < 3; i++) globalThis.gc();
  const { heapUsed, arrayBuffers, rss } = process.memoryUsage();
  return { heap: heapUsed + arrayBuffers, rss };
}

function per(before: Bytes, after: Bytes, count: number): Bytes {
  return { heap: Math.round((after.heap - before.heap) / count), rss: Math.round((after.rss - before.rss) / count) };
}

answer(async ({ build, servers, clients: count }: MemoryOrder): Promise<MemoryFigures> => {
  const { HashClient } = load({ build, ports: [] });
  // One first, so that what is made once is made.
  const clients: Client[] = [new HashClient(servers)];
  for (const client of clients) await client.version();
  const before = await measure();
  for (let i = 0; i < count; i++) clients.push(new HashClient(servers));
  const idle = await measure();
  for (const client of clients.slice(1)) await client.version();
  const connected = await measure();
  return {
    idleCluster: per(before, idle, count),
    connectedCluster: per(before, connected, count),
    connection: per(idle, connected, count * servers.length),
  };
});
