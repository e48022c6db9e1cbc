/** `npm run faults -- [--client A,B] [--fault A,B] [--json] [--write-docs]` */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { SingleBar } from 'cli-progress';
import { memcachedBinary } from '../../tests/support/memcached';
import type { Contestant } from './clients/adapter';
import { contestants } from './clients';
import { printTable, versionOf, writeDocs, type Results, type Versions } from './report';
import { runCell } from './run-cell';
import { faults, notApplicable, type Fault } from './scripts';
import { isWarm, judge, type Verdict } from './verdict';

const { values: options } = parseArgs({
  options: {
    client: { type: 'string' },
    fault: { type: 'string' },
    json: { type: 'boolean', default: false },
    'write-docs': { type: 'boolean', default: false },
  },
});

/** Cells mostly wait, so that more of them fit than there are processors. */
const AT_ONCE = 4;

function chosen<T extends { name: string }>(all: readonly T[], names: string | undefined): readonly T[] {
  if (names === undefined) return all;
  const wanted = names.split(',');
  const unknown = wanted.filter((name) => !all.some((entry) => entry.name === name));
  if (unknown.length > 0) throw new Error(`unknown: ${unknown.join(', ')}; the choices are ${all.map(({ name }) => name).join(', ')}`);
  return all.filter(({ name }) => wanted.includes(name));
}

async function verdictOf(contestant: Contestant, fault: Fault, memcached: string | undefined): Promise<Verdict> {
  const without = notApplicable(fault, contestant) ?? (fault.server === 'memcached' && memcached === undefined ? 'memcached is not installed' : undefined);
  if (without !== undefined) return { outcome: 'n/a', detail: without };
  // On a busy machine a client may not be ready in time, and has not seen the fault then.
  let play = await runCell(contestant, fault);
  for (let again = 0; again < 5 && !isWarm(play); again++) play = await runCell(contestant, fault);
  return judge(fault, play);
}

async function main(): Promise<void> {
  if (options['write-docs'] && (options.fault !== undefined || options.client !== undefined)) throw new Error('the page has all faults and all clients');
  const rows = chosen(faults, options.fault);
  const clients = chosen(contestants, options.client);
  const memcached = memcachedBinary();
  const results: Results = new Map(rows.map(({ name }) => [name, new Map<string, Verdict>()]));
  const waiting = rows.flatMap((fault) => clients.map((client) => ({ fault, client })));
  const bar = new SingleBar({ format: '{bar} {value}/{total}  {what}', hideCursor: true, clearOnComplete: true });
  bar.start(waiting.length, 0, { what: '' });
  const lane = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const { fault, client } = next;
      results.get(fault.name)?.set(client.name, await verdictOf(client, fault, memcached));
      bar.increment(1, { what: `${fault.title}: ${client.name}` });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  bar.stop();
  const versions: Versions = {
    node: process.version,
    memcached: memcached === undefined ? 'no memcached' : spawnSync(memcached, ['-V'], { encoding: 'utf8' }).stdout.trim(),
    clients: Object.fromEntries(clients.map(({ name }) => [name, versionOf(name)])),
  };
  if (options.json) {
    const cells = rows.flatMap((fault) => clients.map(({ name }) => ({ fault: fault.name, client: name, ...results.get(fault.name)?.get(name) })));
    console.log(JSON.stringify({ versions, cells }, undefined, 2));
  } else {
    printTable(results, rows, clients);
  }
  if (options['write-docs']) await writeDocs(results, rows, clients, versions);
}

void main();
