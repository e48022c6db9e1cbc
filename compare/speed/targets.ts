import type { Results } from './results';
import type { Row } from './rows';

/** A client of the same row: our CPU time, or the latency of our slowest 1 %, may be at most `bound` times theirs. */
interface Beside {
  readonly client: string;
  readonly figure: 'cpu' | 'p99';
}

/**
 * What a figure of ours is held against: another client of the row, or one of these. `best peer`: its CPU time must be at least
 * `bound` times ours. `p99 ms`: ours may be at most `bound`.
 */
type Against = Beside | 'best peer' | 'p99 ms';

export interface Target {
  readonly row: string;
  readonly client: string;
  readonly against: Against;
  readonly bound: number;
}

const OURS = 'tsmemcache';
const CEILING = 'raw+promise';
const CLUSTER = 'HashClient, 3 servers';
const POOLED = 'PooledClient, 4 connections';

/** A row's bounds: against `raw+promise` where it has one, and against the best peer. */
function targetsOf(row: string, client: string, ceiling: number | undefined, peer: number): Target[] {
  const targets: Target[] = [{ row, client, against: 'best peer', bound: peer }];
  return ceiling === undefined ? targets : [{ row, client, against: { client: CEILING, figure: 'cpu' }, bound: ceiling }, ...targets];
}

/** A bound for the CPU time of one of ours beside another of ours. */
function beside(row: string, client: string, bound: number, other = OURS): Target {
  return { row, client, against: { client: other, figure: 'cpu' }, bound };
}

/** What we want to reach. Bounds in µs that hold for one machine only are stated here as the ratio they had there. */
export const targets: readonly Target[] = [
  ...targetsOf('get-100-1', OURS, 1.1, 1.03),
  ...targetsOf('get-100-16', OURS, 1.4, 2.5),
  ...targetsOf('get-100-128', OURS, 1.45, 6.9),
  ...targetsOf('get-100-1024', OURS, 1.8, 7.7),
  ...targetsOf('set-100-128', OURS, 1.7, 5),
  ...targetsOf('set-100-1024', OURS, 1.8, 6.5),
  ...targetsOf('set-2k-128', OURS, 1.7, 2.5),
  ...targetsOf('get-4k-128', OURS, 2, 4.5),
  ...targetsOf('get-100k-16', OURS, 1.5, 1.6),
  ...targetsOf('set-100k-16', OURS, 1.7, 1.8),
  ...targetsOf('get-many-1', OURS, undefined, 3.6),
  ...targetsOf('get-many-16', OURS, undefined, 7.5),
  ...targetsOf('set-many-16', OURS, undefined, 6),
  ...targetsOf('delete-many-16', OURS, undefined, 6),
  ...targetsOf('mixed-1024', OURS, undefined, 7.5),
  ...targetsOf('miss-128', OURS, 1.8, 5.9),
  ...targetsOf('three-servers-get-many-16', CLUSTER, undefined, 5),
  // Whatever is stored, no peer reads or writes it with less.
  ...targetsOf('number-get-128', OURS, undefined, 1),
  ...targetsOf('object-get-128', OURS, undefined, 1),
  ...targetsOf('object-set-128', OURS, undefined, 1),
  ...targetsOf('compressed-get-20k-16', 'CompressedSerde', undefined, 1),
  beside('kinds-get-1024', POOLED, 1.35),
  beside('kinds-get-128', POOLED, 1.8),
  beside('kinds-get-128', CLUSTER, 1.15),
  beside('kinds-get-128', 'HashClient of pools, 3 servers', 1.2, CLUSTER),
  beside('servers-16-get-128', 'HashClient, 16 servers', 1.25),
  beside('servers-100-get-128', 'HashClient, 100 servers', 1.6),
  beside('kinds-get-128', 'RetryingClient', 1.1),
  beside('kinds-get-1024', 'RetryingClient', 1.1),
  ...['gets', 'gat', 'gats', 'touch', 'incr', 'cas'].map((call) => beside('calls-128', call, 1.5)),
  beside('calls-128', 'metaGet', 2),
  beside('calls-128', 'executeMeta', 1.6),
  beside('calls-128', 'get where all of these are used', 1.25),
  { row: 'get-100-128', client: OURS, against: 'p99 ms', bound: 0.6 },
  { row: 'get-100-128', client: OURS, against: { client: CEILING, figure: 'p99' }, bound: 1.5 },
];

export interface Verdict {
  readonly target: Target;
  /** Undefined when one of the clients did not finish the row. */
  readonly measured: number | undefined;
  readonly reached: boolean;
  /** How much better, or worse when negative, our figure is than the bound, as a share of the bound. */
  readonly margin: number | undefined;
}

function quotient(above: number | undefined, below: number | undefined): number | undefined {
  return above === undefined || below === undefined ? undefined : above / below;
}

function figureOf({ row: name, client, against }: Target, row: Row, results: Results): number | undefined {
  switch (against) {
    case 'best peer':
      return quotient(results.bestCpu(row, 'peer'), results.median(name, client, 'cpu'));
    case 'p99 ms':
      return results.median(name, client, 'p99');
    default:
      return quotient(results.median(name, client, against.figure), results.median(name, against.client, against.figure));
  }
}

/** How far each target of `rows` is reached; one that could not be measured is not. */
export function judge(results: Results, rows: readonly Row[]): Verdict[] {
  return targets.flatMap((target): Verdict[] => {
    const row = rows.find(({ name }) => name === target.row);
    if (row === undefined) return [];
    const measured = figureOf(target, row, results);
    if (measured === undefined) return [{ target, measured, reached: false, margin: undefined }];
    const margin = target.against === 'best peer' ? measured / target.bound - 1 : 1 - measured / target.bound;
    return [{ target, measured, reached: margin >= 0, margin }];
  });
}

/** The bound in words. */
export function boundText({ against, bound }: Target): string {
  if (against === 'best peer') return `best peer ≥ ${bound} ×`;
  if (against === 'p99 ms') return `p99 ≤ ${bound} ms`;
  const whose = against.client === OURS ? 'Client' : against.client;
  return `${against.figure === 'p99' ? 'p99 ' : ''}≤ ${bound} × ${whose}`;
}
