import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { cpus, platform, arch } from 'node:os';
import { dirname, join } from 'node:path';
import type { TopLevelSpec } from 'vega-lite';

const DOCS = join(__dirname, '..', 'docs');

/** Replaces the part of `docs/PAGE` that `npm run COMMAND --write-docs` writes; the command is `reliability --` or `bench -- costs`. */
export async function writePart(page: string, command: string, text: string): Promise<void> {
  const file = join(DOCS, page);
  const begin = `<!-- written by npm run ${command} --write-docs -->`;
  const end = `<!-- end of ${command.replace(' --', '')} -->`;
  const old = await readFile(file, 'utf8');
  const from = old.indexOf(begin);
  const to = old.indexOf(end);
  if (from < 0 || to < from) throw new Error(`docs/${page} has no place for ${command}: ${begin} … ${end}`);
  await writeFile(file, `${old.slice(0, from)}${begin}\n\n${text.trim()}\n\n${old.slice(to)}`);
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
