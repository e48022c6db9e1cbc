/** Runs one row with one client in a process of its own: its CPU time is then the client's and nobody else's. */
import type { Adapter } from './clients/adapter';
import { contestants } from './clients';
import { makeLoad, rows, type Load, type Row } from './rows';

/** What one round measured. */
export interface Measurement {
  readonly calls: number;
  /** User and system time of the process per call, in microseconds. */
  readonly cpu: number;
  /** Calls per second. */
  readonly rate: number;
  /** Latencies in milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

interface Order {
  readonly client: string;
  readonly row: string;
  readonly port: number;
  readonly milliseconds: number;
}

async function check(client: Adapter, row: Row, load: Load): Promise<void> {
  for (const key of load.keys) await client.set(key, load.value);
  const [key = ''] = load.keys;
  const value = await client.get(key);
  if (value !== true && value !== load.value) throw new Error(`the client does not read back what it stored for ${row.name}`);
}

async function measure(client: Adapter, row: Row, load: Load, milliseconds: number): Promise<Measurement> {
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
  await run(milliseconds / 3);
  calls = latencies.length = 0;
  const cpu = process.cpuUsage();
  const began = performance.now();
  await run(milliseconds);
  const took = performance.now() - began;
  const { user, system } = process.cpuUsage(cpu);
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? 0;
  return { calls, cpu: (user + system) / calls, rate: (calls / took) * 1000, p50: at(0.5), p99: at(0.99) };
}

async function obey({ client: name, row: rowName, port, milliseconds }: Order): Promise<Measurement> {
  const contestant = contestants.find((entry) => entry.name === name);
  const row = rows.find((entry) => entry.name === rowName);
  if (contestant === undefined || row === undefined) throw new Error(`no such client or row: ${name}, ${rowName}`);
  const client = await contestant.make(port);
  const load = makeLoad(row);
  await check(client, row, load);
  const measurement = await measure(client, row, load, milliseconds);
  await client.close();
  return measurement;
}

obey(JSON.parse(process.argv[2] ?? '{}') as Order).then(
  (measurement) => {
    process.stdout.write(JSON.stringify(measurement));
    // Some clients have no way to end.
    process.exit(0);
  },
  (error: unknown) => {
    process.stderr.write(String(error));
    process.exit(1);
  },
);
