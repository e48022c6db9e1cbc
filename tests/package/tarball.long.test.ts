import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');

/** What users of the package meet: the tarball, installed in an empty project. */
describe('the packed package', () => {
  const project = mkdtempSync(join(tmpdir(), 'tsmemcache-user-'));
  let tarball = '';

  const run = (command: string, ...args: string[]): string =>
    execFileSync(command, args, { cwd: project, encoding: 'utf8', stdio: 'pipe', env: { ...process.env, NODE_OPTIONS: '' } });

  beforeAll(() => {
    // Packed from a copy, so that tests that run meanwhile see no half-built dist.
    const copy = join(project, 'package');
    mkdirSync(copy);
    for (const name of ['src', 'package.json', 'tsconfig.json', 'tsconfig.build.json', 'README.md', 'LICENSE', 'CHANGELOG.md']) {
      cpSync(join(ROOT, name), join(copy, name), { recursive: true });
    }
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
    execFileSync(process.execPath, [require.resolve('typescript/bin/tsc'), '-p', 'tsconfig.build.json'], { cwd: copy });
    const [packed] = JSON.parse(
      execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', project], { cwd: copy, encoding: 'utf8' }),
    ) as [{ filename: string }];
    tarball = join(project, packed.filename);
    writeFileSync(join(project, 'package.json'), '{ "name": "user", "private": true }');
    // The dependencies come from here rather than from a registry.
    run('npm', 'install', '--no-audit', '--no-fund', '--offline', '--no-package-lock', '--ignore-scripts', '--omit=dev',
      tarball, ...['generic-pool', 'fflate'].map((name) => join(ROOT, 'node_modules', name)));
  }, 120_000);

  afterAll(() => {
    rmSync(project, { recursive: true, force: true });
  });

  it('holds what it should and nothing else', () => {
    const names = execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' }).trim().split('\n');
    for (const name of names) expect(name).toMatch(/^package\/(dist\/.*\.(js|d\.ts)|package\.json|README\.md|LICENSE|CHANGELOG\.md)$/);
    expect(names).toContain('package/dist/index.d.ts');
    expect(names).toContain('package/LICENSE');
  });

  const body = `
    await using server = await MemcachedServer.start();
    await using client = new Client(server.address);
    await client.set('key', { deep: [1, 2] });
    const value = await client.get('key');
    await using pooled = new PooledClient(server.address);
    await using cluster = new HashClient([server.address]);
    const embedded = new EmbeddedClient();
    await embedded.set('key', 'embedded');
    const refused = await client.get('a b').catch((error) => error instanceof MemcacheIllegalInputError);
    console.log(JSON.stringify([value, await pooled.get('key'), await cluster.get('key'), await embedded.get('key'), refused]));
  `;
  const expected = [{ deep: [1, 2] }, { deep: [1, 2] }, { deep: [1, 2] }, 'embedded', true];
  const names = 'Client, HashClient, MemcacheIllegalInputError, PooledClient';
  // Node 20 has no \`await using\` yet.
  const plain = body.replaceAll('await using', 'const').concat('await Promise.all([client, pooled, cluster].map((c) => c.close())); await server.close();');

  it('works for import', () => {
    writeFileSync(
      join(project, 'user.mjs'),
      `import { ${names} } from 'tsmemcache'; import { MemcachedServer } from 'tsmemcache/server'; import { EmbeddedClient } from 'tsmemcache/embedded'; ${plain}`,
    );
    expect(JSON.parse(run(process.execPath, 'user.mjs'))).toEqual(expected);
  });

  it('works for require', () => {
    writeFileSync(
      join(project, 'user.cjs'),
      `const { ${names} } = require('tsmemcache'); const { MemcachedServer } = require('tsmemcache/server'); const { EmbeddedClient } = require('tsmemcache/embedded'); (async () => { ${plain} })();`,
    );
    expect(JSON.parse(run(process.execPath, 'user.cjs'))).toEqual(expected);
  });

  it.each([
    ['node16', 'node16', 'user-types.mts'],
    ['node16', 'node16', 'user-types.cts'],
    ['esnext', 'bundler', 'user-types.ts'],
  ])('has types for module %s with resolution %s, in %s', (module, resolution, file) => {
    const imports = `import { ${names} } from 'tsmemcache'; import { MemcachedServer } from 'tsmemcache/server'; import { EmbeddedClient } from 'tsmemcache/embedded';`;
    writeFileSync(
      join(project, file),
      `${imports} export async function main(): Promise<void> { ${body} const text: string | undefined = await client.get<string>('k'); console.log(text);
        // @ts-expect-error -- there is no such option
        new Client('localhost', { tiemout: 1 }); }`,
    );
    const tsc = require.resolve('typescript/bin/tsc');
    run(process.execPath, tsc, '--noEmit', '--strict', '--target', 'es2022', '--lib', 'es2023,esnext.disposable', '--module', module,
      '--moduleResolution', resolution, '--typeRoots', join(ROOT, 'node_modules', '@types'), '--types', 'node', file);
  });

  it('has a program', () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    expect(run('npx', '--no-install', 'tsmemcache', '--version')).toBe(`tsmemcache ${version}\n`);
  });

  it('satisfies publint and are-the-types-wrong', () => {
    const bin = (name: string): string => join(ROOT, 'node_modules', '.bin', name);
    expect(run(bin('publint'), 'run', tarball, '--strict')).toMatch(/All good!/);
    expect(run(bin('attw'), tarball, '--no-emoji')).toMatch(/No problems found/);
  });

  it('installs two packages beside itself, and no more', () => {
    const installed = readdirSync(join(project, 'node_modules')).filter((name) => !name.startsWith('.'));
    expect(installed.sort()).toEqual(['fflate', 'generic-pool', 'tsmemcache']);
  });
});
