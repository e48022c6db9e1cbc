/**
 * `npm run bench -- languages [--rounds N] [--seconds N] [--write-docs]`: the CPU time of a get beside clients of other languages,
 * 1 and 128 outstanding. Clients that wait for each reply have as many threads. What is not installed is left out by name.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { SingleBar } from 'cli-progress';
import { machine, markdownTable, writePart } from '../../tools/page';
import { BUILD, inProcess, type Measurement } from './order';
import { withServers } from './server';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '2' },
    'write-docs': { type: 'boolean', default: false },
  },
});

const run = promisify(execFile);
const SOURCES = join(__dirname, 'languages');
const OUTSTANDING = [1, 128] as const;
/** Debian's Python sees Debian's packages. */
const PYTHON = '/usr/bin/python3';

interface Language {
  readonly name: string;
  /** Makes it ready, in a folder of its own; rejects where it cannot be had. */
  prepare(folder: string): Promise<unknown>;
  /** Microseconds of CPU per get. */
  measure(folder: string, port: number, outstanding: number): Promise<number>;
}

async function output(command: string, ...args: string[]): Promise<number> {
  const { stdout } = await run(command, args, { timeout: 120_000 });
  return Number(stdout);
}

function python(library: string, name: string): Language {
  return {
    name,
    prepare: () => run(PYTHON, ['-c', `import ${library}`]),
    measure: (_folder, port, outstanding) => output(PYTHON, join(SOURCES, 'threads.py'), library, String(port), String(outstanding), options.seconds),
  };
}

function program(name: string, file: string, build: (binary: string) => Promise<unknown>): Language {
  return {
    name,
    prepare: (folder) => build(join(folder, file)),
    measure: (folder, port, outstanding) => output(join(folder, file), String(port), String(outstanding), options.seconds),
  };
}

const languages: readonly Language[] = [
  {
    name: 'tsmemcache, Node',
    prepare: () => Promise.resolve(),
    measure: async (_folder, port, outstanding) => {
      const order = { client: 'tsmemcache', row: `get-100-${outstanding}`, ports: [port], build: BUILD, milliseconds: Number(options.seconds) * 1000 };
      return (await inProcess<Measurement>('worker', order)).cpu;
    },
  },
  program('libmemcached, C', 'libmemcached', (binary) => run('gcc', ['-O2', '-o', binary, join(SOURCES, 'libmemcached.c'), '-lmemcached', '-lpthread'])),
  program('gomemcache, Go', 'gomemcache', (binary) =>
    run('go', ['build', '-o', binary, join(SOURCES, 'gomemcache.go')], { env: { ...process.env, GO111MODULE: 'off', GOPATH: process.env['GOPATH'] ?? '/usr/share/gocode' } }),
  ),
  python('pylibmc', 'pylibmc, Python'),
  python('pymemcache', 'pymemcache, Python'),
  python('memcache', 'python-memcached, Python'),
];

function median(figures: readonly number[]): number {
  return [...figures].sort((a, b) => a - b)[figures.length >> 1] ?? Number.NaN;
}

async function main(): Promise<void> {
  const rounds = Number(options.rounds);
  const folder = mkdtempSync(join(tmpdir(), 'tsmemcache-languages-'));
  const figures = new Map<string, number[]>();
  const there: Language[] = [];
  for (const language of languages) {
    await language.prepare(folder).then(
      () => there.push(language),
      () => { console.error(`${language.name} is not installed`); },
    );
  }
  const bar = new SingleBar({ format: '{bar} {value}/{total}  {what}', hideCursor: true, clearOnComplete: true });
  bar.start(rounds * there.length * OUTSTANDING.length, 0, { what: '' });
  await withServers(1, async ([port = 0]) => {
    // Rounds are interleaved, so that a slow minute of the machine is everybody's.
    for (let round = 0; round < rounds; round++) {
      for (const language of there) {
        for (const outstanding of OUTSTANDING) {
          bar.increment(1, { what: `${language.name}, ${outstanding} outstanding` });
          const name = `${language.name} ${outstanding}`;
          figures.set(name, [...(figures.get(name) ?? []), await language.measure(folder, port, outstanding)]);
        }
      }
    }
  });
  bar.stop();
  rmSync(folder, { recursive: true });
  const cell = (name: string, outstanding: number): string => median(figures.get(`${name} ${outstanding}`) ?? []).toFixed(2);
  const table = markdownTable(
    ['client', ...OUTSTANDING.map((outstanding) => `${outstanding} outstanding`)],
    there.map(({ name }) => [name, ...OUTSTANDING.map((outstanding) => cell(name, outstanding))]),
  );
  const page = `CPU time of a get of 100 bytes, in µs. ${machine()} Medians of ${rounds} rounds.\n\n${table}`;
  console.log(page);
  if (options['write-docs']) await writePart('benchmarks.md', 'bench -- languages', page);
}

void main();
