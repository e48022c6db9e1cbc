/** `npm run bench -- [--quick] [--only ROW] [--clients A,B] [--rounds N] [--json FILE] [--write-docs]` */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { SingleBar } from 'cli-progress';
import { contestants } from './clients';
import { printReport, writeDocs, type Results } from './report';
import { rows, type Row } from './rows';
import { startMemcached } from './server';
import type { Measurement } from './worker';

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    clients: { type: 'string' },
    rounds: { type: 'string' },
    json: { type: 'string' },
    'write-docs': { type: 'boolean', default: false },
  },
});

const run = promisify(execFile);

function chosen<T extends { name: string }>(all: readonly T[], names: string | undefined, byDefault: (entry: T) => boolean): T[] {
  if (names === undefined) return all.filter(byDefault);
  const wanted = names.split(',');
  const unknown = wanted.filter((name) => !all.some((entry) => entry.name === name));
  if (unknown.length > 0) throw new Error(`unknown: ${unknown.join(', ')}; there are ${all.map(({ name }) => name).join(', ')}`);
  return all.filter(({ name }) => wanted.includes(name));
}

const QUICK_ROWS = ['get-100-1', 'get-100-128', 'get-100-1024', 'set-100-128', 'get-many-16'];
const QUICK_CLIENTS = ['tsmemcache', 'memcached', 'memjs', 'memcache-client', 'memcache', 'raw+promise'];

async function measure(client: string, row: Row, port: number, milliseconds: number): Promise<Measurement> {
  const order = JSON.stringify({ client, row: row.name, port, milliseconds });
  const { stdout } = await run(process.execPath, ['--import', 'tsx', join(__dirname, 'worker.ts'), order], { timeout: 60_000 });
  return JSON.parse(stdout) as Measurement;
}

async function main(): Promise<void> {
  const quick = options.quick;
  const chosenRows = chosen(rows, options.only, ({ name }) => !quick || QUICK_ROWS.includes(name));
  const chosenClients = chosen(contestants, options.clients, ({ name }) => !quick || QUICK_CLIENTS.includes(name));
  const rounds = Number(options.rounds ?? (quick ? 2 : 3));
  const milliseconds = quick ? 400 : 600;
  const results: Results = new Map();
  const server = await startMemcached();
  const bar = new SingleBar({ format: '{bar} {value}/{total}  {what}', hideCursor: true, clearOnComplete: true });
  bar.start(rounds * chosenRows.length * chosenClients.length, 0, { what: '' });
  // Rounds are interleaved, so that a slow minute of the machine is everybody's.
  for (let round = 0; round < rounds; round++) {
    for (const row of chosenRows) {
      for (const { name } of chosenClients) {
        bar.increment(1, { what: `${row.title}: ${name}` });
        const measurement = await measure(name, row, server.port, milliseconds).catch(() => undefined);
        const ofRow = results.get(row.name) ?? new Map<string, Measurement[]>();
        results.set(row.name, ofRow);
        const list = ofRow.get(name) ?? [];
        ofRow.set(name, list);
        if (measurement !== undefined) list.push(measurement);
      }
    }
  }
  bar.stop();
  server.stop();
  printReport(results, chosenRows, chosenClients);
  if (options.json !== undefined) {
    const plain = Object.fromEntries([...results].map(([row, ofRow]) => [row, Object.fromEntries(ofRow)]));
    await writeFile(options.json, JSON.stringify(plain, undefined, 2));
  }
  if (options['write-docs']) await writeDocs(results, chosenRows, chosenClients, rounds);
}

void main();
