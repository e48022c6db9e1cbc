/** `npm run bench -- [WHAT] [options of WHAT]`: measures one thing; without WHAT, calls per second beside the other clients. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** What can be measured: the file that does it, and what it tells. */
const MEASUREMENTS: Readonly<Record<string, readonly [file: string, tells: string]>> = {
  rates: ['rates', 'CPU, rate and latency of each kind of call beside the other clients (the default)'],
  costs: ['costs', 'what users feel beside speed: import, package, memory, garbage'],
  pool: ['head-of-line', 'small reads while somebody reads a large value'],
  languages: ['languages', 'CPU of a get beside clients of other languages, those that are installed'],
  'multi-core': ['multi-core', 'calls per second of 1, 2, … processes'],
  serdes: ['serdes', 'CPU to write and read a value, by serde'],
  servers: ['servers', 'the embedded server beside memcached and redis-server'],
  embedded: ['embedded', 'a read of EmbeddedClient beside caches that are only maps'],
  hash: ['hash', 'what each placement costs per key'],
  micro: ['micro', 'the parts of a call, one by one'],
  observation: ['observation', 'what the meter and the channels cost'],
  cache: ['cache/run', 'the read-through cache beside those of npm: loads per expiry, latency, CPU per hit'],
  'cache-pictures': ['cache/pictures', 'the pictures of docs/cache.md: recorded runs in virtual time'],
  scale: ['../scale/run', '1000 processes and 100 servers in virtual time: storms, discovery, failover; memory per connection'],
  profile: ['profile', 'a CPU profile of one row'],
};

/** What Node is started with. A hundred thousand connections, with their servers, take some gigabytes. */
const FLAGS: Readonly<Record<string, readonly string[]>> = { micro: ['--expose-gc'], '../scale/run': ['--max-old-space-size=10000'] };

/** What writes its figures into the documentation. */
const WRITTEN = ['rates', 'costs', 'languages', 'multi-core', 'serdes', 'pool', 'servers', 'embedded'];

function measure(what: string, options: readonly string[]): number {
  const [file] = MEASUREMENTS[what] ?? [];
  if (file === undefined) {
    const lines = Object.entries(MEASUREMENTS).map(([name, [, tells]]) => `  ${name.padEnd(11)} ${tells}`);
    console.error(`npm run bench -- [WHAT] [options]; WHAT is one of\n${lines.join('\n')}\n  docs        all that stands in the documentation`);
    return 2;
  }
  const flags = FLAGS[file] ?? [];
  const run = spawnSync(process.execPath, [...flags, '--import', 'tsx', join(__dirname, `${file}.ts`), ...options], { stdio: 'inherit' });
  return run.status ?? 1;
}

const [first = 'rates', ...others] = process.argv.slice(2);
if (['help', '--help', '-h'].includes(first)) {
  measure('help', []);
} else if (first === 'docs') {
  process.exitCode = WRITTEN.map((what) => measure(what, ['--write-docs', ...others])).find((status) => status !== 0) ?? 0;
} else {
  process.exitCode = first.startsWith('-') ? measure('rates', [first, ...others]) : measure(first, others);
}
