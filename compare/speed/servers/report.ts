import Table from 'cli-table3';
import colors from 'picocolors';
import type { TopLevelSpec } from 'vega-lite';
import { machine, writeChart, writePart } from '../../../tools/page';
import { contestants } from './contestants';
import type { Measurement } from './load';
import { rows, type Row } from './rows';

/** By row, then by contestant: one measurement per round. */
export type Results = Map<string, Map<string, Measurement[]>>;

const HEAD = ['server', 'requests/s', 'to memcached', 'CPU µs/request'];
const YARDSTICK = contestants.find(({ role }) => role === 'yardstick')?.name ?? '';

function median(figures: readonly (number | undefined)[]): number | undefined {
  const sorted = figures.filter((figure) => figure !== undefined).sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)];
}

function of(results: Results, row: Row, name: string): Measurement[] {
  return results.get(row.name)?.get(name) ?? [];
}

/** The ratio to memcached round by round, so that a slow minute of the machine is both's; its median. */
function ratio(results: Results, row: Row, name: string): number | undefined {
  const yardstick = of(results, row, YARDSTICK);
  return median(of(results, row, name).map(({ rate }, round) => rate / (yardstick[round]?.rate ?? NaN)));
}

function linesOf(results: Results, row: Row): (readonly [role: string, cells: string[]])[] {
  return contestants
    .filter(({ name }) => of(results, row, name).length > 0)
    .map(({ name, role }) => {
      const measurements = of(results, row, name);
      const rate = median(measurements.map((measurement) => measurement.rate)) ?? 0;
      const cpu = median(measurements.map((measurement) => measurement.cpu));
      const to = ratio(results, row, name)?.toFixed(2);
      return [role, [name, Math.round(rate).toLocaleString('en'), `${to ?? '–'} ×`, cpu?.toFixed(2) ?? '–']];
    });
}

export function printReport(results: Results): void {
  for (const row of rows.filter(({ name }) => results.has(name))) {
    const table = new Table({ head: HEAD, style: { head: [], border: [] }, colAligns: ['left', 'right', 'right', 'right'] });
    for (const [role, cells] of linesOf(results, row)) table.push(role === 'ours' ? cells.map((cell) => colors.bold(cell)) : cells);
    console.log(`\n${colors.bold(row.title)}\n${table.toString()}`);
  }
}

/** The figures of docs/embedded-server.md, and their chart. */
export async function writeDocs(results: Results, rounds: number): Promise<void> {
  await writeChart('benchmarks/servers.svg', chart(results));
  await writePart('embedded-server.md', 'bench -- servers', section(results, rounds));
}

function section(results: Results, rounds: number): string {
  const lines = rows.flatMap((row) =>
    linesOf(results, row).map(([, cells], index) => `| ${[index === 0 ? row.title : '', ...cells].join(' | ')} |`),
  );
  return `
![Requests per second](benchmarks/servers.svg)

| | ${HEAD.join(' | ')} |
|---|---|${'---:|'.repeat(HEAD.length - 1)}
${lines.join('\n')}

Medians of ${rounds} rounds; ${machine()}
`;
}

function chart(results: Results): TopLevelSpec {
  const values = rows.flatMap((row) =>
    contestants.flatMap(({ name, role }) => {
      const rate = median(of(results, row, name).map((measurement) => measurement.rate));
      return rate === undefined ? [] : [{ row: row.title, server: name, role, rate }];
    }),
  );
  return {
    data: { values },
    facet: { field: 'row', type: 'nominal', sort: rows.map(({ title }) => title), title: 'Requests per second (longer is better)' },
    columns: 2,
    spec: {
      width: 320,
      height: { step: 18 },
      mark: 'bar',
      encoding: {
        y: { field: 'server', type: 'nominal', sort: contestants.map(({ name }) => name), title: null },
        x: { field: 'rate', type: 'quantitative', title: null },
        color: { field: 'role', type: 'nominal', legend: null, scale: { domain: ['ours', 'peer', 'yardstick'], range: ['#2b6cb0', '#a0aec0', '#e2c97e'] } },
      },
    },
    resolve: { scale: { x: 'independent' } },
    config: { background: 'white' },
  };
}
