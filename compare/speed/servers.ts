/** `npm run bench -- servers [--quick] [--rounds N] [--only ROW] [--write-docs]` */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { SingleBar } from 'cli-progress';
import { contestants, start, type Contestant, type Running } from './servers/contestants';
import type { Load, Measurement } from './servers/load';
import { printReport, writeDocs, type Results } from './servers/report';
import { rows, type Row } from './servers/rows';

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    only: { type: 'string' },
    'write-docs': { type: 'boolean', default: false },
  },
});

const run = promisify(execFile);

/** Meta commands are memcached's, and a server that takes a packet for a request cannot be asked for more. */
function takesPart({ protocol, pipelines }: Contestant, { command, depth }: Row): boolean {
  return (protocol === 'memcached' || !command.startsWith('m')) && (pipelines || depth === 1);
}

async function measure({ protocol }: Contestant, { port, group }: Running, { command, connections, depth }: Row): Promise<Measurement> {
  const load: Load = { port, group, protocol, command, connections, depth, milliseconds: options.quick ? 500 : 1500 };
  const args = ['--import', 'tsx', join(__dirname, 'servers', 'load.ts'), JSON.stringify(load)];
  const { stdout } = await run(process.execPath, args, { timeout: 60_000 });
  return JSON.parse(stdout) as Measurement;
}

async function main(): Promise<void> {
  const rounds = Number(options.rounds ?? (options.quick ? 1 : 5));
  const results: Results = new Map();
  const bar = new SingleBar({ format: '{bar} {value}/{total}  {what}', hideCursor: true, clearOnComplete: true });
  bar.start(rounds * rows.length * contestants.length, 0, { what: '' });
  // Rounds are interleaved, so that a slow minute of the machine is everybody's; each has new servers.
  for (let round = 0; round < rounds; round++) {
    for (const contestant of contestants) {
      const server = await start(contestant);
      if (server === undefined) console.error(`${contestant.name} cannot be had`);
      for (const row of rows) {
        bar.increment(1, { what: `${contestant.name}: ${row.title}` });
        if (server === undefined || !takesPart(contestant, row) || (options.only ?? row.name) !== row.name) continue;
        const ofRow = results.get(row.name) ?? new Map<string, Measurement[]>();
        results.set(row.name, ofRow);
        ofRow.set(contestant.name, [...(ofRow.get(contestant.name) ?? []), await measure(contestant, server, row)]);
      }
      server?.stop();
    }
  }
  bar.stop();
  printReport(results);
  if (options['write-docs']) await writeDocs(results, rounds);
}

void main();
