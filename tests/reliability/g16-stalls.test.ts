import { Client, HashClient, PooledClient } from '../../src';
import { MemcachedServer } from '../../src/server';
import { SeededRandom } from '../support/seeded-random';
import { fromEnvironment, report } from './report';

const STALLS = fromEnvironment('RELIABILITY_STALLS', 60);

/** Holds up the event loop. */
function stall(milliseconds: number): void {
  const until = performance.now() + milliseconds;
  while (performance.now() < until);
}

it('the time for which the process itself stood still is nobody’s time-out', async () => {
  const server = await MemcachedServer.start();
  const options = { timeout: 50, connectTimeout: 50 };
  const clients = [new Client(server.address, options), new PooledClient(server.address, options), new HashClient([server.address], options)];
  const random = new SeededRandom(1);
  let timeouts = 0;
  let answered = 0;
  for (let i = 0; i < STALLS; i++) {
    const client = clients[i % clients.length];
    if (client === undefined) continue;
    const when = [
      (): void => stall(60 + random.below(150)),
      (): void => process.nextTick(stall, 60 + random.below(150)),
      (): void => void setImmediate(stall, 60 + random.below(150)),
      (): void => void setTimeout(stall, random.below(3), 60 + random.below(150)),
    ][random.below(4)];
    if (random.chance(0.3)) await client.close();
    const calls = Array.from({ length: 20 }, () => client.set(`k${i}`, i));
    when?.();
    for (const outcome of await Promise.allSettled(calls)) {
      if (outcome.status === 'fulfilled') answered++;
      else timeouts++;
    }
  }
  await Promise.all(clients.map((client) => client.close()));
  await server.close();
  expect(answered + timeouts).toBe(STALLS * 20);
  report({ goal: 'G16', claim: 'No false time-out when the event loop stood still (time-out 50 ms, stalls of 60 to 210 ms)', seed: 1, n: STALLS, value: timeouts, limit: 0, pass: timeouts === 0 });
});
