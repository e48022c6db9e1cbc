import { getEventListeners } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Client, FallbackClient, HashClient, PooledClient, RetryingClient } from '../../src';
import { EmbeddedClient, MemoryStore } from '../../src/embedded';
import { MemcachedServer } from '../../src/server';
import { fromEnvironment, report } from './report';

const LIFECYCLES = fromEnvironment('RELIABILITY_LIFECYCLES', 5000);
const KIB = 1024;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

async function heap(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => setImmediate(resolve));
    collectGarbage();
  }
  return process.memoryUsage().heapUsed;
}

it('clients that are made, used and closed leave nothing', async () => {
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
    for (let i = 0; i < count; i += 10) await Promise.all(Array.from({ length: 10 }, (_, n) => live(i + n)));
  };
  await lives(LIFECYCLES / 5);
  const resources = (): number => process.getActiveResourcesInfo().filter((name) => /TCPSocket|Timeout/.test(name)).length;
  const before = await heap();
  const resourcesBefore = resources();
  await lives(LIFECYCLES);
  const growth = (await heap()) - before;
  expect(getEventListeners(abort.signal, 'abort')).toHaveLength(0);
  expect(resources()).toBeLessThanOrEqual(resourcesBefore);
  store.close();
  await server.close();
  report({ goal: 'G25', claim: 'Clients made, used and closed leave no handle and no listener; bytes of heap more per client', n: LIFECYCLES, value: Math.max(0, Math.round(growth / LIFECYCLES)), limit: 200, pass: growth < LIFECYCLES * 200 && growth < 1024 * KIB });
}, 120_000);
