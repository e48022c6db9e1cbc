import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import { Client, MemcacheOverloadedError, PooledClient } from '../../src';
import { fromEnvironment, report } from './report';

const CALLS = fromEnvironment('RELIABILITY_CALLS', 1_000_000);
const MIB = 1024 * 1024;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function memory(): number {
  collectGarbage();
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + external + arrayBuffers;
}

it.each(['Client', 'PooledClient'] as const)('%s: a million calls at a black hole take bounded memory', async (kind) => {
  const sockets = new Set<Socket>();
  let over = false;
  const hole = createServer((socket) => {
    sockets.add(socket.pause());
    if (over) socket.destroy();
    socket.on('error', () => undefined);
  }).listen(0, '127.0.0.1');
  await once(hole, 'listening');
  const { port } = hole.address() as AddressInfo;
  const client = kind === 'Client' ? new Client(['127.0.0.1', port], { timeout: 60_000 }) : new PooledClient(['127.0.0.1', port], { timeout: 60_000, maxPoolSize: 2 });
  const before = memory();
  let overloaded = 0;
  let others = 0;
  const count = (error: unknown): void => {
    if (error instanceof MemcacheOverloadedError) overloaded++;
    else others++;
  };
  let highest = 0;
  const started = process.cpuUsage();
  for (let i = 0; i < CALLS; i++) {
    client.set(`key-${i}`, 'value').then(() => others++, count);
    if (i % 1000 === 999) await new Promise((resolve) => setImmediate(resolve));
    if (i % 250_000 === 249_999) highest = Math.max(highest, memory() - before);
  }
  const { user, system } = process.cpuUsage(started);
  console.log(`${kind}: ${overloaded} refused, ${others} otherwise, +${(highest / MIB).toFixed(1)} MiB, ${((user + system) / CALLS).toFixed(2)} µs CPU per call`);
  const closing = client.close();
  over = true;
  for (const socket of sockets) socket.destroy();
  hole.close();
  await closing;
  expect(overloaded).toBeGreaterThan(CALLS * 0.9);
  report({
    goal: kind === 'Client' ? 'G10' : 'G10-pool',
    claim: `A million calls at a black hole, ${kind}: MiB more at the most`,
    n: CALLS,
    value: Math.round((highest / MIB) * 10) / 10,
    limit: 64,
    pass: highest < 64 * MIB,
  });
}, 120_000);
