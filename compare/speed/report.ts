import colors from 'picocolors';
import { writeCharts } from './charts';
import type { Contestant } from './clients';
import { consoleTable } from '../../tools/console-table';
import { machine, markdownTable, writePart } from '../../tools/page';
import type { Results } from './results';
import type { Row } from './rows';
import { boundText, judge, type Verdict } from './targets';

function text(figure: number | undefined, digits: number): string {
  return figure === undefined ? '–' : figure.toFixed(digits);
}

function ratio(figure: number | undefined, to: number | undefined): string {
  return figure === undefined || to === undefined ? '–' : `${(figure / to).toFixed(2)} ×`;
}

/** What a row's CPU times are compared with: the column, and its figure. */
function comparisons(results: Results, row: Row): [string, number | undefined][] {
  const has = (wanted: (client: Contestant) => boolean): boolean => row.contestants.some(wanted);
  const columns: [string, number | undefined][] = [];
  if (has(({ role }) => role === 'peer')) columns.push(['to best peer', results.bestCpu(row, 'peer')]);
  if (has(({ name }) => name === 'raw+promise')) columns.push(['to raw+promise', results.median(row.name, 'raw+promise', 'cpu')]);
  if (row.contestants.filter(({ role }) => role === 'ours').length > 1) columns.push(['to Client', results.median(row.name, 'tsmemcache', 'cpu')]);
  return columns;
}

interface RowTable {
  readonly head: string[];
  readonly lines: { readonly client: Contestant; readonly cells: string[] }[];
}

/** CPU per call and its ratios, calls per second, latencies. */
function tableOf(results: Results, row: Row): RowTable {
  const columns = comparisons(results, row);
  const lines = row.contestants.map((client) => {
    const cpu = results.median(row.name, client.name, 'cpu');
    const rate = results.median(row.name, client.name, 'rate');
    const cells = [
      client.name,
      text(cpu, 2),
      ...columns.map(([, figure]) => ratio(cpu, figure)),
      rate === undefined ? '–' : Math.round(rate).toLocaleString('en'),
      text(results.median(row.name, client.name, 'p50'), 3),
      text(results.median(row.name, client.name, 'p99'), 3),
    ];
    return { client, cells };
  });
  return { head: ['client', 'CPU µs/call', ...columns.map(([name]) => name), 'calls/s', 'p50 ms', 'p99 ms'], lines };
}

const VERDICT_HEAD = ['target', 'bound', 'measured', '', 'to spare'];

function verdictCells({ target, measured, reached, margin }: Verdict, rows: readonly Row[]): string[] {
  const title = rows.find(({ name }) => name === target.row)?.title ?? target.row;
  const verdict = measured === undefined ? 'not measured' : reached ? 'reached' : 'not reached';
  return [`${title}: ${target.client}`, boundText(target), text(measured, 2), verdict, margin === undefined ? '–' : `${(margin * 100).toFixed(0)} %`];
}

export function printReport(results: Results, rows: readonly Row[]): void {
  for (const row of rows) {
    const { head, lines } = tableOf(results, row);
    const shown = lines.map(({ client, cells }) => (client.role === 'ours' ? cells.map(colors.bold) : cells));
    console.log(`\n${colors.bold(row.title)}\n${consoleTable(head, shown)}`);
  }
  const verdicts = judge(results, rows);
  if (verdicts.length === 0) return;
  const lines = verdicts.map((verdict) => {
    const cells = verdictCells(verdict, rows);
    return verdict.reached ? cells : cells.map(colors.yellow);
  });
  console.log(`\n${colors.bold('targets')}\n${consoleTable(VERDICT_HEAD, lines)}`);
}

/** The measured part of docs/benchmarks.md and its charts, out of a full run. */
export async function writeDocs(results: Results, rows: readonly Row[], rounds: number): Promise<void> {
  const charts = await writeCharts(results, rows);
  const verdicts = judge(results, rows);
  const sections = rows.map((row) => {
    const { head, lines } = tableOf(results, row);
    return `### ${row.title}\n\n${markdownTable(head, lines.map(({ cells }) => cells))}`;
  });
  await writePart(
    'benchmarks.md',
    'bench -- rates',
    [
      `${machine()} Medians of ${rounds} rounds; the dots in the pictures are the rounds.`,
      ...charts.map(({ file, title }) => `![${title}](${file})`),
      '## Targets',
      `${verdicts.filter(({ reached }) => reached).length} of ${verdicts.length} are reached.`,
      markdownTable(VERDICT_HEAD, verdicts.map((verdict) => verdictCells(verdict, rows))),
      '## Results',
      ...sections,
    ].join('\n\n'),
  );
}
