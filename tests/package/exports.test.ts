import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { entryPoints } from '../../tools/build';

const ROOT = resolve(__dirname, '../..');

interface Conditions {
  /** Where Node's own modules get a default export. */
  readonly import?: Conditions;
  readonly types: string;
  readonly module: string;
  readonly default: string;
}

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  readonly exports: Readonly<Record<string, Conditions | string>>;
  readonly typesVersions: { readonly '*': Readonly<Record<string, readonly string[]>> };
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional: boolean }>>;
  readonly dependencies: Readonly<Record<string, string>>;
};
const entries = Object.entries(manifest.exports).filter((entry): entry is [string, Conditions] => typeof entry[1] !== 'string');

it.each(entries)('%s has types, modules for bundlers and CommonJS, all of one file of src', (name, conditions) => {
  const file = /^\.\/dist\/(.*)\.js$/.exec(conditions.default)?.[1] ?? '';
  expect(existsSync(join(ROOT, 'src', `${file}.ts`))).toBe(true);
  expect(entryPoints()).toContain(file);
  const { import: forNode, ...others } = conditions;
  if (forNode !== undefined) {
    expect(Object.keys(conditions)[0]).toBe('import');
    expect(Object.entries(forNode)).toEqual([
      ['types', `./dist/${file}.d.mts`],
      ['module', `./dist/esm/${file}.js`],
      ['default', `./dist/${file}.mjs`],
    ]);
  }
  // Bundlers take the first condition they know, so the order is part of it.
  expect(Object.entries(others)).toEqual([
    ['types', `./dist/${file}.d.ts`],
    ['module', `./dist/esm/${file}.js`],
    ['default', `./dist/${file}.js`],
  ]);
  if (name !== '.') expect(manifest.typesVersions['*'][name.slice(2)]).toEqual([conditions.types]);
});

it('the older resolution of types knows no other entry points', () => {
  expect(Object.keys(manifest.typesVersions['*']).sort()).toEqual(entries.map(([name]) => name.slice(2)).filter((name) => name !== '').sort());
});

it('a peer is optional, and nothing names a page that does not exist', () => {
  expect(Object.keys(manifest.peerDependenciesMeta ?? {}).sort()).toEqual(Object.keys(manifest.peerDependencies ?? {}).sort());
  for (const { optional } of Object.values(manifest.peerDependenciesMeta ?? {})) expect(optional).toBe(true);
  expect(Object.keys(manifest)).not.toEqual(expect.arrayContaining(['homepage']));
});

it('a program that has a framework of any version can have the package: with a range npm refuses to install it, adapter or not', () => {
  expect(new Set(Object.values(manifest.peerDependencies ?? {}))).toEqual(new Set(['*']));
});

it('documentation and examples name no entry point that is not there', () => {
  const folders = ['docs', 'examples'].flatMap((folder) => readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)));
  const files = [...readdirSync(ROOT), ...folders].filter((name) => name.endsWith('.md') || (name.startsWith('examples') && /\.[cm]?[jt]s$/.test(name)));
  const text = files.map((name) => readFileSync(join(ROOT, name), 'utf8')).join('\n');
  const names = new Set([...text.matchAll(/(?:from |require\()'tsmemcache\/([^']+)'/g)].map(([, name = '']) => `./${name}`));
  expect(names.size).toBeGreaterThan(1);
  for (const name of names) expect(Object.keys(manifest.exports)).toContain(name);
});
