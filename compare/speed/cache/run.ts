/** `npm run bench -- cache [--seconds 20] [--write-docs]`: the read-through cache beside those of npm. */
import { execFile } from 'node:child_process';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { fetchPackages } from '../../../tools/fetched';
import { withServers } from '../server';

const run = promisify(execFile);
const ROOT = resolve(__dirname, '../../..');
const DIST = join(ROOT, 'dist');
const PAGE = join(ROOT, 'docs', 'cache-benchmark.md');
const PICTURE = join(ROOT, 'docs', 'benchmarks', 'cache-loads.svg');
const RATE = 1000;
const EXPIRE = 2000;
const DURATION = 100;

const CACHES = ['tsmemcache', 'tsmemcache, stale', 'cacheable', 'cache-manager', 'cachified', 'bentocache', 'async-cache-dedupe'] as const;
/** These two share nothing between processes: their second level knows no memcached. */
const ALONE: readonly string[] = ['bentocache', 'async-cache-dedupe'];

interface Seen {
  readonly loads: readonly (readonly [number, number])[];
  readonly errors: number;
  readonly calls: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

interface Row {
  readonly cache: string;
  readonly processes: number;
  readonly perExpiry: number;
  readonly atOnce: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly errors: number;
}

/** How many loads there were in each life of the entry: those that begin within a load's time of the first of a life belong to it. */
function perExpiry(loads: readonly (readonly [number, number])[]): number {
  let lives = 0;
  let end = -Infinity;
  for (const [start, stop] of [...loads].sort((a, b) => a[0] - b[0])) {
    if (start > end) {
      lives++;
      end = stop;
    }
  }
  return lives === 0 ? 0 : loads.length / lives;
}

function mostAtOnce(loads: readonly (readonly [number, number])[]): number {
  return Math.max(0, ...loads.map(([start]) => loads.filter(([from, to]) => from <= start && start < to).length));
}

async function measure(folder: string, cache: string, processes: number, seconds: number): Promise<Row> {
  return withServers(1, async ([port]) => {
    copyFileSync(join(__dirname, 'worker.mjs'), join(folder, 'worker.mjs'));
    const origin = Date.now() + 3000;
    const args = [join(folder, 'worker.mjs'), DIST, cache, String(port), String(seconds * 1000), String(RATE / processes), String(EXPIRE), String(DURATION)];
    const all = await Promise.all(
      Array.from({ length: processes }, async () => {
        const { stdout } = await run(process.execPath, args, { env: { ...process.env, ORIGIN: String(origin) }, maxBuffer: 64 * 1024 * 1024, timeout: (seconds + 30) * 1000 });
        return JSON.parse(stdout) as Seen;
      }),
    );
    const loads = all.flatMap((seen) => seen.loads);
    const mean = (value: (seen: Seen) => number): number => all.reduce((sum, seen) => sum + value(seen), 0) / all.length;
    return {
      cache,
      processes,
      perExpiry: perExpiry(loads),
      atOnce: mostAtOnce(loads),
      p50: mean(({ p50 }) => p50),
      p99: Math.max(...all.map(({ p99 }) => p99)),
      max: Math.max(...all.map(({ max }) => max)),
      errors: all.reduce((sum, { errors }) => sum + errors, 0),
    };
  });
}

interface Hits {
  readonly get: number;
  readonly hit: number;
  readonly near: number;
  readonly joined: number;
}

function hits(): Promise<Hits> {
  return withServers(1, async ([port]) => {
    const { stdout } = await run(process.execPath, ['--expose-gc', join(__dirname, 'hits.mjs'), DIST, String(port)], { timeout: 300_000 });
    return JSON.parse(stdout) as Hits;
  });
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function draw(rows: readonly Row[], processes: number): string {
  const shown = rows.filter((row) => row.processes === processes);
  const most = Math.max(...shown.map(({ perExpiry: loads }) => loads));
  const bars = shown.map(({ cache, perExpiry: loads }, i) => {
    const y = 40 + i * 26;
    const width = Math.max(2, (loads / most) * 420);
    return `<text x="10" y="${y + 13}">${cache}</text><rect x="150" y="${y}" width="${width.toFixed(1)}" height="18" fill="${cache.startsWith('tsmemcache') ? '#2e8b57' : '#b9cbe4'}"/><text x="${(156 + width).toFixed(1)}" y="${y + 13}">${loads.toFixed(1)}</text>`;
  });
  const height = 50 + shown.length * 26;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="640" height="${height}" font-family="sans-serif" font-size="12">\n<rect width="100%" height="100%" fill="#fff"/>\n<text x="10" y="20" font-weight="bold">Loads each time the entry ends, ${processes} processes</text>\n${bars.join('\n')}\n</svg>\n`;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { seconds: { type: 'string', default: '20' }, 'write-docs': { type: 'boolean', default: false } } });
  const seconds = Number(values.seconds);
  const fetched = fetchPackages('cacheable@2', 'cache-manager@7', 'keyv@5', '@keyv/memcache@2', '@epic-web/cachified@5', 'bentocache@1', 'async-cache-dedupe@3');
  if (fetched.folder === undefined) throw new Error(fetched.reason);
  const cost = await hits();
  const costs = table(
    ['', 'CPU, µs', 'target'],
    [
      ['`Client.get`', cost.get.toFixed(2), ''],
      ['a hit', `${cost.hit.toFixed(2)} (${(cost.hit - cost.get).toFixed(2)} more)`, '≤ 1.5 more'],
      ['a hit in the near cache, a string', `${cost.near.toFixed(2)} (${(cost.near / cost.get).toFixed(2)} of a get)`, '≤ 0.6 of a get'],
      ['a call that waits for a load', `${cost.joined.toFixed(0)} bytes`, '≤ 400 bytes'],
    ],
  );
  console.log(`${costs}\n`);
  const rows: Row[] = [];
  for (const processes of [1, 8]) {
    for (const cache of CACHES) {
      const row = await measure(fetched.folder, cache, processes, seconds);
      rows.push(row);
      console.log(row);
    }
  }
  const text = (row: Row): string[] => [
    ALONE.includes(row.cache) ? `${row.cache} (its memory level)` : row.cache,
    String(row.processes),
    row.perExpiry.toFixed(2),
    String(row.atOnce),
    row.p50.toFixed(1),
    row.p99.toFixed(1),
    row.max.toFixed(0),
    String(row.errors),
  ];
  const peers = table(['cache', 'processes', 'loads per expiry', 'most at once', 'p50, ms', 'p99, ms', 'max, ms', 'errors'], rows.map(text));
  if (!values['write-docs']) return;
  const page = readFileSync(PAGE, 'utf8');
  const part = `<!-- measured -->\n\n${costs}\n\nOne key, ${RATE} reads a second in all, a loader of ${DURATION} ms, ${EXPIRE / 1000} s of life, ${seconds} s each:\n\n${peers}\n\n<!-- end of measured -->`;
  writeFileSync(PAGE, page.replace(/<!-- measured -->[\s\S]*<!-- end of measured -->/, () => part));
  writeFileSync(PICTURE, draw(rows, 8));
}

void main();
