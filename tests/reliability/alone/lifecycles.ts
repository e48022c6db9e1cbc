/** Clients of all kinds that are made, used and closed: what they leave behind. */
import { getEventListeners } from 'node:events';
import { Client, FallbackClient, HashClient, PooledClient, RetryingClient } from '../../../src';
import { EmbeddedClient, MemoryStore } from '../../../src/embedded';
import { MemcachedServer } from '../../../src/server';
import { activeResources, alone, usedMemory } from '../../support/alone';

export interface LifecyclesReport {
  /** Bytes of heap and of buffers more after the second half than after the first. */
  readonly growth: number;
  readonly listeners: number;
  readonly resources: number;
}

alone(async ({ lifecycles }: { lifecycles: number }): Promise<LifecyclesReport> => {
  const server = await MemcachedServer.start();
  const { address } = server;
  const store = new MemoryStore();
  const abort = new AbortController();
  const makers = [
    () => new Client(address),
    () => new PooledClient(address, { poolIdleTimeout: 1000 }),
    () => new HashClient([address]),
    () => new RetryingClient(new HashClient([address], { usePooling: true })),
    () => new FallbackClient([new Client(address), new Client(address)]),
    () => new EmbeddedClient(store),
  ];
  const live = async (i: number): Promise<void> => {
    const client = makers[i % makers.length]?.();
    if (client === undefined) return;
    await Promise.all([client.set('k', i, { signal: abort.signal }), client.get('k', { signal: abort.signal }), client.getMany(['k', 'l'])]);
    if (i % 2 === 0) await client.close();
    else await client[Symbol.asyncDispose]();
  };
  const lives = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i += 6) await Promise.all(Array.from({ length: 6 }, (_, n) => live(i + n)));
  };
  await lives(lifecycles / 2);
  const before = await usedMemory();
  const resourcesBefore = activeResources();
  await lives(lifecycles / 2);
  const after = await usedMemory();
  const report = {
    growth: after.heap - before.heap + after.buffers - before.buffers,
    listeners: getEventListeners(abort.signal, 'abort').length,
    resources: activeResources() - resourcesBefore,
  };
  store.close();
  await server.close();
  return report;
});
