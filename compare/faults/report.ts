import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Table from 'cli-table3';
import colors from 'picocolors';
import { writePart } from '../../tools/page';
import type { Contestant } from './clients/adapter';
import type { Fault } from './scripts';
import { outcomes, type Outcome, type Verdict } from './verdict';

const ROOT = join(__dirname, '..', '..');

/** By fault, then by client. */
export type Results = Map<string, Map<string, Verdict>>;

/** What the cells were made with. */
export interface Versions {
  readonly node: string;
  readonly memcached: string;
  readonly clients: Readonly<Record<string, string>>;
}

export function versionOf(client: string): string {
  const folder = client === 'tsmemcache' ? ROOT : join(ROOT, 'node_modules', client);
  return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }).version;
}

function paint(outcome: Outcome): string {
  if (outcome === 'ok') return colors.green(outcome);
  return outcome === 'n/a' ? colors.dim(outcome) : colors.red(outcome);
}

export function printTable(results: Results, faults: readonly Fault[], clients: readonly Contestant[]): void {
  const width = Math.max(24, Math.floor(((process.stdout.isTTY ? process.stdout.columns : 160) - 30) / clients.length) - 3);
  const table = new Table({
    head: ['fault', ...clients.map(({ name }) => name)],
    style: { head: ['bold'], border: [] },
    colWidths: [26, ...clients.map(() => width)],
    wordWrap: true,
  });
  for (const fault of faults) {
    const cells = clients.map(({ name }) => results.get(fault.name)?.get(name)).map((verdict) => (verdict === undefined ? '' : `${paint(verdict.outcome)}\n${verdict.detail}`));
    table.push([fault.title, ...cells]);
  }
  console.log(table.toString());
}

/** Puts what was seen into docs/faults.md. */
export async function writeDocs(results: Results, faults: readonly Fault[], clients: readonly Contestant[], versions: Versions): Promise<void> {
  await writePart('faults.md', 'faults --', generated(results, faults, clients, versions));
}

/** A row for each fault, and how many cells of each client are ok. */
function tableOf(results: Results, faults: readonly Fault[], clients: readonly Contestant[], versions: Versions): string[] {
  const heads = clients.map(({ name, protocol }) => `${name} ${versions.clients[name] ?? ''}${protocol === 'binary' ? ' (binary)' : ''}`);
  const rows = faults.map((fault) => {
    const cells = clients.map(({ name }) => results.get(fault.name)?.get(name)).map((verdict) => (verdict === undefined ? '' : cell(verdict)));
    return `| ${[escape(fault.title), ...cells].join(' | ')} |`;
  });
  const tally = clients.map(({ name }) => {
    const all = faults.map((fault) => results.get(fault.name)?.get(name)?.outcome).filter((outcome) => outcome !== undefined && outcome !== 'n/a');
    return `${all.filter((outcome) => outcome === 'ok').length} of ${all.length}`;
  });
  return [`| fault | ${heads.join(' | ')} |`, `|---|${'---|'.repeat(clients.length)}`, ...rows, `| cells that are ok | ${tally.join(' | ')} |`];
}

function generated(results: Results, faults: readonly Fault[], clients: readonly Contestant[], versions: Versions): string {
  return [
    `Node ${versions.node}; rows about keys and large values ran against ${versions.memcached}.`,
    '',
    ...tableOf(results, faults, clients, versions),
    '',
    '| outcome | what it says |',
    '|---|---|',
    ...Object.entries(outcomes).map(([outcome, meaning]) => `| ${outcome} | ${meaning} |`),
    '| n/a | the client has no such thing |',
    '',
  ].join('\n');
}

function cell({ outcome, detail }: Verdict): string {
  return `${outcome === 'ok' || outcome === 'n/a' ? outcome : `**${outcome}**`}<br>${escape(detail)}`;
}

/** As text in a cell of a table, whatever clients say. */
function escape(text: string): string {
  return text.replaceAll(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`).replaceAll(/([\\|`*_[\]])/g, '\\$1');
}
