/** Calls at a server that takes them and never answers: how much memory they take. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { Client, MemcacheOverloadedError, PooledClient } from '../../../src';
import { alone, usedMemory } from '../../support/alone';

export interface BlackHoleOrder {
  readonly kind: 'Client' | 'PooledClient';
  readonly calls: number;
}

export interface BlackHoleReport {
  /** Calls that were refused with `MemcacheOverloadedError`, and that ended otherwise. */
  readonly overloaded: number;
  readonly others: number;
  /** Bytes more than before, at the most. */
  readonly highest: number;
}

alone(async ({ kind, calls }: BlackHoleOrder): Promise<BlackHoleReport> => {
  const sockets = new Set<Socket>();
  let over = false;
  const hole = createServer((socket) => {
    sockets.add(socket.pause());
    if (over) socket.destroy();
    socket.on('error', () => undefined);
  }).listen(0, '127.0.0.1');
  await once(hole, 'listening');
  const { port } = hole.address() as AddressInfo;
  const client = kind === 'Client' ? new Client(['127.0.0.1', port], { timeout: 60_000 }) : new PooledClient(['127.0.0.1', port], { timeout: 60_000 });
  const memory = async (): Promise<number> => {
    const { heap, buffers } = await usedMemory();
    return heap + buffers;
  };
  const before = await memory();
  let [overloaded, others, highest] = [0, 0, 0];
  const onDone = (): void => {
    others++;
  };
  const onError = (error: unknown): void => {
    if (error instanceof MemcacheOverloadedError) overloaded++;
    else others++;
  };
  for (let i = 0; i < calls; i++) {
    client.set(`key-${i}`, 'value').then(onDone, onError);
    if (i % 1000 === 999) await new Promise((resolve) => setImmediate(resolve));
    if (i % 250_000 === 249_999) highest = Math.max(highest, (await memory()) - before);
  }
  over = true;
  const closing = client.close();
  for (const socket of sockets) socket.destroy();
  hole.close();
  await closing;
  return { overloaded, others, highest };
});
