import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as ts from 'typescript';
import { UserProject } from '../support/packed';

const ROOT = resolve(__dirname, '../..');
const OPTIONS: ts.CompilerOptions = {
  strict: true,
  declaration: true,
  module: ts.ModuleKind.Node16,
  moduleResolution: ts.ModuleResolutionKind.Node16,
  target: ts.ScriptTarget.ES2022,
  typeRoots: [join(ROOT, 'node_modules', '@types')],
  types: [],
};
/** Machinery that is public for the package's own rooms: the tables of options, and what a server is made of. */
const INTERNAL = /_OPTIONS$|^(?:Connection|ConnectionPool|ServerContext)$/;

let project: UserProject;

beforeAll(() => {
  project = new UserProject();
});

afterAll(() => {
  project.remove();
});

/** A module that exports every member of every class and interface of `entry`, and every value, without naming a type. */
function exportsOf(entry: string, declaration: string): string {
  const program = ts.createProgram([declaration], OPTIONS);
  const checker = program.getTypeChecker();
  const file = program.getSourceFile(declaration);
  const module = file && checker.getSymbolAtLocation(file);
  const lines = [`import * as all from '${entry}';`];
  for (const exported of module === undefined ? [] : checker.getExportsOfModule(module)) {
    if (INTERNAL.test(exported.name)) continue;
    const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
    const from = symbol.declarations?.[0];
    if (from !== undefined && (ts.isClassDeclaration(from) || ts.isInterfaceDeclaration(from))) {
      const parameters = from.typeParameters?.map(() => 'any').join(', ');
      const type = `all.${exported.name}${parameters === undefined ? '' : `<${parameters}>`}`;
      for (const { name, valueDeclaration } of checker.getDeclaredTypeOfSymbol(symbol).getProperties()) {
        const hidden = valueDeclaration === undefined || ts.getCombinedModifierFlags(valueDeclaration) & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected);
        if (/^[a-z]\w*$/i.test(name) && !hidden) lines.push(`export const a${lines.length} = (of: ${type}) => of.${name};`);
      }
    }
    // Some classes are exported as types alone.
    if (symbol.flags & ts.SymbolFlags.Value && !(symbol.flags & ts.SymbolFlags.Class)) lines.push(`export const a${lines.length} = all.${exported.name};`);
  }
  return lines.join('\n');
}

it('whatever a program exports that has declarations of its own, its types have names that it may use', () => {
  const { exports: entries } = JSON.parse(readFileSync(join(project.installed, 'package.json'), 'utf8')) as { exports: Record<string, string | { types: string }> };
  const files = Object.entries(entries).flatMap(([name, conditions], index) => {
    if (typeof conditions === 'string') return [];
    const file = join(project.folder, `names-${index}.ts`);
    writeFileSync(file, exportsOf(`tsmemcache${name.slice(1)}`, join(project.installed, conditions.types)));
    return [file];
  });
  const program = ts.createProgram(files, OPTIONS);
  const problems = files.flatMap((name) => {
    const file = program.getSourceFile(name);
    expect(file?.statements.length).toBeGreaterThan(3);
    return file === undefined ? [] : [...program.getSemanticDiagnostics(file), ...program.getDeclarationDiagnostics(file)];
  });
  expect(problems.map(({ file, start = 0, messageText }) => `${file?.text.slice(start).split('\n', 1)[0] ?? ''} ${ts.flattenDiagnosticMessageText(messageText, '\n')}`)).toEqual([]);
});
