import { HashClient } from '../../src';
import { SimulatedNetwork } from '../support/simulation';
import { report } from './report';

const CLIENTS = 500;

it('500 clients of a server that was down come back one after the other', async () => {
  const network = new SimulatedNetwork({ seed: 3, toxics: [], toxicity: 0, refusals: 0, mortal: false });
  const { clock, connect, random } = network;
  const server = network.server('a:11211');
  const clients = Array.from({ length: CLIENTS }, () =>
    new HashClient(['a', 'b'], { clock, connect, random: random.fork().next, timeout: 100, connectTimeout: 100, retryTimeout: 1000, deadTimeout: 4000 }),
  );
  const key = Array.from({ length: 100 }, (_, i) => `k${i}`).find((name) => clients[0]?.serverFor(name) === 'a:11211') ?? '';
  let over = false;
  const users = clients.map(async (client) => {
    while (!over) {
      await client.get(key).catch(() => undefined);
      await new Promise<void>((resolve) => void clock.setTimeout(resolve, 10 + random.below(30)));
    }
  });
  const until = async (time: number): Promise<void> => {
    let reached = false;
    clock.at(time, () => {
      reached = true;
    });
    await clock.run(() => reached);
  };
  await until(1000);
  // All connections break, and nobody answers for a while.
  server.state = 'refusing';
  network.breakConnections('a:11211');
  await until(6000);
  const back: number[] = [];
  server.onConnection = () => back.push(clock.now());
  server.state = 'up';
  await until(12_000);
  over = true;
  await until(13_000);
  await Promise.all(users);
  const perTenth = new Map<number, number>();
  for (const time of back) perTenth.set(Math.floor(time / 100), (perTenth.get(Math.floor(time / 100)) ?? 0) + 1);
  const busiest = Math.max(...perTenth.values());
  const last = Math.max(...back) - 6000;
  console.log(`${back.length} connections, ${busiest} in the busiest 100 ms, all back after ${last.toFixed(0)} ms`);
  expect(back.length).toBeGreaterThanOrEqual(CLIENTS);
  expect(last).toBeLessThan(10_000);
  report({ goal: 'G15', claim: 'No herd: of 500 clients of a server that comes back, % in the busiest 100 ms', seed: 3, n: CLIENTS, value: Math.round((busiest / CLIENTS) * 100), limit: 15, pass: busiest <= CLIENTS * 0.15 });
});
