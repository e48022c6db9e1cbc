import type { Results } from './results';
import type { Row } from './rows';

/**
 * What a figure of ours is held against. `raw+promise` and `Client`: our CPU time may be at most `bound` times theirs.
 * `best peer`: theirs must be at least `bound` times ours. `p99 ms`: at most `bound`.
 */
type Against = 'raw+promise' | 'best peer' | 'Client' | 'p99 ms';

export interface Target {
  readonly row: string;
  readonly client: string;
  readonly against: Against;
  readonly bound: number;
}

/** A row's bounds: against `raw+promise` where it has one, and against the best peer. */
function targetsOf(row: string, client: string, ceiling: number | undefined, peer: number): Target[] {
  const targets: Target[] = [{ row, client, against: 'best peer', bound: peer }];
  return ceiling === undefined ? targets : [{ row, client, against: 'raw+promise', bound: ceiling }, ...targets];
}

function beside(row: string, client: string, bound: number): Target {
  return { row, client, against: 'Client', bound };
}

const OURS = 'tsmemcache';
const CLUSTER = 'HashClient, 3 servers';
const POOLED = 'PooledClient, 4 connections';

/** What we want to reach. Bounds in µs that hold for one machine only are stated here as the ratio they had there. */
export const targets: readonly Target[] = [
  ...targetsOf('get-100-1', OURS, 1.1, 1.03),
  ...targetsOf('get-100-16', OURS, 1.4, 2.5),
  ...targetsOf('get-100-128', OURS, 1.8, 6.9),
  ...targetsOf('get-100-1024', OURS, 1.8, 7.7),
  ...targetsOf('set-100-128', OURS, 1.7, 5),
  ...targetsOf('set-100-1024', OURS, 1.8, 6.5),
  ...targetsOf('get-4k-128', OURS, 2, 4.5),
  ...targetsOf('get-100k-16', OURS, 2.6, 1.6),
  ...targetsOf('set-100k-16', OURS, 1.7, 1.8),
  ...targetsOf('get-many-1', OURS, undefined, 3.4),
  ...targetsOf('get-many-16', OURS, undefined, 5.4),
  ...targetsOf('mixed-1024', OURS, undefined, 7.5),
  ...targetsOf('miss-128', OURS, 1.8, 5.9),
  ...targetsOf('three-servers-get-many-16', CLUSTER, undefined, 4.5),
  beside('kinds-get-1024', POOLED, 1.35),
  beside('kinds-get-128', POOLED, 1.8),
  beside('kinds-get-128', CLUSTER, 1.35),
  beside('kinds-get-128', 'RetryingClient', 1.1),
  beside('kinds-get-1024', 'RetryingClient', 1.1),
  { row: 'get-100-128', client: OURS, against: 'p99 ms', bound: 0.6 },
];

export interface Verdict {
  readonly target: Target;
  readonly measured: number;
  readonly reached: boolean;
  /** How much better, or worse when negative, our figure is than the bound, as a share of the bound. */
  readonly margin: number;
}

function quotient(above: number | undefined, below: number | undefined): number | undefined {
  return above === undefined || below === undefined ? undefined : above / below;
}

function figureOf({ row: name, client, against }: Target, row: Row, results: Results): number | undefined {
  const ours = results.median(name, client, 'cpu');
  switch (against) {
    case 'raw+promise':
      return quotient(ours, results.median(name, 'raw+promise', 'cpu'));
    case 'Client':
      return quotient(ours, results.median(name, OURS, 'cpu'));
    case 'best peer':
      return quotient(results.bestCpu(row, 'peer'), ours);
    case 'p99 ms':
      return results.median(name, client, 'p99');
  }
}

/** How far each target is reached that `results` can tell about. */
export function judge(results: Results, rows: readonly Row[]): Verdict[] {
  return targets.flatMap((target) => {
    const row = rows.find(({ name }) => name === target.row);
    const measured = row === undefined ? undefined : figureOf(target, row, results);
    if (measured === undefined) return [];
    const margin = target.against === 'best peer' ? measured / target.bound - 1 : 1 - measured / target.bound;
    return [{ target, measured, reached: margin >= 0, margin }];
  });
}
