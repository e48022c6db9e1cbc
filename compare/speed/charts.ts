import { writeChart } from '../../tools/page';
import { barCharts, type Bar } from './bars';
import type { Measurement } from './order';
import type { Results } from './results';
import type { Row } from './rows';

const LOOK = { columns: 3, width: 230, step: 14, colors: { ours: '#2b6cb0', peer: '#a0aec0', ceiling: '#e2c97e' } } as const;

/** The bars of one figure, row by row. */
export function barsOf(results: Results, rows: readonly Row[], figure: keyof Measurement): Bar[] {
  return rows.flatMap(({ name: row, title, contestants }) =>
    contestants
      // `raw` builds no values, so that its bar says little beside clients that do.
      .filter(({ name }) => name !== 'raw')
      .map(({ name, role }) => ({ chart: title, name, role, median: results.median(row, name, figure), rounds: results.rounds(row, name, figure) })),
  );
}

/** The charts of `docs/benchmarks.md`; they tell their file and what they show. */
export async function writeCharts(results: Results, rows: readonly Row[]): Promise<{ file: string; title: string }[]> {
  const withPeers = rows.filter((row) => row.contestants.some(({ role }) => role === 'peer'));
  const charts = [
    { file: 'cpu-per-call.svg', figure: 'cpu', rows, title: 'CPU time per call, in µs (shorter is better)' },
    { file: 'throughput.svg', figure: 'rate', rows: withPeers, title: 'Calls per second (longer is better)' },
    { file: 'p99.svg', figure: 'p99', rows: withPeers, title: 'Slowest 1 % of the calls, in ms (shorter is better)' },
  ] as const;
  for (const { file, figure, rows: shown, title } of charts) {
    await writeChart(`benchmarks/${file}`, barCharts(barsOf(results, shown, figure), { ...LOOK, title }));
  }
  return charts.map(({ file, title }) => ({ file: `benchmarks/${file}`, title }));
}
