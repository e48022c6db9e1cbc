/** The rooms of `src` (its folders) and the doors between them (its imports), as they are. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { preProcessFile } from 'typescript';

const SRC = resolve(__dirname, '../src');

/** What a file imports, types included. */
export interface Imports {
  /** Other files of `src`, as `client/client.ts`. */
  readonly files: readonly string[];
  /** Packages and parts of Node. */
  readonly modules: readonly string[];
}

/** All files of `src` with their imports; paths have forward slashes. */
export function importsOfSrc(): Map<string, Imports> {
  const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .map((name) => name.replaceAll('\\', '/'))
    .filter((name) => name.endsWith('.ts'))
    .sort();
  const known = new Set(files);
  return new Map(files.map((file) => [file, importsOf(file, known)]));
}

function importsOf(file: string, known: ReadonlySet<string>): Imports {
  const names = preProcessFile(readFileSync(join(SRC, file), 'utf8')).importedFiles.map(({ fileName }) => fileName);
  const files = new Set<string>();
  for (const name of names.filter((entry) => entry.startsWith('.'))) {
    const path = relative(SRC, resolve(SRC, dirname(file), name)).replaceAll('\\', '/');
    const found = [`${path}.ts`, `${path.replace(/\.js$/, '')}.ts`, join(path, 'index.ts').replaceAll('\\', '/')].find((entry) => known.has(entry));
    if (found === undefined) throw new Error(`src/${file} imports ${name}, which is not there`);
    files.add(found);
  }
  return { files: [...files], modules: names.filter((entry) => !entry.startsWith('.')) };
}

/** The room that a file lies in: its folder; `index.ts` for the file at the top. */
export function roomOf(file: string): string {
  return file.includes('/') ? dirname(file) : file;
}

/** The outermost folder of a file. */
export function houseOf(file: string): string {
  return file.split('/')[0] ?? file;
}

/** The shortest circle of files that there is, if any. */
export function circleOf(imports: ReadonlyMap<string, Imports>): readonly string[] | undefined {
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): readonly string[] | undefined => {
    const at = path.indexOf(file);
    if (at >= 0) return [...path.slice(at), file];
    if (done.has(file)) return undefined;
    for (const other of imports.get(file)?.files ?? []) {
      const circle = visit(other, [...path, file]);
      if (circle !== undefined) return circle;
    }
    done.add(file);
    return undefined;
  };
  for (const file of imports.keys()) {
    const circle = visit(file, []);
    if (circle !== undefined) return circle;
  }
  return undefined;
}

/** The doors between the outermost folders, or within one of them between its rooms: from whom to whom. */
export function doors(imports: ReadonlyMap<string, Imports>, place: (file: string) => string | undefined): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const [file, { files }] of imports) {
    const from = place(file);
    if (from === undefined) continue;
    const to = found.get(from) ?? new Set();
    found.set(from, to);
    for (const other of files) {
      const target = place(other);
      if (target !== undefined && target !== from) to.add(target);
    }
  }
  return found;
}

/** Without the doors that others imply: who goes to `client` goes to what `client` goes to. */
function reduced(graph: ReadonlyMap<string, ReadonlySet<string>>): Map<string, string[]> {
  const reach = (from: string, seen = new Set<string>()): Set<string> => {
    for (const to of graph.get(from) ?? []) {
      if (!seen.has(to)) {
        seen.add(to);
        reach(to, seen);
      }
    }
    return seen;
  };
  return new Map(
    [...graph].map(([from, targets]) => [
      from,
      [...targets].filter((to) => ![...targets].some((other) => other !== to && reach(other).has(to))).sort(),
    ]),
  );
}

/** A picture of rooms and doors, for mermaid. */
export function picture(graph: ReadonlyMap<string, ReadonlySet<string>>): string {
  const id = (room: string): string => room.replace(/\W/g, '_');
  const lines = [...reduced(graph)].sort(([a], [b]) => a.localeCompare(b, 'en')).flatMap(([from, targets]) => [
    `  ${id(from)}["${from}"]`,
    ...targets.map((to) => `  ${id(from)} --> ${id(to)}`),
  ]);
  return `\`\`\`mermaid\nflowchart TB\n${lines.join('\n')}\n\`\`\``;
}
