/** `npm run bench -- embedded [--rounds N] [--reads N] [--build DIR] [--write-docs]`: a read of `EmbeddedClient` beside caches that are only maps. */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { fetchPackages } from '../../tools/fetched';
import { consoleTable } from '../../tools/console-table';
import { machine, markdownTable, writePart } from '../../tools/page';
import { median } from './costs/cost';
import type { EmbeddedOrder } from './embedded-worker';
import { BUILD, inProcess } from './order';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    reads: { type: 'string', default: '1000000' },
    build: { type: 'string', default: BUILD },
    'write-docs': { type: 'boolean', default: false },
  },
});

/** The most that a read of ours shall take, in microseconds of CPU. */
const AT_MOST = 0.5;

const NODE_CACHE = 'node-cache@5.1.2';

type Case = Pick<EmbeddedOrder, 'cache' | 'outstanding'> & { readonly title: string; readonly figures: number[] };

function caseOf(title: string, cache: EmbeddedOrder['cache'], outstanding = 1): Case {
  return { title, cache, outstanding, figures: [] };
}

function cells({ title, cache, figures }: Case): string[] {
  const figure = median(figures);
  const verdict = figure <= AT_MOST ? 'reached' : 'not reached';
  const spread = `${Math.min(...figures).toFixed(3)} … ${Math.max(...figures).toFixed(3)}`;
  return [title, figure.toFixed(3), spread, ...(cache === 'EmbeddedClient' ? [`≤ ${AT_MOST}`, verdict] : ['', ''])];
}

async function main(): Promise<void> {
  const fetched = fetchPackages(NODE_CACHE);
  if (fetched.folder === undefined) console.error(fetched.reason);
  const cases = [
    caseOf('EmbeddedClient, one call at a time', 'EmbeddedClient'),
    caseOf('EmbeddedClient, 128 outstanding', 'EmbeddedClient', 128),
    caseOf('lru-cache: no promise, the value itself', 'lru-cache'),
    ...(fetched.folder === undefined ? [] : [caseOf('node-cache: no promise, a clone of the value', 'node-cache')]),
  ];
  // Rounds are interleaved, so that a slow minute of the machine is everybody's.
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const { cache, outstanding, figures } of cases) {
      const order: EmbeddedOrder = { cache, outstanding, reads: Number(options.reads), build: resolve(options.build), fetched: fetched.folder ?? '' };
      figures.push((await inProcess<{ cpu: number }>('embedded-worker', order)).cpu);
    }
  }
  const head = ['', 'CPU µs per get', 'rounds', 'at most', ''];
  console.log(consoleTable(head, cases.map(cells)));
  if (options['write-docs']) {
    await writePart('benchmarks.md', 'bench -- embedded', `${markdownTable(head, cases.map(cells))}\n\nMedians of ${options.rounds} rounds. ${machine()}`);
  }
}

void main();
