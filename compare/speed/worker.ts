/** Runs one row with one client in a process of its own: its CPU time is then the client's and nobody else's. */
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Adapter } from './clients/adapter';
import { answer, WARM_UP, type Measurement, type Order } from './order';
import { makeLoad, rows, type Load, type Row } from './rows';

async function check(client: Adapter, row: Row, load: Load): Promise<void> {
  for (const key of load.keys) await client.set(key, load.value);
  const [key = ''] = load.keys;
  const value = await client.get(key);
  // A serde of bytes gives bytes back.
  const read = Buffer.isBuffer(value) ? value.toString() : value;
  if (read !== true && !isDeepStrictEqual(read, load.value)) throw new Error(`the client does not read back what it stored for ${row.name}`);
}

async function measure(client: Adapter, row: Row, load: Load, { milliseconds, profile }: Order): Promise<Measurement> {
  const latencies: number[] = [];
  let calls = 0;
  let until = Infinity;
  const lane = async (): Promise<void> => {
    do {
      const sampled = calls % 16 === 0;
      const began = sampled ? performance.now() : 0;
      await row.call(client, load);
      calls++;
      if (sampled) latencies.push(performance.now() - began);
    } while (performance.now() < until);
  };
  const run = async (duration: number): Promise<void> => {
    until = performance.now() + duration;
    await Promise.all(Array.from({ length: row.outstanding }, lane));
  };
  await run(milliseconds * WARM_UP);
  calls = latencies.length = 0;
  const stopProfile = profile === undefined ? undefined : await startProfile(profile);
  const cpu = process.cpuUsage();
  const began = performance.now();
  await run(milliseconds);
  const took = performance.now() - began;
  const { user, system } = process.cpuUsage(cpu);
  await stopProfile?.();
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? 0;
  return { calls, cpu: (user + system) / calls, rate: (calls / took) * 1000, p50: at(0.5), p99: at(0.99) };
}

/** Samples every 100 µs until the function it gives is called, which writes `file`. */
async function startProfile(file: string): Promise<() => Promise<void>> {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: 100 });
  await session.post('Profiler.start');
  return async () => {
    const { profile } = await session.post('Profiler.stop');
    writeFileSync(file, JSON.stringify(profile));
  };
}

answer(async (order: Order): Promise<Measurement> => {
  const row = rows.find((entry) => entry.name === order.row);
  const contestant = row?.contestants.find((entry) => entry.name === order.client);
  if (contestant === undefined || row === undefined) throw new Error(`no such client or row: ${order.client}, ${order.row}`);
  const client = await contestant.make({ ports: order.ports.slice(0, row.servers), build: order.build });
  const load = makeLoad(row);
  await check(client, row, load);
  const measurement = await measure(client, row, load, order);
  await client.close();
  return measurement;
});
