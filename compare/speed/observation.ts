/**
 * `npm run bench -- observation [--rounds N] [--pairs N]`: what it costs to be seen from outside. The package is bundled as it
 * is and without its meter and its channels; both get the same values, in turn, each in a process of its own, and the
 * CPU times of each round are compared. With `heard` somebody listens to every channel and does nothing.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { withServers } from './server';

const SRC = resolve(__dirname, '../../src');
const CALLS_PER_ROUND = 300_000;
const DEPTHS = [128, 1024];

/** What is taken out of each file; each must be there, so that this measures what it says. */
const TAKEN_OUT: Readonly<Record<string, readonly (readonly [what: RegExp, instead: string])[]>> = {
  'client/call.ts': [
    [/^ +meter\.(?:succeed|succeedAs|unanswered|fail|abort)\(.*;$/gm, ''],
    [/(?<!\.)meter\.server/g, "''"],
  ],
  'client/wire/wire.ts': [
    [/^ +this\.meter\.read\(length\);$/m, ''],
    [/^ +this\.#countBatch\(.*;$/m, ''],
    [/^ +this\.#times\.endRead\(\);$/gm, ''],
  ],
  'client/client.ts': [[/return this\.#observer\.idle \? (.*) : .*;/, 'return $1;']],
};

/** Bundles the package into `file`. */
async function bundle(file: string, observed: boolean): Promise<void> {
  await build({
    entryPoints: [join(SRC, 'index.ts')],
    outfile: file,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    packages: 'external',
    plugins: observed ? [] : [{ name: 'take-out', setup: (build) => { build.onLoad({ filter: /\.ts$/ }, ({ path }) => ({ contents: takeOut(path), loader: 'ts' })); } }],
  });
}

function takeOut(path: string): string {
  return (TAKEN_OUT[relative(SRC, path)] ?? []).reduce((text, [what, instead]) => {
    const rest = text.replace(what, instead);
    if (rest === text) throw new Error(`${relative(SRC, path)} has nothing like ${String(what)}`);
    return rest;
  }, readFileSync(path, 'utf8'));
}

interface Task {
  readonly calls: number;
  readonly depth: number;
}

/** A process with a client of one of the bundles. */
class Runner {
  readonly #process: ChildProcess;

  constructor(bundleFile: string, port: number, heard: boolean) {
    this.#process = fork(join(__dirname, 'observation-worker.js'), [bundleFile, String(port), heard ? 'heard' : ''], { execArgv: [] });
  }

  /** Microseconds of CPU per call. */
  async run(task: Task): Promise<number> {
    this.#process.send(task);
    const [cpu] = (await once(this.#process, 'message')) as [number];
    return cpu / task.calls;
  }

  stop(): void {
    this.#process.kill();
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return ((sorted[Math.floor((sorted.length - 1) / 2)] ?? NaN) + (sorted[Math.floor(sorted.length / 2)] ?? NaN)) / 2;
}

const percent = (ratio: number): string => `${ratio >= 1 ? '+' : ''}${((ratio - 1) * 100).toFixed(1)} %`;

async function compare(without: string, withIt: string, heard: boolean, depth: number, rounds: number, pairs: number): Promise<void> {
  await withServers(1, async ([port = 0]) => {
    const ratios: number[] = [];
    const costs: number[] = [];
    for (let pair = 0; pair < pairs; pair++) {
      // Two processes of one build differ by 1 to 3 %, more often against the one that starts second: it takes many pairs.
      const early = pair % 2 === 0 ? new Runner(without, port, false) : undefined;
      const observed = new Runner(withIt, port, heard);
      const plain = early ?? new Runner(without, port, false);
      const task = { calls: CALLS_PER_ROUND, depth };
      for (const runner of [plain, observed]) await runner.run(task);
      for (let round = 0; round < rounds / pairs; round++) {
        // Whoever is first may find the processor colder.
        const first = round % 2 === 0;
        const one = await (first ? plain : observed).run(task);
        const other = await (first ? observed : plain).run(task);
        ratios.push(first ? other / one : one / other);
        costs.push(first ? one : other);
      }
      plain.stop();
      observed.stop();
    }
    const sorted = [...ratios].sort((a, b) => a - b);
    const quartiles = [0.25, 0.75].map((share) => percent(sorted[Math.floor(share * sorted.length)] ?? NaN)).join(' … ');
    console.log(
      `get × ${depth}, ${heard ? 'heard by an empty subscriber of every channel' : 'unheard, the meter on'}: ${percent(median(ratios))} CPU ` +
        `(quartiles ${quartiles}; ${ratios.length} rounds; without: ${median(costs).toFixed(2)} µs a call)`,
    );
  });
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { rounds: { type: 'string', default: '64' }, pairs: { type: 'string', default: '16' } } });
  // Below the root, so that the bundle finds its packages.
  const folder = mkdtempSync(join(resolve(__dirname, '../..'), '.observation-'));
  try {
    const [without, withIt] = [join(folder, 'without.js'), join(folder, 'with.js')];
    await bundle(without, false);
    await bundle(withIt, true);
    for (const heard of [false, true]) for (const depth of DEPTHS) await compare(without, withIt, heard, depth, Number(values.rounds), Number(values.pairs));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

void main();
