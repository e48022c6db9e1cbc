import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { cpus, platform, arch } from 'node:os';
import { dirname, join } from 'node:path';
import type { TopLevelSpec } from 'vega-lite';

const DOCS = join(__dirname, '..', 'docs');

/** Where the part of `docs/PAGE` is that `npm run COMMAND --write-docs` writes; the command is `reliability --` or `bench -- costs`. */
async function findPart(page: string, command: string): Promise<{ file: string; text: string; from: number; to: number }> {
  const file = join(DOCS, page);
  const begin = `<!-- written by npm run ${command} --write-docs -->`;
  const end = `<!-- end of ${command.replace(' --', '')} -->`;
  const text = await readFile(file, 'utf8');
  const from = text.indexOf(begin) + begin.length;
  const to = text.indexOf(end);
  if (!text.includes(begin) || to < from) throw new Error(`docs/${page} has no place for ${command}: ${begin} … ${end}`);
  return { file, text, from, to };
}

/** Replaces that part. */
export async function writePart(page: string, command: string, part: string): Promise<void> {
  const { file, text, from, to } = await findPart(page, command);
  await writeFile(file, `${text.slice(0, from)}\n\n${part.trim()}\n\n${text.slice(to)}`);
}

/** The cells of the tables in that part, line by line. */
export async function linesOfPart(page: string, command: string): Promise<string[][]> {
  const { text, from, to } = await findPart(page, command);
  const lines = text.slice(from, to).split('\n').filter((line) => line.startsWith('| '));
  return lines.map((line) => line.slice(1, -1).split('|').map((cell) => cell.trim()));
}

/** Writes `docs/FILE`, an SVG drawn from a vega-lite specification. */
export async function writeChart(file: string, spec: TopLevelSpec): Promise<void> {
  const [{ compile }, vega] = await Promise.all([import('vega-lite'), import('vega')]);
  const view = new vega.View(vega.parse(compile(spec).spec), { renderer: 'none' });
  await mkdir(dirname(join(DOCS, file)), { recursive: true });
  await writeFile(join(DOCS, file), await view.toSVG());
}

export function markdownTable(head: readonly string[], lines: readonly (readonly string[])[]): string {
  return `| ${head.join(' | ')} |\n|---|${'---:|'.repeat(head.length - 1)}\n${lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')}`;
}

/** A table of words: every column begins at the left. */
export function textTable(head: readonly string[], lines: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** The machine of a measurement, in one sentence. */
export function machine(): string {
  return `${cpus().length} × ${cpus()[0]?.model ?? 'unknown CPU'}, ${platform()} ${arch()}, Node ${process.version}.`;
}
