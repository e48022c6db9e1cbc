import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build as esbuild, type BuildOptions } from 'esbuild';
import { fetchPackages } from '../../tools/fetched';
import { MemcachedServer } from '../../src/server';
import { UserProject } from '../support/packed';

const run = promisify(execFile);
const bundlers = fetchPackages('rollup@4', 'rolldown@1', 'webpack@5', '@rollup/plugin-node-resolve@16', '@rollup/plugin-commonjs@29', '@rollup/plugin-terser@1', 'vite@8');

/** What is bundled: real calls, and errors by name. */
const CLIENT = `
  import { Client, MemcacheConnectError } from 'tsmemcache';

  export async function handler({ server, dead }) {
    const client = new Client(server);
    await client.set('k', { deep: [1, 2] });
    await client.setMany({ a: 1, b: 2n });
    const lost = new Client(dead);
    const error = await lost.get('k').catch((reason) => reason);
    const refused = await client.get('a b').catch((reason) => reason);
    const answer = [await client.get('k'), [...(await client.getMany(['a', 'b', 'c'])).values()].map(String), error.name, error.code, error instanceof MemcacheConnectError, refused.name, error.stack.split(':')[0]];
    await Promise.all([client.close(), lost.close()]);
    return answer;
  }
`;
const ANSWER = [{ deep: [1, 2] }, ['1', '2'], 'MemcacheConnectError', 'MEMCACHE_CONNECT', true, 'MemcacheIllegalInputError', 'MemcacheConnectError'];

/** The parts that CommonJS loads on first use: packages, TLS and hashes of node. */
const EVERYTHING = `
  import { CompressedSerde, HashClient, JsonSerde, KetamaHash, PooledClient } from 'tsmemcache';
  import { EmbeddedClient } from 'tsmemcache/embedded';
  import { MemcachedServer } from 'tsmemcache/server';

  export async function handler({ server, dead }) {
    const clients = [
      new PooledClient(server, { serde: new CompressedSerde(new JsonSerde()) }),
      new HashClient([server], { hasher: new KetamaHash() }),
      new EmbeddedClient(),
      new PooledClient('memcacheds://' + dead),
    ];
    const own = await MemcachedServer.start();
    clients.push(new HashClient([own.address], { usePooling: true }));
    const answers = await Promise.all(clients.map((client, i) => client.set('k' + i, 'v'.repeat(1000)).then(() => client.get('k' + i)).then((value) => value.length, (error) => error.name)));
    await Promise.all(clients.map((client) => client.close()));
    await own.close();
    return answers;
  }
`;
const INPUTS = ['client', 'everything'] as const;
const EVERY_ANSWER = [1000, 1000, 1000, 'MemcacheConnectError', 1000];

let project: UserProject;
let server: MemcachedServer;
/** Nobody listens there. */
let dead: string;

beforeAll(async () => {
  project = new UserProject();
  project.write('client.mjs', CLIENT);
  project.write('everything.mjs', EVERYTHING);
  server = await MemcachedServer.start();
  const gone = await MemcachedServer.start();
  dead = gone.address;
  await gone.close();
});

afterAll(async () => {
  await server.close();
  project.remove();
});

/** Runs a bundle where there is nothing beside it: no node_modules, no files. */
async function answerOf(bundle: string, format: 'mjs' | 'cjs'): Promise<unknown> {
  const alone = await mkdtemp(join(tmpdir(), 'tsmemcache-bundle-'));
  await mkdir(join(alone, 'bundle'));
  await writeFile(join(alone, 'bundle', `index.${format}`), readFileSync(bundle));
  const event = JSON.stringify({ server: server.address, dead });
  const load = format === 'mjs' ? "await import('./bundle/index.mjs')" : "require('./bundle/index.cjs')";
  await writeFile(join(alone, `run.${format}`), `(async () => { const { handler } = ${load}; console.log(JSON.stringify(await handler(${event}))); })();`);
  try {
    const { stdout } = await run(process.execPath, [join(alone, `run.${format}`)], { timeout: 120_000, env: { PATH: process.env['PATH'] } });
    return JSON.parse(stdout) as unknown;
  } finally {
    await rm(alone, { recursive: true });
  }
}

/** What one bundler makes of both programs, by name and format. */
type Bundles = (input: string, format: 'mjs' | 'cjs') => string;

/** Runs `program` as a module beside the bundlers, which come as modules. Its argument says what to bundle into which files. */
async function withBundlers(name: string, program: string, formats: readonly ('mjs' | 'cjs')[]): Promise<Bundles> {
  const output: Bundles = (input, format) => join(project.folder, `${input}-by-${name}.${format}`);
  const order = INPUTS.map((input) => ({ input: join(project.folder, `${input}.mjs`), outputs: formats.map((format) => ({ format, file: output(input, format) })) }));
  const file = join(bundlers.folder ?? '', `${name}-${process.pid}.mjs`);
  await writeFile(file, program);
  try {
    await run(process.execPath, [file, JSON.stringify(order)], { timeout: 300_000, env: { ...process.env, NODE_OPTIONS: '' } });
  } finally {
    await rm(file);
  }
  return output;
}

const ESBUILD: BuildOptions = { bundle: true, platform: 'node', target: 'node20', minify: true };

