/** Measures memory in a process of its own, started with `--expose-gc`. */
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import type { Site } from '../clients/adapter';
import { load } from '../clients/tsmemcache';
import { answer } from '../order';

export interface MemoryOrder extends Site {
  readonly subject: keyof typeof subjects;
  /** How many of them. */
  readonly count: number;
}

/** Bytes per one. */
export interface MemoryFigure {
  readonly bytes: number;
}

const key = 'bench:key:000000001';

/** Bytes of live objects. */
async function heap(): Promise<number> {
  if (globalThis.gc === undefined) throw new Error('start node with --expose-gc');
  await pause(50);
  for (let i = 0; i < 3; i++) globalThis.gc();
  return process.memoryUsage().heapUsed;
}

/** The slope of a line through the points, by least squares. */
function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / points.length;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / points.length;
  const above = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  return above / points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
}

const subjects = {
  async 'idle client'({ build, ports, count }: MemoryOrder): Promise<number> {
    const { Client } = load({ build, ports });
    const all: unknown[] = [new Client(['127.0.0.1', ports[0] ?? 0])];
    const before = await heap();
    for (let i = 0; i < count; i++) all.push(new Client(['127.0.0.1', ports[0] ?? 0]));
    return ((await heap()) - before) / (all.length - 1);
  },

  async 'connected client'({ build, ports, count }: MemoryOrder): Promise<number> {
    const { Client } = load({ build, ports });
    const first = new Client(['127.0.0.1', ports[0] ?? 0]);
    await first.get(key);
    const all = [first];
    const before = await heap();
    for (let i = 0; i < count; i++) {
      const client = new Client(['127.0.0.1', ports[0] ?? 0]);
      await client.get(key);
      all.push(client);
    }
    return ((await heap()) - before) / (all.length - 1);
  },

  async 'bare socket'({ ports, count }: MemoryOrder): Promise<number> {
    const open = async (): Promise<Socket> => {
      const socket = connect(ports[0] ?? 0, '127.0.0.1');
      await once(socket, 'connect');
      return socket;
    };
    const all = [await open()];
    const before = await heap();
    for (let i = 0; i < count; i++) all.push(await open());
    return ((await heap()) - before) / (all.length - 1);
  },

  /** A server that reads and never answers; the promises that the caller holds are counted. */
  async 'queued call'({ build, ports, count }: MemoryOrder): Promise<number> {
    const { Client } = load({ build, ports });
    const server = createServer((socket) => void socket.resume()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = new Client(['127.0.0.1', (server.address() as AddressInfo).port], { timeout: 60_000, maxPending: 2 * count });
    const promises = new Array<unknown>(count + 1).fill(undefined);
    promises[count] = client.get(key);
    const before = await heap();
    for (let i = 0; i < count; i++) promises[i] = client.get(key);
    return ((await heap()) - before) / count;
  },

  /** How the heap grows per call while one client makes `count` of them, 128 at a time. */
  async growth({ build, ports, count }: MemoryOrder): Promise<number> {
    const { Client } = load({ build, ports });
    const client = new Client(['127.0.0.1', ports[0] ?? 0]);
    await client.set(key, 'v'.repeat(100));
    const points: [number, number][] = [];
    const windows = 20;
    // First some that do not count: what is compiled meanwhile lies in the heap as well.
    await gets(client, count / 4);
    for (let i = 0; i < windows; i++) {
      points.push([(i * count) / windows, await heap()]);
      await gets(client, count / windows);
    }
    points.push([count, await heap()]);
    return slope(points);
  },
};

async function gets(client: { get(key: string): Promise<unknown> }, count: number): Promise<void> {
  let left = count;
  const lane = async (): Promise<void> => {
    while (left-- > 0) await client.get(key);
  };
  await Promise.all(Array.from({ length: 128 }, lane));
}

answer(async (order: MemoryOrder): Promise<MemoryFigure> => ({ bytes: await subjects[order.subject](order) }));
