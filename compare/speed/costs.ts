/**
 * `npm run bench -- costs [--quick] [--only SECTIONS] [--build DIR] [--json FILE] [--write-docs]`: what users feel beside speed. The
 * page keeps the figures of sections that were not measured.
 */
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import colors from 'picocolors';
import { consoleTable } from '../../tools/console-table';
import { linesOfPart, machine, markdownTable, writePart } from '../../tools/page';
import type { Cost } from './costs/cost';
import { importCosts } from './costs/imports';
import type { MemoryFigure, MemoryOrder } from './costs/memory';
import { dependencyTree, packageCosts } from './costs/packed';
import { BUILD, inProcess } from './order';
import { rows } from './rows';
import { withServers } from './server';

const SECTIONS = ['import', 'package', 'memory', 'garbage', 'growth'] as const;

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: SECTIONS.join(',') },
    build: { type: 'string', default: BUILD },
    json: { type: 'string' },
    'write-docs': { type: 'boolean', default: false },
  },
});

const build = resolve(options.build);

async function memory(ports: readonly number[], subject: MemoryOrder['subject'], count: number): Promise<number> {
  const order: MemoryOrder = { build, ports, subject, count };
  return (await inProcess<MemoryFigure>('costs/memory', order, ['--expose-gc'])).bytes;
}

async function memoryCosts(ports: readonly number[]): Promise<Cost[]> {
  const idle = await memory(ports, 'idle client', 2000);
  const connected = await memory(ports, 'connected client', 200);
  const figures = [
    { name: 'heap per idle client, not yet connected', value: idle },
    { name: 'heap per open connection', value: connected - idle },
    { name: 'of which a bare socket of Node', value: await memory(ports, 'bare socket', 200) },
    { name: 'heap per queued call, with its promise', value: await memory(ports, 'queued call', 20_000), atMost: 300 },
  ];
  return figures.map((figure) => ({ section: 'memory', unit: 'B', ...figure }));
}

/** A young generation so large that it is never collected meanwhile. */
const NO_COLLECTIONS = ['--expose-gc', '--min-semi-space-size=1024', '--max-semi-space-size=1024'];

async function garbageCosts(ports: readonly number[]): Promise<Cost[]> {
  const name = 'get-100-128';
  const contestants = rows.find((row) => row.name === name)?.contestants ?? [];
  const costs: Cost[] = [];
  for (const { name: client, role } of contestants) {
    if (options.quick && role === 'peer') continue;
    const { bytes } = await inProcess<MemoryFigure>('costs/garbage', { client, row: name, ports, build }, NO_COLLECTIONS);
    costs.push({ section: 'garbage', name: `garbage per get of 100 B: ${client}`, value: bytes, unit: 'B' });
  }
  return costs;
}

async function growthCosts(ports: readonly number[]): Promise<Cost[]> {
  const calls = options.quick ? 200_000 : 2_000_000;
  const name = `growth of the heap over ${calls.toLocaleString('en')} gets`;
  // A leak of one small object per hundred calls is an order of magnitude above the bound.
  return [{ section: 'growth', name, value: await memory(ports, 'growth', calls), unit: 'B/call', atMost: 0.05 }];
}

async function measure(): Promise<Cost[]> {
  const wanted = options.only.split(',');
  return withServers(1, async (ports) => {
    const costs: Cost[] = [];
    for (const section of SECTIONS.filter((name) => wanted.includes(name))) {
      console.error(`measuring: ${section}`);
      switch (section) {
        case 'import': costs.push(...importCosts(build, options.quick ? 3 : 15)); break;
        case 'package': costs.push(...packageCosts()); break;
        case 'memory': costs.push(...(await memoryCosts(ports))); break;
        case 'garbage': costs.push(...(await garbageCosts(ports))); break;
        case 'growth': costs.push(...(await growthCosts(ports))); break;
      }
    }
    return costs;
  });
}

const HEAD = ['', 'measured', 'at most', ''];

function cellsOf({ name, value, unit, atMost }: Cost): string[] {
  const figure = Math.abs(value) < 1 && value !== 0 ? value.toFixed(3) : value < 100 && !Number.isInteger(value) ? value.toFixed(1) : Math.round(value).toLocaleString('en');
  return [name, `${figure} ${unit}`.trim(), atMost === undefined ? '' : `${atMost} ${unit}`.trim(), atMost === undefined ? '' : value <= atMost ? 'reached' : 'not reached'];
}

/** The lines of the page, with the new figures in their places. */
async function linesOfPage(costs: readonly Cost[]): Promise<string[][]> {
  const measured = new Map(costs.map((cost) => [cost.name, cellsOf(cost)]));
  const isWhole = SECTIONS.every((section) => costs.some((cost) => cost.section === section));
  const [, ...lines] = isWhole ? [] : await linesOfPart('benchmarks.md', 'bench -- costs');
  const kept = lines.map(([name = '', ...cells]) => measured.get(name) ?? [name, ...cells]);
  return [...kept, ...[...measured.values()].filter(([name]) => !lines.some(([other]) => other === name))];
}

async function main(): Promise<void> {
  const costs = await measure();
  const isTooMuch = ({ atMost, value }: Cost): boolean => atMost !== undefined && value > atMost;
  console.log(consoleTable(HEAD, costs.map((cost) => (isTooMuch(cost) ? cellsOf(cost).map(colors.yellow) : cellsOf(cost)))));
  const tree = dependencyTree();
  console.log(tree);
  if (options.json !== undefined) await writeFile(options.json, JSON.stringify({ costs, tree }, undefined, 2));
  if (options['write-docs']) {
    await writePart('benchmarks.md', 'bench -- costs', `${machine()}\n\n${markdownTable(HEAD, await linesOfPage(costs))}\n\nWhat is installed:\n\n\`\`\`text\n${tree}\n\`\`\``);
  }
}

void main();
