import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { markdownTable } from '../../tools/page';
import { pictures } from './pictures';
import type { Results } from './results';

const DOCS = join(__dirname, '..', '..', 'docs');

const whole = (value: number): string => Math.round(value).toLocaleString('en');
const short = (value: number): string => (value >= 10 ? value.toFixed(0) : value >= 1 ? value.toFixed(1) : value.toFixed(2));
const kib = (bytes: number): string => `${(bytes / 1024).toFixed(1)} KiB`;
const mib = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(bytes < 100 * 1024 * 1024 ? 1 : 0)} MiB`;
/** The fullest second after the first half minute. */
const fullest = (looks: readonly number[]): number => Math.max(...looks.slice(30));
/** Options that differ from the defaults. */
const named = (options: object): string => Object.entries(options).map(([name, value]) => `\`${name}: ${String(value)}\``).join(', ');

/** The tables of the page, by the name of their place. */
export function tables({ memory, starts, restarts, failovers, singles, pools }: Results): ReadonlyMap<string, string> {
  const { idleCluster, connectedCluster, connection } = memory.figures;
  return new Map([
    [
      'memory',
      markdownTable(['', 'heap and buffers', 'resident'], [
        [`a \`HashClient\` of ${memory.servers} servers, no call made`, kib(idleCluster.heap), kib(idleCluster.rss)],
        ['the same, connected to all of them', mib(connectedCluster.heap), mib(connectedCluster.rss)],
        ['of which each connection', kib(connection.heap), kib(connection.rss)],
      ]),
    ],
    [
      'connections',
      markdownTable(['clients', 'processes × servers', 'connections at a server', 'in all', 'begun at a server in the fullest 10 ms of the start'], [
        ...starts.filter(({ spread }) => spread).map(({ processes, servers, perServer, connections, mostAttempts }) => ['`HashClient`', `${whole(processes)} × ${servers}`, whole(perServer), whole(connections), whole(mostAttempts)]),
        ...pools.map(({ processes, servers, maxPoolSize, perServer, connections }) => [`the same, \`usePooling\`, \`maxPoolSize: ${maxPoolSize}\`, after a burst`, `${whole(processes)} × ${servers}`, whole(perServer), whole(connections), '']),
      ]),
    ],
    [
      'discovery',
      markdownTable(['processes', 'looks per minute', 'fullest second after the first half minute', 'the same if waits were not random'], starts
        .filter(({ spread }) => spread)
        .map((start) => {
          const together = starts.find(({ spread, processes }) => !spread && processes === start.processes);
          return [whole(start.processes), whole(start.looksPerMinute), whole(fullest(start.looks)), together === undefined ? '' : whole(fullest(together.looks))];
        })),
    ],
    [
      'restarts',
      markdownTable(['processes × servers', 'away', 'waits', 'connections begun to it', 'fullest 10 ms of the first 100', 'fullest 10 ms later', 'looks at the list', 'fullest 10 ms', 'calls that fail', 'processes that call it dead'], restarts.map((restart) => [
        `${whole(restart.processes)} × ${restart.servers}`,
        `${restart.away} ms`,
        [restart.spread ? 'random' : 'not random', named(restart.client)].filter((text) => text !== '').join(', '),
        whole(restart.attempts),
        whole(restart.mostAtOnce),
        whole(restart.mostAttempts),
        whole(restart.looks),
        whole(restart.mostLooks),
        `${short(restart.errors)} %`,
        `${restart.dead.toFixed(0)} %`,
      ])),
    ],
    [
      'singles',
      markdownTable(['processes', '`retryTimeout`', 'connections begun in 2 s', 'fullest 10 ms'], singles.map((line) => [whole(line.processes), whole(line.retryTimeout), whole(line.attempts), whole(line.mostAttempts)])),
    ],
    [
      'failovers',
      markdownTable(['processes × servers', 'a third of them', 'options', 'fail in the worst second', 'failures last', 'miss in the worst second', 'misses last', 'and after the return', 'load of the others'], failovers.map((line) => [
        `${line.processes} × ${line.servers}`,
        line.manner,
        named(line.client) || 'defaults',
        `${short(line.worstErrors)} %`,
        `${line.errorsFor} s`,
        `${short(line.worstMisses)} %`,
        `${line.missesFor} s`,
        `${line.returnFor} s`,
        `× ${line.othersLoad.toFixed(2)}`,
      ])),
    ],
  ]);
}

/** `page` with the tables in their places. */
export function withTables(page: string, results: Results): string {
  let text = page;
  const parts = new Map([...tables(results), ['machine', results.machine]]);
  for (const [name, part] of parts) {
    const begin = `<!-- measured: ${name} -->`;
    const end = `<!-- end of ${name} -->`;
    const from = text.indexOf(begin);
    const to = text.indexOf(end);
    if (from < 0 || to < from) throw new Error(`docs/scale.md has no place for ${name}: ${begin} … ${end}`);
    text = `${text.slice(0, from)}${begin}\n\n${part}\n\n${text.slice(to)}`;
  }
  return text;
}

export function writePage(results: Results): void {
  const page = join(DOCS, 'scale.md');
  writeFileSync(page, withTables(readFileSync(page, 'utf8'), results));
  for (const [file, picture] of pictures(results)) {
    mkdirSync(dirname(join(DOCS, file)), { recursive: true });
    writeFileSync(join(DOCS, file), picture);
  }
}

export function printReport(results: Results): void {
  for (const [name, table] of tables(results)) console.log(`\n${name}\n\n${table}`);
}
