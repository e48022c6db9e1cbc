/**
 * `npm run build`: what is published, from `src` into `dist`.
 *
 * - `dist/**.d.ts`: declarations.
 * - `dist/**.js`: CommonJS, which Node, Bun and Deno load. One file per entry point and what several of them share in
 *   files of its own, so that little is opened and each class exists once per process, whatever entry points are loaded.
 * - `dist/esm/**.js`: modules, one per source file, behind the condition `module`, which only bundlers know. They leave
 *   out what a program does not use.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { build as esbuild } from 'esbuild';
import * as ts from 'typescript';

const ROOT = resolve(__dirname, '..');
const SRC = join(ROOT, 'src');

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly default: string }>>;
  readonly bin: Readonly<Record<string, string>>;
}

/** The files of `src` that package.json names as entry points, without `.ts`. */
export function entryPoints(): string[] {
  const { exports, bin } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest;
  const files = [...Object.values(exports).map((entry) => (typeof entry === 'string' ? entry : entry.default)), ...Object.values(bin)];
  return files.map((file) => /^(?:\.\/)?dist\/(.*)\.js$/.exec(file)?.[1]).filter((name) => name !== undefined);
}

/** A source map that lies in a folder further down than the compiler thinks. */
function oneDown(map: string): string {
  const { sources, ...rest } = JSON.parse(map) as { sources: string[] };
  return JSON.stringify({ ...rest, sources: sources.map((source) => `../${source}`) });
}

/** Files by their path below `dist`. */
type Output = Map<string, string>;

/** What the compiler makes of `src`, as ES modules. */
class Compilation {
  readonly #program: ts.Program;

  constructor() {
    const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.build.json'), (path) => ts.sys.readFile(path)) as { config: object };
    const { options, fileNames } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT);
    this.#program = ts.createProgram(fileNames, {
      ...options,
      module: ts.ModuleKind.ESNext,
      moduleResolution: ts.ModuleResolutionKind.Bundler,
      sourceMap: true,
      inlineSources: true,
    });
    const problems = ts.getPreEmitDiagnostics(this.#program);
    if (problems.length > 0) {
      throw new Error(ts.formatDiagnostics(problems, { getCanonicalFileName: (name) => name, getCurrentDirectory: () => ROOT, getNewLine: () => '\n' }));
    }
  }

  emit(transformers: ts.CustomTransformers = {}): Output {
    const output: Output = new Map();
    const { outDir = ROOT } = this.#program.getCompilerOptions();
    this.#program.emit(undefined, (path, text) => output.set(relative(outDir, path), text), undefined, false, transformers);
    return output;
  }

  /** The path below `src`, without `.ts`, of what the module at `path` imports as `specifier`. */
  resolve(path: string, specifier: string): string {
    const target = relative(SRC, resolve(dirname(path), specifier.replace(/\.js$/, '')));
    const found = [target, join(target, 'index')].find((name) => this.#program.getSourceFile(join(SRC, `${name}.ts`)));
    if (found === undefined) throw new Error(`${path}: there is no ${specifier}`);
    return found;
  }
}

/**
 * What `src` may write for CommonJS and a bundler does not take: specifiers get their file's name, and a package that
 * is loaded on first use (`require('fflate')`) is imported at the top, which costs nothing where it is left out.
 */
function asModule(compilation: Compilation): ts.TransformerFactory<ts.SourceFile> {
  return (context) => (file) => {
    const { factory } = context;
    const lazy = new Map<string, ts.Identifier>();
    const visit = (node: ts.Node): ts.Node => {
      if (ts.isStringLiteral(node) && node.text.startsWith('.') && isSpecifier(node)) {
        const target = relative(dirname(file.fileName), join(SRC, compilation.resolve(file.fileName, node.text)));
        return factory.createStringLiteral(`${target.startsWith('.') ? '' : './'}${target}.js`, true);
      }
      if (ts.isCallExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === 'require') {
        const [name] = node.arguments;
        if (name === undefined || !ts.isStringLiteral(name)) throw new Error(`${file.fileName}: what is required is not to be computed`);
        const specifier = name.text === 'generic-pool' ? `./${relative(dirname(file.fileName), join(SRC, GENERIC_POOL))}` : name.text;
        const namespace = lazy.get(specifier) ?? factory.createUniqueName(name.text.replace(/\W+/g, '_'));
        lazy.set(specifier, namespace);
        return namespace;
      }
      return ts.visitEachChild(node, visit, context);
    };
    const visited = ts.visitEachChild(file, visit, context);
    const imports = [...lazy].map(([name, namespace]) =>
      factory.createImportDeclaration(undefined, factory.createImportClause(undefined, undefined, factory.createNamespaceImport(namespace)), factory.createStringLiteral(name, true)),
    );
    return factory.updateSourceFile(visited, [...imports, ...visited.statements]);
  };
}

/** Where generic-pool lies in the ESM build. */
const GENERIC_POOL = 'pool/generic-pool.js';

/**
 * generic-pool as a module. The package asks for `events` by `require`, which esbuild and Vite give to no module: what they make of it
 * would stop when it is loaded.
 */
