import colors from 'picocolors';
import { consoleTable } from '../../../tools/console-table';
import { machine, markdownTable, writeChart, writePart } from '../../../tools/page';
import { barCharts, type Bar } from '../bars';
import { contestants, type Contestant } from './contestants';
import type { Measurement } from './load';
import { rows, targets, type Row } from './rows';

/** By row, then by contestant: one measurement per round. */
export type Results = Map<string, Map<string, Measurement[]>>;

const HEAD = ['server', 'requests/s', 'to the real one', 'CPU µs/request'];
const TARGET_HEAD = ['target', 'bound', 'measured', '', 'a bare `node:net`'];
const COLORS = { ours: '#2b6cb0', peer: '#a0aec0', yardstick: '#e2c97e', ceiling: '#b794f4' };

function median(figures: readonly (number | undefined)[]): number | undefined {
  const sorted = figures.filter((figure) => figure !== undefined).sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)];
}

function of(results: Results, row: Row, name: string): Measurement[] {
  return results.get(row.name)?.get(name) ?? [];
}

/** The ratio to memcached, or redis-server, round by round, so that a slow minute of the machine is both's; its median. */
function ratio(results: Results, row: Row, { name, protocol }: Contestant): number | undefined {
  const real = contestants.find((other) => other.role === 'yardstick' && other.protocol === protocol)?.name ?? '';
  const yardstick = of(results, row, real);
  return median(of(results, row, name).map(({ rate }, round) => rate / (yardstick[round]?.rate ?? NaN)).filter(Number.isFinite));
}

function linesOf(results: Results, row: Row): (readonly [role: string, cells: string[]])[] {
  return contestants
    .filter(({ name }) => of(results, row, name).length > 0)
    .map((contestant) => {
      const { name, role } = contestant;
      const measurements = of(results, row, name);
      const rate = median(measurements.map((measurement) => measurement.rate)) ?? 0;
      const cpu = median(measurements.map((measurement) => measurement.cpu));
      const to = ratio(results, row, contestant);
      return [role, [name, Math.round(rate).toLocaleString('en'), to === undefined ? '–' : `${to.toFixed(2)} ×`, cpu?.toFixed(2) ?? '–']];
    });
}

/** How far each target is reached, and what is in reach of Node at all where that was measured. */
function verdicts(results: Results): string[][] {
  const cell = (figure: number | undefined): string => (figure === undefined ? '–' : `${figure.toFixed(2)} ×`);
  return targets.flatMap(({ row: name, server, atLeast }) => {
    const row = rows.find((entry) => entry.name === name);
    const ours = contestants.find((entry) => entry.name === server);
    if (row === undefined || ours === undefined || !results.has(name)) return [];
    const measured = ratio(results, row, ours);
    const ceiling = contestants.find(({ role, protocol }) => role === 'ceiling' && protocol === ours.protocol);
    const verdict = measured === undefined ? 'not measured' : measured >= atLeast ? 'reached' : 'not reached';
    return [[`${row.title}: ${server}`, `≥ ${atLeast} ×`, cell(measured), verdict, cell(ceiling && ratio(results, row, ceiling))]];
  });
}

export function printReport(results: Results): void {
  for (const row of rows.filter(({ name }) => results.has(name))) {
    const lines = linesOf(results, row).map(([role, cells]) => (role === 'ours' ? cells.map(colors.bold) : cells));
    console.log(`\n${colors.bold(row.title)}\n${consoleTable(HEAD, lines)}`);
  }
  const lines = verdicts(results);
  if (lines.length > 0) console.log(`\n${colors.bold('targets')}\n${consoleTable(TARGET_HEAD, lines)}`);
}

/** The figures of docs/embedded-server.md, and their chart. */
export async function writeDocs(results: Results, rounds: number): Promise<void> {
  await writeChart('benchmarks/servers.svg', barCharts(barsOf(results), { title: 'Requests per second (longer is better)', columns: 2, width: 320, step: 18, colors: COLORS }));
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

${markdownTable(TARGET_HEAD, verdicts(results))}

Medians of ${rounds} rounds, which are the dots in the picture; ${machine()}
`;
}

function barsOf(results: Results): Bar[] {
  return rows.flatMap((row) =>
    contestants
      .filter(({ name }) => of(results, row, name).length > 0)
      .map(({ name, role }) => {
        const rounds = of(results, row, name).map(({ rate }) => rate);
        return { chart: row.title, name, role, median: median(rounds), rounds };
      }),
  );
}
