/** `npm run bench -- [--quick] [--only ROWS] [--clients NAMES] [--rounds N] [--milliseconds N] [--build DIR] [--json FILE] [--write-docs]` */
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { SingleBar } from 'cli-progress';
import { BUILD, inProcess, WARM_UP, type Measurement } from './order';
import { printReport, writeDocs } from './report';
import { Results } from './results';
import { rows, type Row } from './rows';
import { withServers } from './server';

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    clients: { type: 'string' },
    rounds: { type: 'string' },
    milliseconds: { type: 'string' },
    build: { type: 'string', default: BUILD },
    json: { type: 'string' },
    'write-docs': { type: 'boolean', default: false },
  },
});

/** What starting a process and filling the server cost, in milliseconds. */
const OVERHEAD = 550;

const QUICK_ROWS = ['get-100-1', 'get-100-128', 'get-100-1024', 'set-100-128', 'get-many-16'];

/** The entries named in `names`, which must exist; those that `byDefault` picks when there are no names. */
function chosen<T extends { name: string }>(all: readonly T[], names: string | undefined, byDefault: (entry: T) => boolean): T[] {
  if (names === undefined) return all.filter(byDefault);
  const wanted = names.split(',').map((name) => name.trim());
  const unknown = wanted.filter((name) => !all.some((entry) => entry.name === name));
  if (unknown.length > 0) throw new Error(`unknown: ${unknown.join(', ')}; the choices are ${[...new Set(all.map(({ name }) => name))].join(', ')}`);
  return all.filter(({ name }) => wanted.includes(name));
}

/** The rows to run, each with the contestants that take part. */
function chosenRows(): Row[] {
  const picked = chosen(rows, options.only, ({ name }) => !options.quick || QUICK_ROWS.includes(name));
  const all = picked.flatMap(({ contestants }) => contestants);
  const clients = chosen(all, options.clients, ({ name }) => !options.quick || name !== 'raw').map(({ name }) => name);
  return picked
    .map((row) => ({ ...row, contestants: row.contestants.filter(({ name }) => clients.includes(name)) }))
    .filter(({ contestants }) => contestants.length > 0);
}

async function main(): Promise<void> {
  const wanted = chosenRows();
  const rounds = Number(options.rounds ?? (options.quick ? 2 : 3));
  const milliseconds = Number(options.milliseconds ?? 350);
  const build = resolve(options.build);
  const total = rounds * wanted.reduce((sum, { contestants }) => sum + contestants.length, 0);
  const seconds = (total * (milliseconds * (1 + WARM_UP) + OVERHEAD)) / 1000;
  console.log(`${total} measurements of ${milliseconds} ms, about ${Math.ceil(seconds)} s`);

  const results = new Results();
  const failures = new Set<string>();
  const bar = new SingleBar({ format: '{bar} {value}/{total}  {what}', hideCursor: true, clearOnComplete: true });
  bar.start(total, 0, { what: '' });
  await withServers(Math.max(...wanted.map(({ servers }) => servers)), async (ports) => {
    // Rounds are interleaved, so that a slow minute of the machine is everybody's.
    for (let round = 0; round < rounds; round++) {
      for (const row of wanted) {
        for (const { name } of row.contestants) {
          bar.increment(1, { what: `${row.title}: ${name}` });
          try {
            const order = { client: name, row: row.name, ports, build, milliseconds };
            results.add(row.name, name, await inProcess<Measurement>('worker', order));
          } catch (error) {
            failures.add(`${row.title}: ${name}: ${String((error as { stderr?: string }).stderr ?? error).trim()}`);
          }
        }
      }
    }
  });
  bar.stop();
  printReport(results, wanted);
  for (const failure of failures) console.error(failure);
  if (options.json !== undefined) await writeFile(options.json, JSON.stringify(results, undefined, 2));
  if (options['write-docs']) await writeDocs(results, wanted, rounds);
}

void main();
