import { subscribe } from 'node:diagnostics_channel';
import { CHANNELS, Client } from '../../../src';
import { MemcachedServer } from '../../../src/server';
import { alone, usedMemory } from '../../support/alone';

export interface HeardReport {
  readonly calls: number;
  readonly heard: number;
  /** Bytes of heap more than before. */
  readonly more: number;
}

alone(async ({ calls }: { calls: number }): Promise<HeardReport> => {
  let heard = 0;
  for (const name of Object.values(CHANNELS)) {
    subscribe(name, () => undefined);
    for (const event of ['start', 'end', 'asyncStart', 'asyncEnd', 'error']) subscribe(`tracing:${name}:${event}`, () => heard++);
  }
  const server = await MemcachedServer.start();
  const client = new Client(server.address, { timeout: 5000 });
  await client.set('a', 1);
  const run = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i += 1000) await Promise.all(Array.from({ length: 1000 }, () => client.get('a')));
  };
  await run(100_000);
  const before = await usedMemory();
  heard = 0;
  await run(calls);
  const after = await usedMemory();
  await client.close();
  await server.close();
  return { calls, heard, more: after.heap - before.heap };
});