const ROLLUP = `
  import { rollup } from 'rollup';
  import { nodeResolve } from '@rollup/plugin-node-resolve';
  import commonjs from '@rollup/plugin-commonjs';
  import terser from '@rollup/plugin-terser';
  for (const { input, outputs } of JSON.parse(process.argv[2])) {
    const bundle = await rollup({ input, external: /^node:/, plugins: [nodeResolve({ preferBuiltins: true }), commonjs(), terser()], onwarn: ({ message }) => { throw new Error(message); } });
    for (const { format, file } of outputs) await bundle.write({ file, format: format === 'mjs' ? 'es' : 'cjs', inlineDynamicImports: true });
  }
`;

const ROLLDOWN = `
  import { rolldown } from 'rolldown';
  for (const { input, outputs: [{ file }] } of JSON.parse(process.argv[2])) {
    const bundle = await rolldown({ input, platform: 'node' });
    await bundle.write({ file, format: 'esm', minify: true });
  }
`;

const WEBPACK = `
  import webpack from 'webpack';
  import { basename, dirname } from 'node:path';
  for (const { input: entry, outputs: [{ file }] } of JSON.parse(process.argv[2])) {
    const output = { path: dirname(file), filename: basename(file), library: { type: 'commonjs2' } };
    const stats = await new Promise((resolve, reject) => webpack({ mode: 'production', target: 'node20', entry, output }, (error, result) => (error ? reject(error) : resolve(result))));
    if (stats.hasErrors() || stats.hasWarnings()) throw new Error(stats.toString());
  }
`;


const VITE = `
  import { build } from 'vite';
  import { basename, dirname } from 'node:path';
  for (const { input: entry, outputs: [{ file }] } of JSON.parse(process.argv[2])) {
    const lib = { entry, formats: ['es'], fileName: () => basename(file) };
    const rollupOptions = { external: [/^node:/] };
    await build({ configFile: false, root: dirname(entry), logLevel: 'error', build: { outDir: dirname(file), emptyOutDir: false, target: 'node20', lib, rollupOptions } });
  }
`;

interface Bundler {
  readonly name: string;
  readonly format: 'mjs' | 'cjs';
  /** Makes a bundle of the program with this name. @returns its file */
  readonly bundle: (input: string) => Promise<string>;
  /** How many bytes a program may take that uses `Client` alone. @default 92500 */
  readonly most?: number | undefined;
}

function withEsbuild(name: string, format: 'mjs' | 'cjs', options: BuildOptions = {}, most?: number): Bundler {
  const bundle = async (input: string): Promise<string> => {
    const outfile = join(project.folder, `${input}-by-${name.replaceAll(' ', '-')}.${format}`);
    await esbuild({ ...ESBUILD, entryPoints: [join(project.folder, `${input}.mjs`)], outfile, format: format === 'mjs' ? 'esm' : 'cjs', ...options });
    return outfile;
  };
  return { name, format, most, bundle };
}

const own: readonly Bundler[] = [
  withEsbuild('esbuild to modules', 'mjs'),
  withEsbuild('esbuild to CommonJS', 'cjs'),
  // As the tools for AWS Lambda do it: one file, a target without packages, maps beside it.
  withEsbuild('esbuild to one file for a Lambda', 'cjs', { sourcemap: true, mainFields: ['module', 'main'] }),
  // As Babel and SWC do it too: private fields are WeakMaps, and `**` is Math.pow.
  withEsbuild('esbuild to an old target', 'cjs', { target: 'es2015' }, 120_000),
];

/** One bundler to each of its formats. It runs once, when the first of them is asked for: to start it takes longest. */
function fetched(tool: string, program: string, formats: Readonly<Partial<Record<'mjs' | 'cjs', string>>>, most = 92_500): Bundler[] {
  const all = Object.entries(formats) as ['mjs' | 'cjs', string][];
  let made: Promise<Bundles> | undefined;
  const bundles = (): Promise<Bundles> => (made ??= withBundlers(tool, program, all.map(([format]) => format)));
  return all.map(([format, name]) => ({ name, format, most, bundle: async (input) => (await bundles())(input, format) }));
}

const others: readonly Bundler[] = [
  ...fetched('rollup', ROLLUP, { mjs: 'Rollup to modules', cjs: 'Rollup to CommonJS' }),
  ...fetched('rolldown', ROLLDOWN, { mjs: 'Rolldown to modules' }),
  ...fetched('webpack', WEBPACK, { cjs: 'webpack to CommonJS' }),
  // The library mode leaves whitespace in modules.
  ...fetched('vite', VITE, { mjs: "Vite's library mode" }, 120_000),
];

async function check({ format, bundle, most = 92_500 }: Bundler): Promise<void> {
  const client = await bundle('client');
  expect(await answerOf(client, format)).toEqual(ANSWER);
  expect(readFileSync(client).length).toBeLessThan(most);
  expect(await answerOf(await bundle('everything'), format)).toEqual(EVERY_ANSWER);
}

it.each(own)('a bundle by $name makes its calls and keeps the names of errors', check);

(bundlers.folder === undefined ? describe.skip : describe)(bundlers.reason ?? 'bundlers that were fetched', () => {
  it.each(others)('a bundle by $name makes its calls and keeps the names of errors', check);
});
