/** `npm run bench -- multi-core [--rounds N] [--milliseconds N] [--build DIR] [--json FILE] [--write-docs]`: calls per second of 1, 2, … processes. */
import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { median } from './costs/cost';
import { BUILD, inProcess, type Measurement } from './order';
import { consoleTable } from '../../tools/console-table';
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

/** What one round measured of all processes together. */
interface Round {
  /** Calls per second. */
  readonly rate: number;
  /** CPU time of the clients per call, in microseconds. */
  readonly cpu: number;
}

interface Line {
  readonly row: string;
  readonly processes: number;
  readonly rounds: readonly Round[];
  /** To one process, round by round, so that a slow minute of the machine is both's; the median. */
  readonly ratio: number;
}

async function measure(port: number): Promise<Line[]> {
  const cases = ROWS.flatMap((row) => PROCESSES.map((processes) => ({ row, processes, rounds: [] as Round[] })));
  const order = { client: 'tsmemcache', ports: [port], build: resolve(options.build), milliseconds: Number(options.milliseconds) };
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const { row, processes, rounds } of cases) {
      const all = await Promise.all(Array.from({ length: processes }, () => inProcess<Measurement>('worker', { ...order, row })));
      const rate = all.reduce((sum, one) => sum + one.rate, 0);
      rounds.push({ rate, cpu: all.reduce((sum, one) => sum + one.rate * one.cpu, 0) / rate });
    }
  }
  return cases.map((line) => {
    const alone = cases.find(({ row, processes }) => row === line.row && processes === 1)?.rounds ?? [];
    return { ...line, ratio: median(line.rounds.map(({ rate }, round) => rate / (alone[round]?.rate ?? NaN))) };
  });
}

const rateOf = ({ rounds }: Line): number => median(rounds.map(({ rate }) => rate));
const cpuOf = ({ rounds }: Line): number => median(rounds.map(({ cpu }) => cpu));
/** How many cores the clients kept busy: what they did not use, they waited for the server, or for a core. */
const busyOf = ({ rounds }: Line): number => median(rounds.map(({ rate, cpu }) => (rate * cpu) / 1e6));
const titleOf = ({ row }: Line): string => rows.find(({ name }) => name === row)?.title ?? row;
const thousands = (figure: number): string => Math.round(figure).toLocaleString('en');

const HEAD = ['', 'processes', 'calls/s together', 'rounds', 'to one process', 'client CPU µs/call', 'cores of the clients'];

function cellsOf(line: Line): string[] {
  const rates = line.rounds.map(({ rate }) => rate);
  const spread = `${thousands(Math.min(...rates))} … ${thousands(Math.max(...rates))}`;
  return [titleOf(line), String(line.processes), thousands(rateOf(line)), spread, `${line.ratio.toFixed(2)} ×`, cpuOf(line).toFixed(2), busyOf(line).toFixed(2)];
}

/** Why some processes together did more than that many times the work of one; empty where none did. */
function explanation(lines: readonly Line[]): string {
  const sentences = lines.flatMap((line) => {
    const alone = lines.find(({ row, processes }) => row === line.row && processes === 1);
    if (alone === undefined || line.ratio <= line.processes) return [];
    return [`- ${titleOf(line)}: one process kept ${busyOf(alone).toFixed(2)} of a core busy at ${cpuOf(alone).toFixed(2)} µs a call; of ${line.processes}, each kept ${(busyOf(line) / line.processes).toFixed(2)} busy at ${cpuOf(line).toFixed(2)} µs.`];
  });
  if (sentences.length === 0) return '';
  return `More than n × for n processes is possible where a single process leaves its core idle while it waits for the server, or where a call costs less CPU because more replies are found at each read. The last two columns tell which it was:

${sentences.join('\n')}`;
}

async function main(): Promise<void> {
  const server = await startMemcached(cores);
  const lines = await measure(server.port).finally(() => {
    server.stop();
  });
  const why = explanation(lines);
  console.log(`${consoleTable(HEAD, lines.map(cellsOf))}\n${why}`);
  if (options.json !== undefined) await writeFile(options.json, JSON.stringify(lines, undefined, 2));
  if (options['write-docs']) {
    const intro = `${machine()} memcached with ${cores} threads runs on the same cores. Medians of ${options.rounds} rounds; ratios are taken round by round.`;
    await writePart('multi-core.md', 'bench -- multi-core', [intro, markdownTable(HEAD, lines.map(cellsOf)), why].filter((part) => part !== '').join('\n\n'));
  }
}

void main();
