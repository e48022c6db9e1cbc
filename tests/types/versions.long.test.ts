import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { fetchPackages, type Fetched } from '../../tools/fetched';
import { UserProject } from '../support/packed';
import { CompiledProgram } from '../support/program';
import type { Found } from './declarations-child';

const run = promisify(execFile);
const ROOT = resolve(__dirname, '../..');

/** Each with types of Node that it understands. The first is the oldest that README promises. */
const COMPILERS: readonly (readonly [typescript: string, node: string, resolutions: readonly string[]])[] = [
  ['5.0', '20.14', ['node10', 'node16', 'bundler']],
  ['5.2', '20.17', ['node16', 'bundler']],
  ['5.4', '20.19', ['node16', 'bundler']],
  ['5.6', '20.19', ['node16', 'bundler']],
  ['5.8', '22', ['node16', 'bundler']],
  ['5.9', '24', ['node16', 'bundler']],
  ['6.0', '26', ['node16', 'bundler']],
  ['7.0', '26', ['node16', 'bundler']],
];
const MODULES: Readonly<Record<string, string>> = { node10: 'commonjs', node16: 'node16', bundler: 'esnext' };

const { exports: entries, peerDependencies: peers = {} } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  exports: Readonly<Record<string, unknown>>;
  peerDependencies?: Readonly<Record<string, string>>;
};

/** The peers whose types the declarations name. */
function peersInTypes(folder: string): string[] {
  const declarations = readdirSync(join(folder, 'dist'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.d.ts'));
  const text = declarations.map((name) => readFileSync(join(folder, 'dist', name), 'utf8')).join('');
  return Object.keys(peers).filter((name) => text.includes(`'${name}'`));
}

let project: UserProject;
let checker: CompiledProgram;

beforeAll(() => {
  project = new UserProject();
  checker = new CompiledProgram(join(__dirname, 'declarations-child.ts'));
  mkdirSync(join(project.folder, 'user'));
  for (const name of peersInTypes(project.installed)) {
    const target = join(project.folder, 'node_modules', name);
    mkdirSync(dirname(target), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules', name), target);
  }
  // What this version of the compiler is asked, all are asked, of the package as it is published.
  for (const name of readdirSync(__dirname).filter((file) => file.endsWith('.types.ts'))) {
    const text = readFileSync(join(__dirname, name), 'utf8').replaceAll(/'\.\.\/\.\.\/src(\/\w[\w-]*)?'/g, "'tsmemcache$1'");
    writeFileSync(join(project.folder, 'user', name), text);
  }
  const imports = Object.entries(entries)
    .filter(([, conditions]) => typeof conditions !== 'string')
    .map(([name]) => `export * as entry${name.replace(/\W/g, '_')} from 'tsmemcache${name.slice(1)}';`);
  expect(imports.length).toBeGreaterThan(2);
  writeFileSync(join(project.folder, 'user', 'everything.ts'), imports.join('\n'));
});

afterAll(() => {
  checker[Symbol.dispose]();
  project.remove();
});

/** What the compiler in this folder finds wrong in our files. */
async function problemsOf(compiler: string, options: readonly string[], files: readonly string[]): Promise<readonly string[]> {
  const { stdout } = await run(process.execPath, [checker.file, compiler, ...options, ...files], { cwd: project.folder, timeout: 300_000 });
  const { checked, problems } = JSON.parse(stdout) as Found;
  expect(checked).toBeGreaterThan(files.length + 20);
  return problems;
}

/** The same of a compiler that has only a command, which checks all files. */
async function printedProblems(compiler: string, options: readonly string[], files: readonly string[]): Promise<readonly string[]> {
  const output = await run(process.execPath, [join(compiler, 'bin', 'tsc'), ...options, ...files], { cwd: project.folder, timeout: 300_000 }).then(
    ({ stdout }) => stdout,
    (error: unknown) => String((error as { stdout?: string }).stdout),
  );
  // What is wrong in the declarations of a peer is not ours to mend.
  return output.split('\n').filter((line) => /^(user|node_modules\/tsmemcache)\/|^error/.test(line));
}

describe.each(COMPILERS)('TypeScript %s with the types of Node %s', (typescript, node, resolutions) => {
  const fetched: Fetched = fetchPackages(`typescript@${typescript}`, `@types/node@${node}`);

  (fetched.folder === undefined ? it.skip : it)(`finds no error in any declaration${fetched.reason === undefined ? '' : ` (${fetched.reason})`}`, async () => {
    const modules = join(fetched.folder ?? '', 'node_modules');
    const { version } = JSON.parse(readFileSync(join(modules, 'typescript', 'package.json'), 'utf8')) as { version: string };
    expect(version).toMatch(new RegExp(`^${typescript.replace('.', '\\.')}\\.`));
    const files = readdirSync(join(project.folder, 'user')).map((name) => join('user', name));
    for (const resolution of resolutions) {
      // Without `types`, which from 6.0 on is empty: the declarations name the types of Node that they need.
      const options = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--skipLibCheck', 'false', '--target', 'es2022', '--lib', 'es2022',
        '--module', MODULES[resolution] ?? '', '--moduleResolution', resolution, '--typeRoots', join(modules, '@types')];
      // Since 7 there is only a command.
      const problems = Number.parseInt(version) < 7 ? await problemsOf(join(modules, 'typescript'), options, files) : await printedProblems(join(modules, 'typescript'), options, files);
      expect(problems).toEqual([]);
    }
  });
});
