/** `npm run bench -- multi-core [--rounds N] [--milliseconds N] [--build DIR] [--json FILE] [--write-docs]`: calls per second of 1, 2, … processes. */
import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { median } from './costs/cost';
import { BUILD, inProcess, type Measurement } from './order';
import { machine, markdownTable, writePart } from '../../tools/page';
import { rows } from './rows';
import { startMemcached } from './server';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    milliseconds: { type: 'string', default: '2000' },
    build: { type: 'string', default: BUILD },
    json: { type: 'string' },
    'write-docs': { type: 'boolean', default: false },
  },
});

const ROWS = ['get-100-128', 'get-4k-128', 'get-many-16'];
const cores = availableParallelism();
/** 1, 2, 4 and so on, up to the cores there are, but 2 in any case. */
const PROCESSES = [1, 2, 4, 8, 16].filter((count) => count <= Math.max(2, cores));

interface Line {
  readonly row: string;
  readonly processes: number;
  /** Calls per second of all processes together: the median of the rounds. */
  readonly rate: number;
}

async function measure(port: number): Promise<Line[]> {
  const cases = ROWS.flatMap((row) => PROCESSES.map((processes) => ({ row, processes, rates: [] as number[] })));
  const order = { client: 'tsmemcache', ports: [port], build: resolve(options.build), milliseconds: Number(options.milliseconds) };
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const { row, processes, rates } of cases) {
      const all = Array.from({ length: processes }, () => inProcess<Measurement>('worker', { ...order, row }));
      rates.push((await Promise.all(all)).reduce((sum, { rate }) => sum + rate, 0));
    }
  }
  return cases.map(({ row, processes, rates }) => ({ row, processes, rate: median(rates) }));
}

async function main(): Promise<void> {
  const server = await startMemcached(cores);
  const lines = await measure(server.port).finally(() => {
    server.stop();
  });
  const head = ['', 'processes', 'calls/s together', 'to one process'];
  const cells = lines.map(({ row, processes, rate }) => {
    const one = lines.find((line) => line.row === row && line.processes === 1)?.rate ?? NaN;
    return [rows.find(({ name }) => name === row)?.title ?? row, String(processes), Math.round(rate).toLocaleString('en'), `${(rate / one).toFixed(2)} ×`];
  });
  const table = new Table({ head, style: { head: [], border: [] }, colAligns: ['left', 'right', 'right', 'right'] });
  table.push(...cells);
  console.log(table.toString());
  if (options.json !== undefined) await writeFile(options.json, JSON.stringify(lines, undefined, 2));
  if (options['write-docs']) {
    await writePart('multi-core.md', 'bench -- multi-core', `${machine()} memcached with ${cores} threads runs on the same cores.\n\n${markdownTable(head, cells)}`);
  }
}

void main();
