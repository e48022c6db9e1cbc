/** `npm run bench -- scale [--quick] [--only PARTS] [--json FILE] [--write-docs] [--redraw]`: a thousand processes and a hundred servers, in virtual time. */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { SingleBar } from 'cli-progress';
import { startMemcached } from '../../tests/support/memcached';
import { machine } from '../../tools/page';
import { BUILD, inProcess } from '../speed/order';
import type { MemoryFigures, MemoryOrder } from './memory';
import { printReport, writePage } from './report';
import type { Results } from './results';
import { failover, pools, restart, single, start } from './scenarios';

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    /** Some of memory,starts,restarts,failovers,singles,pools; the others are those of the run before. */
    only: { type: 'string' },
    json: { type: 'string' },
    'write-docs': { type: 'boolean', default: false },
    /** Writes the page and the pictures once more, from the results of the last run that wrote them. */
    redraw: { type: 'boolean', default: false },
  },
});

/** `--quick` is a twentieth, to see that it works. */
const PROCESSES = options.quick ? 50 : 1000;
const SERVERS = options.quick ? 10 : 100;
const WHOLE = { processes: PROCESSES, servers: SERVERS };
/** What happens at one server does not depend on how many others there are, as a row of the page shows. */
const FEWER = { processes: PROCESSES, servers: SERVERS / 5 };
const ZONES = options.quick ? { processes: 8, servers: 6 } : { processes: 60, servers: 30 };
const half = ({ processes, servers }: typeof WHOLE, by = 2): typeof WHOLE => ({ processes: processes / by, servers });

/** What `docs/reliability.md` recommends where the cache must never hurt the request. */
const TUNED = { timeout: 50, connectTimeout: 50, retryAttempts: 1, deadTimeout: 10_000 };
const AWAY = 10_000;
const PER_SERVER = 3;

/** A memcached that a cluster client takes for many: all of 127.0.0.0/8 is this machine, on Linux. */
async function memory(): Promise<Results['memory']> {
  const hosts = Array.from({ length: SERVERS }, (_, i) => `127.0.0.${i + 1}`);
  const clients = 40;
  const server = await startMemcached(['-t', '1', '-c', '10000', '-l', hosts.slice(1).join(',')]);
  try {
    const order: MemoryOrder = { build: BUILD, servers: hosts.map((host) => `${host}:${server.port}`), clients };
    return { servers: SERVERS, clients, figures: await inProcess<MemoryFigures>('../scale/memory', order, ['--expose-gc']) };
  } finally {
    await server.stop();
  }
}

const KEPT = join(__dirname, 'results.json');
const MINUTES = options.quick ? 2 : 5;

type Step = <R>(what: string, work: () => Promise<R>) => Promise<R>;

/** Each part of the results. */
const PARTS: { readonly [Part in keyof Omit<Results, 'machine'>]: (step: Step) => Promise<Results[Part]> } = {
  memory: (step) => step('memory', memory),
  starts: async (step) => [
    await step('start', () => start(WHOLE, true, MINUTES)),
    await step('start, not spread', () => start(FEWER, false, MINUTES)),
    await step('start, half', () => start(half(WHOLE), true, MINUTES)),
  ],
  restarts: async (step) => [
    await step('restart', () => restart(WHOLE, true, 500)),
    await step('restart, fewer servers', () => restart(FEWER, true, 500)),
    await step('restart, not spread', () => restart(FEWER, false, 500)),
    await step('restart, half', () => restart(half(FEWER), true, 500)),
    await step('restart, quarter', () => restart(half(FEWER, 4), true, 500)),
    await step('restart, 2 s', () => restart(FEWER, true, 2000)),
    await step('restart, 2 s, patient', () => restart(FEWER, true, 2000, { retryAttempts: 10 })),
  ],
  failovers: async (step) => [
    await step('failover', () => failover(ZONES, 'killed', AWAY, PER_SERVER, 70_000)),
    await step('failover, half', () => failover(half(ZONES), 'killed', AWAY, PER_SERVER, 70_000)),
    await step('failover, more servers', () => failover({ processes: ZONES.processes / 4, servers: 2 * ZONES.servers }, 'killed', AWAY, PER_SERVER, 70_000)),
    await step('failover, silent', () => failover(ZONES, 'silent', AWAY, PER_SERVER, 70_000)),
    await step('failover, tuned', () => failover(ZONES, 'killed', AWAY, PER_SERVER, 30_000, TUNED)),
    await step('failover, silent, tuned', () => failover(ZONES, 'silent', AWAY, PER_SERVER, 30_000, TUNED)),
  ],
  singles: async (step) => [
    await step('one server', () => single(PROCESSES, 0)),
    await step('one server, half', () => single(PROCESSES / 2, 0)),
    await step('one server, retryTimeout', () => single(PROCESSES, 1000)),
  ],
  pools: async (step) => [
    await step('pools of 1', () => pools(half(WHOLE, 10), 1)),
    await step('pools of 4', () => pools(half(WHOLE, 10), 4)),
    await step('pools of 4, half', () => pools(half(WHOLE, 20), 4)),
  ],
};
const STEPS = 23;

function kept(): Results {
  return JSON.parse(readFileSync(KEPT, 'utf8')) as Results;
}

async function main(): Promise<void> {
  if (options.redraw) {
    writePage(kept());
    return;
  }
  const bar = new SingleBar({ format: '{bar} {value}/{total}  {what}', hideCursor: true, clearOnComplete: true });
  const wanted = options.only?.split(',');
  bar.start(STEPS, 0, { what: '' });
  const step: Step = async (what, work) => {
    bar.update({ what });
    if (!process.stderr.isTTY) console.error(what);
    const result = await work();
    // The simulation leaves the event loop no turn in which this could be drawn.
    await new Promise((resolve) => setImmediate(resolve));
    bar.increment();
    return result;
  };
  const part = <Part extends keyof typeof PARTS>(name: Part): Promise<Results[Part]> => (wanted?.includes(name) === false ? Promise.resolve(kept()[name]) : PARTS[name](step));
  const results: Results = {
    memory: await part('memory'),
    starts: await part('starts'),
    restarts: await part('restarts'),
    failovers: await part('failovers'),
    singles: await part('singles'),
    pools: await part('pools'),
    machine: machine(),
  };
  bar.stop();
  printReport(results);
  // A hundredth is more than the tables and pictures show.
  const json = `${JSON.stringify(results, (_, value: unknown) => (typeof value === 'number' ? Math.round(value * 100) / 100 : value))}\n`;
  if (options.json !== undefined) await writeFile(options.json, json);
  if (!options['write-docs']) return;
  await writeFile(KEPT, json);
  writePage(results);
}

void main();
