/** `npm run bench -- profile ROW [--client NAME] [--milliseconds N] [--build DIR] [--out DIR]`: a CPU profile of one row, and its top functions. */
import { mkdirSync, readFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Profiler } from 'node:inspector';
import { consoleTable } from '../../tools/console-table';
import { BUILD, inProcess, type Measurement } from './order';
import { rows } from './rows';
import { withServers } from './server';

const ROOT = resolve(__dirname, '../..');
const TOP = 15;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    client: { type: 'string' },
    milliseconds: { type: 'string', default: '3000' },
    build: { type: 'string', default: BUILD },
    out: { type: 'string', default: resolve(ROOT, 'profiles') },
  },
});

/** Microseconds that each function was itself at work; waiting is left out. */
function selfTimes({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): Map<string, number> {
  const names = new Map(
    nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => {
      const place = url === '' ? '' : `  ${relative(ROOT, url.replace(/^file:\/\//, ''))}:${lineNumber + 1}`;
      return [id, `${functionName || '(anonymous)'}${place}`];
    }),
  );
  const times = new Map<string, number>();
  for (const [i, id] of samples.entries()) {
    const name = names.get(id) ?? '?';
    if (name !== '(idle)') times.set(name, (times.get(name) ?? 0) + (timeDeltas[i] ?? 0));
  }
  return times;
}

async function main(): Promise<void> {
  const row = rows.find(({ name }) => name === positionals[0]);
  if (row === undefined) {
    console.log(`npm run bench -- profile ROW [--client NAME]; the rows: ${rows.map(({ name }) => name).join(', ')}`);
    process.exitCode = 1;
    return;
  }
  const client = options.client ?? row.contestants[0]?.name ?? '';
  const file = resolve(options.out, `${row.name}.cpuprofile`);
  mkdirSync(options.out, { recursive: true });
  const order = { client, row: row.name, build: resolve(options.build), milliseconds: Number(options.milliseconds), profile: file };
  const { calls, cpu } = await withServers(row.servers, (ports) => inProcess<Measurement>('worker', { ...order, ports }));

  const times = selfTimes(JSON.parse(readFileSync(file, 'utf8')) as Profiler.Profile);
  const total = [...times.values()].reduce((sum, time) => sum + time, 0);
  const longest = [...times].sort(([, a], [, b]) => b - a).slice(0, TOP);
  const table = consoleTable(
    ['function', 'self', 'µs/call'],
    longest.map(([name, time]) => [name, `${((time / total) * 100).toFixed(1)} %`, (time / calls).toFixed(3)]),
  );
  console.log(`${row.title}: ${client}, ${cpu.toFixed(2)} µs of CPU per call with the profiler on\n${table}\n${relative(process.cwd(), file)}`);
}

void main();
