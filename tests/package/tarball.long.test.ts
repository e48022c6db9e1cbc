import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { allInUserProject, type UserProject } from '../support/packed';

const ROOT = resolve(__dirname, '../..');

/** What users of the package meet: the tarball, installed in an empty project. */
describe('the packed package', () => {
  let project: UserProject;

  allInUserProject((made) => {
    project = made;
  });

  it('holds what it should and nothing else', () => {
    const names = execFileSync('tar', ['-tzf', project.tarball], { encoding: 'utf8' }).trim().split('\n');
    for (const name of names) {
      expect(name).toMatch(/^package\/(dist\/.*\.(m?js|m?js\.map|d\.m?ts)|dist\/esm\/package\.json|docs\/.*\.(md|svg|json)|docs\/prometheus-alerts\.yml|examples\/.*\.ts|(README|CHANGELOG|CONTRIBUTING|SECURITY)\.md|package\.json|LICENSE)$/);
    }
    expect(names).toContain('package/dist/index.d.ts');
    expect(names).toContain('package/LICENSE');
  });

  it('every link of its README leads somewhere in it', () => {
    const text = readFileSync(join(project.installed, 'README.md'), 'utf8').replace(/```.*?```/gs, '');
    const targets = [...text.matchAll(/(?:\]\(|(?:src|srcset|href)=")([^)"\s#]+)/g)].map(([, target = '']) => target).filter((target) => !/^(?:https?|mailto):/.test(target));
    expect(targets.length).toBeGreaterThan(5);
    for (const target of targets) expect([target, existsSync(join(project.installed, target))]).toEqual([target, true]);
  });

  it('its examples are whole: they import the package, each other, and nothing else that is not there', () => {
    const folder = join(project.installed, 'examples');
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
    expect(files.length).toBeGreaterThan(10);
    for (const file of files) {
      const text = readFileSync(join(folder, file), 'utf8');
      const imported = [...text.matchAll(/ from '(\.[^']*)'/g)].map(([, name = '']) => resolve(folder, dirname(file), `${name}.ts`));
      for (const path of imported) expect([file, path, existsSync(path)]).toEqual([file, path, true]);
      // What is copied into a project of modules runs there. These two run in a clone alone.
      if (!/^(?:run\.ts$|start\b)/.test(file)) expect([file, /\brequire\b[.(]|__dirname|__filename/.test(text)]).toEqual([file, false]);
    }
  });

  it('source maps lead to the sources, which they hold', () => {
    const files = readdirSync(join(project.installed, 'dist'), { recursive: true, encoding: 'utf8' });
    const maps = files.filter((name) => name.endsWith('.js.map'));
    expect(maps.map((name) => name.slice(0, -'.map'.length)).sort()).toEqual(files.filter((name) => name.endsWith('.js')).sort());
    for (const name of maps) {
      const { sources, sourcesContent } = JSON.parse(readFileSync(join(project.installed, 'dist', name), 'utf8')) as { sources: string[]; sourcesContent: (string | null)[] };
      expect(sourcesContent.length).toBe(sources.length);
      for (const source of sources) expect(resolve(project.installed, 'dist', dirname(name), source)).toMatch(/tsmemcache\/src\/[\w/-]+\.ts$/);
    }
    project.write('stack.cjs', "const { Client } = require('tsmemcache'); try { new Client(5); } catch (error) { console.log(error.stack); }");
    expect(project.run(process.execPath, '--enable-source-maps', 'stack.cjs')).toMatch(/src\/client\/server-address\.ts:\d+/);
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
    project.write(
      'user.mjs',
      `import { ${names} } from 'tsmemcache'; import { MemcachedServer } from 'tsmemcache/server'; import { EmbeddedClient } from 'tsmemcache/embedded'; ${plain}`,
    );
    expect(JSON.parse(project.run(process.execPath, 'user.mjs'))).toEqual(expected);
  });

  it('works for require', () => {
    project.write(
      'user.cjs',
      `const { ${names} } = require('tsmemcache'); const { MemcachedServer } = require('tsmemcache/server'); const { EmbeddedClient } = require('tsmemcache/embedded'); (async () => { ${plain} })();`,
    );
    expect(JSON.parse(project.run(process.execPath, 'user.cjs'))).toEqual(expected);
  });

  it.each([
    ['node16', 'node16', 'user-types.mts'],
    ['node16', 'node16', 'user-types.cts'],
    ['esnext', 'bundler', 'user-types.ts'],
  ])('has types for module %s with resolution %s, in %s', (module, resolution, file) => {
    const imports = `import { ${names} } from 'tsmemcache'; import { MemcachedServer } from 'tsmemcache/server'; import { EmbeddedClient } from 'tsmemcache/embedded';`;
    project.write(
      file,
      `${imports} export async function main(): Promise<void> { ${body} const text: string | undefined = await client.get<string>('k'); console.log(text);
        // @ts-expect-error -- there is no such option
        new Client('localhost', { tiemout: 1 }); }`,
    );
    const tsc = require.resolve('typescript/bin/tsc');
    project.run(process.execPath, tsc, '--noEmit', '--strict', '--target', 'es2022', '--lib', 'es2023,esnext.disposable', '--module', module,
      '--moduleResolution', resolution, '--typeRoots', join(ROOT, 'node_modules', '@types'), '--types', 'node', file);
  });

  it('has a program', () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    expect(project.run('npx', '--no-install', 'tsmemcache', '--version')).toBe(`tsmemcache ${version}\n`);
  });

  it('satisfies publint and are-the-types-wrong', () => {
    const bin = (name: string): string => join(ROOT, 'node_modules', '.bin', name);
    expect(project.run(bin('publint'), 'run', project.tarball, '--strict')).toMatch(/All good!/);
    expect(project.run(bin('attw'), project.tarball, '--no-emoji')).toMatch(/No problems found/);
  });

  it.each(['1.0.0', '99.0.0-canary.1'])('npm installs it beside version %s of each of the frameworks that it has adapters for', (version) => {
    const { peerDependencies = {} } = JSON.parse(readFileSync(join(project.installed, 'package.json'), 'utf8')) as { peerDependencies?: object };
    const folder = join(project.folder, `beside-${version}`);
    const peers = Object.keys(peerDependencies).map((name) => {
      const peer = join(folder, 'peers', name);
      mkdirSync(peer, { recursive: true });
      writeFileSync(join(peer, 'package.json'), JSON.stringify({ name, version }));
      return peer;
    });
    expect(peers.length).toBeGreaterThan(4);
    writeFileSync(join(folder, 'package.json'), '{ "name": "user", "private": true }');
    const install = (...packages: string[]): Buffer =>
      execFileSync('npm', ['install', '--no-audit', '--no-fund', '--offline', '--ignore-scripts', ...packages], { cwd: folder, stdio: 'pipe', timeout: 300_000 });
    install(...peers);
    // It would end with ERESOLVE.
    install(project.tarball, ...project.dependencies.map((name) => join(ROOT, 'node_modules', name)));
    expect(readdirSync(join(folder, 'node_modules'))).toContain('tsmemcache');
  });

  it('installs its dependencies beside itself, and no more', () => {
    const installed = readdirSync(join(project.folder, 'node_modules')).filter((name) => !name.startsWith('.'));
    expect(installed.sort()).toEqual([...project.dependencies, 'tsmemcache'].sort());
  });
});
