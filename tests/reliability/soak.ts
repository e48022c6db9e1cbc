/**
 * `npm run soak -- [--seed N] [--minutes M]`: the rig of the reliability tests for as long as wanted. Simulated networks and,
 * where memcached is installed, a cluster of real servers that are killed, stopped, removed and added, in turns. A failure
 * names the seed that repeats it.
 */
import { parseArgs } from 'node:util';
import { SingleBar } from 'cli-progress';
import { consoleTable } from '../../tools/console-table';
import { soakCluster } from '../support/cluster-soak';
import { memcachedBinary } from '../support/memcached';
import { simulate, simulatedClients } from '../support/simulated-run';

const { values } = parseArgs({ options: { seed: { type: 'string', default: '1' }, minutes: { type: 'string', default: '5' } } });
const firstSeed = Number(values.seed);
const minutes = Number(values.minutes);
if (!Number.isInteger(firstSeed) || firstSeed < 1 || !(minutes > 0)) throw new Error('--seed is a whole number from 1 on, --minutes a number');

const OPERATIONS = 20_000;
const CLUSTER_SECONDS = 20;

const [total, began] = [minutes * 60, performance.now()];
const elapsed = (): number => (performance.now() - began) / 1000;
const bar = new SingleBar({ format: '{bar} {value}/{total} s  {what}', hideCursor: true, clearOnComplete: true, noTTYOutput: true, notTTYSchedule: 10_000 });

/** Calls by what was tested. */
const calls = new Map<string, number>();
const failures: string[] = [];

function count(what: string, number: number): void {
  calls.set(what, (calls.get(what) ?? 0) + number);
}

function show(what: string): void {
  bar.update(Math.min(total, Math.floor(elapsed())), { what });
}

async function simulateAll(seed: number): Promise<void> {
  for (const [name, kind] of simulatedClients) {
    show(`seed ${seed}, simulated: ${name}`);
    const { wrong, oracle } = await simulate(seed, kind, OPERATIONS);
    count(`simulated: ${name}`, oracle.operations);
    for (const what of wrong) failures.push(`seed ${seed}, ${name}: ${what}`);
  }
}

async function soak(seed: number): Promise<void> {
  const { done, heapGrowth, leftOver } = await soakCluster({ seed, seconds: CLUSTER_SECONDS, onProgress: (line) => { show(`seed ${seed}, real servers: ${line}`); } });
  count('real servers', done);
  if (leftOver > 0) failures.push(`seed ${seed}: ${leftOver} handles were left`);
  if (heapGrowth > 16 * 1024 * 1024) failures.push(`seed ${seed}: the heap grew by ${heapGrowth} bytes`);
}

async function main(): Promise<void> {
  bar.start(total, 0, { what: '' });
  for (let seed = firstSeed; elapsed() < total && failures.length === 0; seed++) {
    await simulateAll(seed);
    if (memcachedBinary() !== undefined && seed % 4 === firstSeed % 4 && elapsed() + CLUSTER_SECONDS < total) {
      await soak(seed).catch((error: unknown) => failures.push(`seed ${seed}, real servers: ${String(error)}`));
    }
  }
  bar.stop();
  const table = consoleTable(['what', 'calls'], [...calls].map(([what, number]) => [what, number.toLocaleString('en')]));
  console.log(`${table}\n${elapsed().toFixed(0)} s; ${failures.length === 0 ? 'no wrong value, every promise settled in time' : `FAILED:\n${failures.join('\n')}`}`);
  process.exitCode = failures.length === 0 ? 0 : 1;
}

void main();
