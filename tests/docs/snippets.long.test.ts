import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { buildSync } from 'esbuild';
import * as ts from 'typescript';
import * as everything from '../../src';
import { MemcachedServer } from '../../src/server';

const ROOT = resolve(__dirname, '../..');
const pages = ['README.md', ...readdirSync(join(ROOT, 'docs')).filter((name) => name.endsWith('.md') && name !== 'api.md').map((name) => join('docs', name))];

interface Snippet {
  readonly name: string;
  readonly code: string;
  readonly runs: boolean;
}

const snippets = pages.flatMap((page) =>
  [...readFileSync(join(ROOT, page), 'utf8').matchAll(/^```ts([^\n]*)\n(.*?)^```/gms)].map(
    ([, info = '', code = ''], index): Snippet => ({ name: `${page} ${index + 1}`, code, runs: !info.includes('no-run') }),
  ),
);

/** The three lines of each row of the table "Plug it in", with what the page says is there. */
const plugIns = [...(/^## Plug it in$(.*?)^## /ms.exec(readFileSync(join(ROOT, 'README.md'), 'utf8'))?.[1] ?? '').matchAll(/^\| (.*?) \| (`.*`) \|$/gm)].map(([, into = '', cell = '']): Snippet => {
  const lines = [...cell.matchAll(/`([^`]*)`/g)].map(([, line = '']) => line);
  const given = ["import express from 'express';", ...(cell.includes('{ Client }') ? [] : ["import { Client } from 'tsmemcache';"])];
  const code = [...given, ...lines.slice(0, 2), "const client = new Client('localhost:11211'); const app = express(); const secret = 'a secret'; void [app, secret];", ...lines.slice(2), 'await client.close();'];
  return { name: `README.md plugged into ${into}`, code: lines.length === 3 ? code.join('\n') : 'not three lines', runs: true };
});
snippets.push(...plugIns);

/** Below the root, so that packages are found as in any other file. */
const folder = join(ROOT, '.snippets');

function fileOf({ name }: Snippet): string {
  return join(folder, `${name.replace(/\W+/g, '-')}.ts`);
}

/** Snippets await at their top, and export, as modules do. */
function asProgram({ code }: Snippet): string {
  const imports = code.match(/^import [^;]*;$/gm) ?? [];
  const rest = imports.reduce((text, line) => text.replace(line, ''), code).replace(/^export default /gm, 'void ');
  return `${imports.join('\n')}\nasync function main(): Promise<void> {${rest}}\nvoid main();\n`;
}

describe('every snippet of the documentation', () => {
  let servers: MemcachedServer[];

  beforeAll(async () => {
    servers = [await MemcachedServer.start(), await MemcachedServer.start()];
    mkdirSync(folder, { recursive: true });
    for (const snippet of snippets) {
      const program = asProgram(snippet).replace(/localhost:1121([12])/g, (_, digit) => servers[Number(digit) - 1]?.address ?? '');
      writeFileSync(fileOf(snippet), program);
    }
    // All at once, and the package in each: so node starts them far sooner than tsx does.
    buildSync({ entryPoints: snippets.map(fileOf), outdir: folder, outExtension: { '.js': '.cjs' }, bundle: true, packages: 'external', platform: 'node', target: 'node20', logLevel: 'error' });
  });

  afterAll(async () => {
    rmSync(folder, { recursive: true });
    await Promise.all(servers.map((server) => server.close()));
  });

  it('exists', () => {
    expect(snippets.length).toBeGreaterThan(10);
    expect(plugIns).toHaveLength(5);
  });

  it('has the right types', () => {
    const { options } = ts.parseJsonConfigFileContent(ts.readConfigFile(join(ROOT, 'tsconfig.json'), (path) => ts.sys.readFile(path)).config, ts.sys, ROOT);
    const program = ts.createProgram(snippets.map(fileOf), { ...options, noUnusedLocals: false });
    const problems = ts.getPreEmitDiagnostics(program).map((diagnostic) => {
      const text = ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n');
      return `${diagnostic.file?.fileName ?? ''}: ${text}`;
    });
    expect(problems).toEqual([]);
  });

  it.each(snippets.filter(({ runs }) => runs))('runs: $name', async (snippet) => {
    const run = promisify(execFile);
    await run(process.execPath, [fileOf(snippet).replace(/\.ts$/, '.cjs')], { cwd: ROOT, timeout: 120_000, env: { ...process.env, NODE_OPTIONS: '' } });
  });
});

describe('the tables of the README', () => {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const optionsPage = readFileSync(join(ROOT, 'docs/options.md'), 'utf8');

  function propertiesOf(file: string, name: string): string[] {
    const source = ts.createSourceFile(file, readFileSync(join(ROOT, file), 'utf8'), ts.ScriptTarget.Latest);
    const declared = source.statements.filter(ts.isInterfaceDeclaration).find((statement) => statement.name.text === name);
    return (declared?.members ?? []).map((member) => (member.name !== undefined && ts.isIdentifier(member.name) ? member.name.text : ''));
  }

  it.each([
    ['src/client/client-options.ts', 'ClientOptions'],
    ['src/client/client-options.ts', 'ConnectionOptions'],
    ['src/pool/connection-pool.ts', 'PoolOptions'],
    ['src/hash/hash-client.ts', 'HashClientOptions'],
  ])('name every option of %s %s', (file, name) => {
    const options = propertiesOf(file, name);
    expect(options.length).toBeGreaterThan(0);
    for (const option of options) expect(optionsPage).toContain(`\`${option}\``);
  });

  it('name every error with its code', () => {
    const classes = Object.entries(everything).filter(([name]) => /^Memcache\w*Error$/.test(name));
    expect(classes.length).toBeGreaterThan(10);
    const codes = readFileSync(join(ROOT, 'src/errors/index.ts'), 'utf8');
    for (const [name] of classes) {
      const code = new RegExp(`class ${name} [^}]*?code(?:: [^=]*)? = '(\\w+)'`, 's').exec(codes)?.[1];
      expect(readme).toMatch(new RegExp(`\`${name}\` \\| \`${code ?? '?'}\``));
    }
  });

  it('name every public method of Client', () => {
    const methods = Object.getOwnPropertyNames(everything.Client.prototype).filter((name) => !['constructor', 'options'].includes(name));
    for (const method of methods) expect(readme).toMatch(new RegExp(`\`${method}\\b`));
  });
});
