import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { preProcessFile } from 'typescript';

const SRC = resolve(__dirname, '../../src');

/** Which folders of `src` each folder may import, beside itself and `runtime`. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  runtime: [],
  errors: [],
  options: ['errors'],
  protocol: ['errors', 'options'],
  serde: ['errors', 'options', 'protocol'],
  client: ['errors', 'options', 'protocol', 'serde'],
  pool: ['errors', 'options', 'protocol', 'serde', 'client'],
  hash: ['errors', 'options', 'protocol', 'serde', 'client', 'pool'],
  server: ['errors', 'options', 'protocol'],
  embedded: ['errors', 'options', 'protocol', 'serde', 'client', 'server'],
  cli: ['errors', 'options', 'protocol', 'serde', 'client', 'pool', 'hash', 'server', 'embedded'],
  'index.ts': ['errors', 'options', 'protocol', 'serde', 'client', 'pool', 'hash'],
};

/** The packages that a folder may import; nothing else is a dependency. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = { pool: ['generic-pool'], serde: ['fflate'] };

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));

function layerOf(file: string): string {
  return file.split(sep)[0] ?? '';
}

/** What a file of `src` imports: other files of `src`, and everything else. */
function importsOf(file: string, text = readFileSync(join(SRC, file), 'utf8')): { files: string[]; modules: string[] } {
  const names = preProcessFile(text).importedFiles.map(({ fileName }) => fileName);
  const local = names.filter((name) => name.startsWith('.'));
  return {
    files: local.map((name) => {
      const path = relative(SRC, resolve(SRC, dirname(file), name.replace(/\.js$/, '')));
      return files.includes(`${path}.ts`) ? `${path}.ts` : join(path, 'index.ts');
    }),
    modules: names.filter((name) => !name.startsWith('.')),
  };
}

/** Imports of types alone leave nothing behind, so they make no circle. */
function runtimeImportsOf(file: string): string[] {
  return importsOf(file, readFileSync(join(SRC, file), 'utf8').replace(/^(import|export) type [^;]*;/gms, '')).files;
}

it.each(files)('%s imports only what its layer may', (file) => {
  const layer = layerOf(file);
  const allowed = LAYERS[layer];
  expect(allowed).toBeDefined();
  const { files: imported, modules } = importsOf(file);
  for (const other of imported) {
    expect(files).toContain(other);
    expect([layer, 'runtime', ...(allowed ?? [])]).toContain(layerOf(other));
  }
  const packages = modules.filter((name) => !builtinModules.includes(name.replace(/^node:/, '')));
  for (const name of packages) expect(PACKAGES[layer] ?? []).toContain(name);
});

it('files do not import each other in a circle', () => {
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) throw new Error(`a circle: ${[...path, file].join(' → ')}`);
    if (done.has(file)) return;
    for (const other of runtimeImportsOf(file)) visit(other, [...path, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
});

describe('what is loaded', () => {
  /** The files of `src`, and the packages, that are loaded along with `entry`. */
  function loadedWith(entry: string): string[] {
    const program = `
      require('tsx/cjs');
      require(${JSON.stringify(join(SRC, entry))});
      process.stdout.write(JSON.stringify(Object.keys(require.cache)));
    `;
    const output = execFileSync(process.execPath, ['-e', program], { cwd: join(SRC, '..'), encoding: 'utf8' });
    const paths = JSON.parse(output) as string[];
    return paths.filter((path) => !path.includes(`${sep}tsx${sep}`)).map((path) => relative(join(SRC, '..'), path));
  }

  it('a client loads no server', () => {
    const loaded = loadedWith('index.ts');
    expect(loaded).toContain(join('src', 'client', 'client.ts'));
    expect(loaded.filter((path) => /^src.(server|embedded|cli)\W/.test(path))).toEqual([]);
  });

  it('a server loads no client and no package', () => {
    const loaded = loadedWith(join('server', 'index.ts'));
    expect(loaded).toContain(join('src', 'server', 'memcached', 'server.ts'));
    expect(loaded.filter((path) => /^src.(client|serde|pool|hash|embedded|cli)\W/.test(path))).toEqual([]);
    expect(loaded.filter((path) => /node_modules.(generic-pool|fflate)/.test(path))).toEqual([]);
  });
});
