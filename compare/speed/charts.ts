import type { TopLevelSpec } from 'vega-lite';
import type { Measurement } from './order';
import { writeChart } from '../../tools/page';
import type { Results } from './results';
import type { Row } from './rows';

/** One small bar chart per row. */
function bars(results: Results, rows: readonly Row[], figure: keyof Measurement, title: string): TopLevelSpec {
  // `raw` builds no values, so that its bar says little beside clients that do.
  const values = rows.flatMap((row) =>
    row.contestants
      .filter(({ name }) => name !== 'raw')
      .map(({ name, role }, order) => ({ row: row.title, client: name, role, order, value: results.median(row.name, name, figure) ?? null })),
  );
  return {
    data: { values },
    facet: { field: 'row', type: 'nominal', sort: rows.map((row) => row.title), title },
    columns: 3,
    spec: {
      width: 230,
      height: { step: 14 },
      mark: 'bar',
      encoding: {
        y: { field: 'client', type: 'nominal', sort: { field: 'order', op: 'min' }, title: null },
        x: { field: 'value', type: 'quantitative', title: null },
        color: { field: 'role', type: 'nominal', legend: null, scale: { domain: ['ours', 'peer', 'ceiling'], range: ['#2b6cb0', '#a0aec0', '#e2c97e'] } },
      },
    },
    resolve: { scale: { x: 'independent', y: 'independent' } },
    config: { background: 'white' },
  };
}

/** The charts of `docs/benchmarks.md`; they tell their file and what they show. */
export async function writeCharts(results: Results, rows: readonly Row[]): Promise<{ file: string; title: string }[]> {
  const withPeers = rows.filter((row) => row.contestants.some(({ role }) => role === 'peer'));
  const charts = [
    { file: 'cpu-per-call.svg', figure: 'cpu', rows, title: 'CPU time per call, in µs (shorter is better)' },
    { file: 'throughput.svg', figure: 'rate', rows: withPeers, title: 'Calls per second (longer is better)' },
    { file: 'p99.svg', figure: 'p99', rows: withPeers, title: 'Slowest 1 % of the calls, in ms (shorter is better)' },
  ] as const;
  for (const { file, figure, rows: shown, title } of charts) await writeChart(`benchmarks/${file}`, bars(results, shown, figure, title));
  return charts.map(({ file, title }) => ({ file: `benchmarks/${file}`, title }));
}