async function genericPool(): Promise<string> {
  const notice = /^## License\s+(.*)/ms.exec(readFileSync(join(ROOT, 'node_modules/generic-pool/README.md'), 'utf8'))?.[1];
  if (notice === undefined) throw new Error('generic-pool has no notice');
  const { outputFiles } = await esbuild({
    absWorkingDir: ROOT,
    stdin: { contents: "export { createPool } from 'generic-pool'", resolveDir: ROOT },
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    // Otherwise it would show the paths of this machine.
    minify: true,
    banner: { js: `/*\ngeneric-pool\n\n${notice.trim().replaceAll('&lt;', '<').replaceAll('&gt;', '>')}\n*/\nimport { EventEmitter } from 'node:events';` },
    plugins: [
      {
        name: 'events',
        setup(build) {
          build.onResolve({ filter: /^events$/ }, ({ path }) => ({ path, namespace: 'events' }));
          build.onLoad({ filter: /.*/, namespace: 'events' }, () => ({ contents: 'module.exports = { EventEmitter };' }));
        },
      },
    ],
    write: false,
  });
  const [{ text } = { text: 'require(' }] = outputFiles;
  if (/\brequire\(/.test(text)) throw new Error('generic-pool requires more than events');
  return text;
}

function isSpecifier({ parent }: ts.StringLiteral): boolean {
  return ts.isImportDeclaration(parent) || ts.isExportDeclaration(parent) || (ts.isCallExpression(parent) && parent.expression.kind === ts.SyntaxKind.ImportKeyword);
}

/** Every entry point as CommonJS, by esbuild: it bundles them as modules, which are then rewritten. */
async function commonJs(entries: readonly string[], output: Output): Promise<void> {
  const folder = join(ROOT, 'dist');
  const { outputFiles } = await esbuild({
    absWorkingDir: ROOT,
    entryPoints: entries.map((name) => join(SRC, `${name}.ts`)),
    outbase: SRC,
    outdir: folder,
    chunkNames: 'shared/[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    sourcemap: 'linked',
    // Otherwise it is taken for a mistake: modules have no `require`.
    define: { require: LAZY },
    tsconfigRaw: '{}',
    write: false,
  });
  for (const { path, text } of outputFiles) output.set(relative(folder, path), path.endsWith('.js') ? withRequire(text) : text);
}

/** Stands for `require` where a package is loaded on first use. */
const LAZY = 'loadedOnFirstUse';

/**
 * A module of esbuild's as CommonJS, line by line, so that its source map holds. Imports become constants: there are no
 * circles, so all is there when it is asked for, and a constant costs nothing to read.
 */
function withRequire(text: string): string {
  return text
    .replace(/^import (?:(?:(\{[^}]*\})|\* as (\w+)) from )?("[^"]+");$/gm, (_, names?: string, namespace?: string, from?: string) => {
      const imported = names?.replaceAll(' as ', ': ') ?? namespace;
      return imported === undefined ? `require(${from});` : `const ${imported} = require(${from});`;
    })
    .replace(/^export \{([^}]*)\};$/gm, (_, names: string) => {
      const exports = names.replace(/(\w+)(?: as (\w+))?,?/g, (__, name: string, exported = name) => `exports.${exported} = ${name};`);
      return `Object.defineProperty(exports, '__esModule', { value: true });${exports}`;
    })
    // `var Server = class _Server`: a class goes by its own name.
    .replace(/^var (\w+) = class _\1\b[^]*?^\};$/gm, (whole, name: string) => whole.replace(new RegExp(`\\b_${name}\\b`, 'g'), name))
    .replace(/\bimport\(("\.[^"]+")\)/g, 'Promise.resolve().then(() => require($1))')
    .replace(new RegExp(`\\b${LAZY}\\(`, 'g'), 'require(')
    .replace(/^(#!.*\n)?/, '$1"use strict"; ')
    .replace(/^(?:import|export)\b.*/m, (line) => {
      throw new Error(`not foreseen: ${line}`);
    });
}

/** All of `dist`, by path. */
async function build(entries = entryPoints()): Promise<Output> {
  const compilation = new Compilation();
  // Without a `type`: bundlers tell modules by their syntax, and Nitro would take what says that it is one for a file that Node loads, and
  // leave out the CommonJS files, which Node does load.
  const dist: Output = new Map([['esm/package.json', '{ "sideEffects": false }\n']]);
  for (const [path, text] of compilation.emit({ before: [asModule(compilation)] })) {
    if (/\.d\.m?ts$/.test(path)) {
      // From TypeScript 6.0 on a program has the types of Node only where something names them: without them a Buffer is `any`, unseen.
      const types = entries.some((entry) => path === `${entry}.d.ts`) ? '/// <reference types="node" />\n' : '';
      // Types that the compiler infers name the buffer below an array, which TypeScript before 5.7 does not know.
      dist.set(path, types + text.replace(/\b(Buffer|\w+Array)<ArrayBuffer(?:Like)?>/g, '$1'));
    }
    // The rare module that stands before a CommonJS file, for a default export that Node would not see.
    else if (/\.mjs(\.map)?$/.test(path)) dist.set(path, text);
    else if (!path.startsWith('cli/')) dist.set(join('esm', path), path.endsWith('.map') ? oneDown(text) : text);
  }
  dist.set(join('esm', GENERIC_POOL), `${(await genericPool()).trimEnd()}\n//# sourceMappingURL=generic-pool.js.map\n`);
  // Nothing of it has a source here.
  dist.set(join('esm', `${GENERIC_POOL}.map`), JSON.stringify({ version: 3, sources: [], sourcesContent: [], names: [], mappings: '' }));
  await commonJs(entries, dist);
  return dist;
}

/** Writes it all, in place of what is there. */
async function buildInto(folder: string): Promise<void> {
  const files = await build();
  rmSync(folder, { recursive: true, force: true });
  for (const [path, text] of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

if (require.main === module) {
  buildInto(join(ROOT, 'dist')).catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  });
}
