/** The report of the public surface, docs/api.md: every name of every entry point, with its signature. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  createPrinter,
  createProgram,
  createSourceFile,
  EmitHint,
  isClassDeclaration,
  isInterfaceDeclaration,
  ModifierFlags,
  getCombinedModifierFlags,
  isPrivateIdentifier,
  isVariableDeclaration,
  parseJsonConfigFileContent,
  readConfigFile,
  ScriptTarget,
  SymbolFlags,
  sys,
  createCompilerHost,
  factory,
  type ClassElement,
  type Declaration,
  type Node,
  type Symbol as TsSymbol,
} from 'typescript';

const ROOT = join(__dirname, '..', '..');

/** The entry points of package.json by their names, and the files of `src` behind them. */
function entryPoints(): [name: string, file: string][] {
  const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { exports: Record<string, string | { types: string }> };
  return Object.entries(exports).flatMap(([name, target]) =>
    typeof target === 'string' ? [] : [[name, join(ROOT, target.types.replace('./dist/', 'src/').replace(/\.d\.ts$/, '.ts'))] as [string, string]],
  );
}

/** Declarations of all of src, by the path that they would have beside their sources. */
function declarations(roots: readonly string[]): Map<string, string> {
  const { config } = readConfigFile(join(ROOT, 'tsconfig.build.json'), (path) => sys.readFile(path)) as { config: unknown };
  const { options } = parseJsonConfigFileContent(config, sys, ROOT);
  const emitted = new Map<string, string>();
  const program = createProgram(roots, { ...options, declaration: true, emitDeclarationOnly: true, removeComments: true, noEmit: false, outDir: join(ROOT, 'src'), rootDir: join(ROOT, 'src') });
  program.emit(undefined, (path, text) => emitted.set(path, text));
  return emitted;
}

const printer = createPrinter({ removeComments: true });

function isHidden(member: ClassElement): boolean {
  return (getCombinedModifierFlags(member) & ModifierFlags.Private) !== 0 || (member.name !== undefined && isPrivateIdentifier(member.name));
}

function print(node: Node): string {
  return printer.printNode(EmitHint.Unspecified, node, node.getSourceFile()).replace(/^(?:export |declare |default )+/, '');
}

function signature(declaration: Declaration): string {
  if (isClassDeclaration(declaration)) {
    const { modifiers, name, typeParameters, heritageClauses, members } = declaration;
    const shown = members.filter((member) => !isHidden(member));
    const copy = factory.createClassDeclaration(modifiers, name, typeParameters, heritageClauses, shown);
    return printer.printNode(EmitHint.Unspecified, copy, declaration.getSourceFile()).replace(/^(?:export |declare )+/, '');
  }
  if (isVariableDeclaration(declaration)) return `const ${print(declaration)};`;
  if (isInterfaceDeclaration(declaration)) return print(declaration);
  return print(declaration);
}

/** The whole report, without its head. */
export function apiReport(): string {
  const entries = entryPoints();
  const emitted = declarations(entries.map(([, file]) => file));
  const options = { target: ScriptTarget.ES2022, skipLibCheck: true, types: ['node'], strict: true };
  const machine = createCompilerHost(options);
  const host = {
    ...machine,
    // Beside the sources, so that imports lead to declarations and never to the sources themselves.
    fileExists: (path: string) => emitted.has(path) || (!path.includes('/src/') && machine.fileExists(path)),
    readFile: (path: string) => emitted.get(path) ?? machine.readFile(path),
    getSourceFile: (path: string, target: ScriptTarget) => {
      const text = emitted.get(path);
      return text === undefined ? machine.getSourceFile(path, target) : createSourceFile(path, text, target, true);
    },
  };
  const program = createProgram(entries.map(([, file]) => file.replace(/\.ts$/, '.d.ts')), options, host);
  const checker = program.getTypeChecker();
  const resolve = (symbol: TsSymbol): TsSymbol => ((symbol.flags & SymbolFlags.Alias) !== 0 ? checker.getAliasedSymbol(symbol) : symbol);
  const told = new Map<TsSymbol, string>();
  return entries
    .map(([name, file]) => {
      const source = program.getSourceFile(file.replace(/\.ts$/, '.d.ts'));
      const module = source && checker.getSymbolAtLocation(source);
      if (module === undefined) throw new Error(`${file} exports nothing`);
      const lines = checker
        .getExportsOfModule(module)
        .sort((a, b) => (a.name < b.name ? -1 : 1))
        .map((symbol) => {
          const target = resolve(symbol);
          const before = told.get(target);
          if (before !== undefined) return `// ${symbol.name}: the same as in ${before}`;
          told.set(target, name);
          const text = (target.declarations ?? []).map(signature).join('\n');
          if (text === '') throw new Error(`${symbol.name} of ${name} has no declaration that can be shown`);
          return text;
        });
      return `## tsmemcache${name.slice(1)}\n\n\`\`\`ts\n${lines.join('\n\n')}\n\`\`\``;
    })
    .join('\n\n');
}

/** A short name for what the changelog says of the next version. */
export function unreleasedChanges(): string {
  const text = readFileSync(join(ROOT, 'CHANGELOG.md'), 'utf8');
  const begin = text.indexOf('## Unreleased');
  const end = text.indexOf('\n## ', begin + 1);
  return createHash('sha256').update(text.slice(begin, end < 0 ? undefined : end)).digest('hex').slice(0, 16);
}
