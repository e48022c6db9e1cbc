/** `npm run bench -- pool [--write-docs]`: how long small reads take while somebody reads a value of 5 MB again and again. */
import { Client, PooledClient, RawSerde } from '../../src';
import { startMemcached } from '../../tests/support/memcached';
import { consoleTable } from '../../tools/console-table';
import { machine, markdownTable, writePart } from '../../tools/page';

const LARGE = 5_000_000;
const SECONDS = 3;
const options = { serde: new RawSerde(), maxValueSize: 8 * 1024 * 1024, timeout: 10_000 };

/** The milliseconds of each small read, sorted. */
async function measure(client: Client<Buffer, string | Uint8Array>, withLarge: boolean): Promise<number[]> {
  const times: number[] = [];
  const end = performance.now() + SECONDS * 1000;
  const large = async (): Promise<void> => {
    while (withLarge && performance.now() < end) await client.get('large');
  };
  const small = async (): Promise<void> => {
    while (performance.now() < end) {
      const started = performance.now();
      await client.get('small');
      times.push(performance.now() - started);
      // Readers come one by one, not in step.
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  await Promise.all([large(), ...Array.from({ length: 8 }, small)]);
  return times.sort((a, b) => a - b);
}

async function main(): Promise<void> {
  const memcached = await startMemcached(['-I', '8m', '-m', '256']);
  const head = ['client', '5 MB reads meanwhile', 'small reads/s', 'median ms', 'p99 ms'];
  const lines: string[][] = [];
  for (const client of [new Client(memcached.address, options), new PooledClient(memcached.address, { ...options, maxPoolSize: 4 })]) {
    await client.set('large', Buffer.alloc(LARGE));
    await client.set('small', Buffer.alloc(100));
    for (const withLarge of [false, true]) {
      const times = await measure(client, withLarge);
      const at = (part: number): string => (times[Math.floor(times.length * part)] ?? NaN).toFixed(2);
      lines.push([client.constructor.name, withLarge ? 'yes' : 'no', (times.length / SECONDS).toFixed(0), at(0.5), at(0.99)]);
    }
    await client.close();
  }
  await memcached.stop();
  console.log(consoleTable(head, lines));
  if (process.argv.includes('--write-docs')) await writePart('benchmarks.md', 'bench -- pool', `${markdownTable(head, lines)}\n\n${machine()}`);
}

void main();
