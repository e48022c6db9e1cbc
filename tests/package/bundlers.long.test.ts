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
const bundlers = fetchPackages('rollup@4', 'rolldown@1', 'webpack@5', '@rollup/plugin-node-resolve@16', '@rollup/plugin-commonjs@29', '@rollup/plugin-terser@1');

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
}, 120_000);

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
    const { stdout } = await run(process.execPath, [join(alone, `run.${format}`)], { timeout: 20_000, env: { PATH: process.env['PATH'] } });
    return JSON.parse(stdout) as unknown;
  } finally {
    await rm(alone, { recursive: true });
  }
}

/** Runs `program` as a module beside the bundlers, which come as modules. */
async function withBundlers(program: string, ...args: readonly string[]): Promise<void> {
  const file = join(bundlers.folder ?? '', `program-${process.pid}.mjs`);
  await writeFile(file, program);
  try {
    await run(process.execPath, [file, ...args], { timeout: 90_000, env: { ...process.env, NODE_OPTIONS: '' } });
  } finally {
    await rm(file);
  }
}

const ESBUILD: BuildOptions = { bundle: true, platform: 'node', target: 'node20', minify: true };

const ROLLUP = (format: string): string => `
  import { rollup } from 'rollup';
  import { nodeResolve } from '@rollup/plugin-node-resolve';
  import commonjs from '@rollup/plugin-commonjs';
  import terser from '@rollup/plugin-terser';
  const [input, file] = process.argv.slice(2);
  const bundle = await rollup({ input, external: /^(node:|events$)/, plugins: [nodeResolve({ preferBuiltins: true }), commonjs(), terser()], onwarn: ({ message }) => { throw new Error(message); } });
  await bundle.write({ file, format: '${format}', inlineDynamicImports: true });
`;

const ROLLDOWN = `
  import { rolldown } from 'rolldown';
  const [input, file] = process.argv.slice(2);
  const bundle = await rolldown({ input, platform: 'node' });
  await bundle.write({ file, format: 'esm', minify: true });
`;

const WEBPACK = `
  import webpack from 'webpack';
  import { basename, dirname } from 'node:path';
  const [entry, file] = process.argv.slice(2);
  const output = { path: dirname(file), filename: basename(file), library: { type: 'commonjs2' } };
  const stats = await new Promise((resolve, reject) => webpack({ mode: 'production', target: 'node20', entry, output }, (error, result) => (error ? reject(error) : resolve(result))));
  if (stats.hasErrors() || stats.hasWarnings()) throw new Error(stats.toString());
`;

/** esbuild gives a module no `require`, and generic-pool (CommonJS) asks for "events": docs/runtimes.md. */
const BANNER = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

interface Bundler {
  readonly name: string;
  readonly format: 'mjs' | 'cjs';
  readonly bundle: (input: string, output: string) => Promise<unknown>;
}

function toModule(input: string, outfile: string): Promise<unknown> {
  const pooled = input.endsWith('everything.mjs');
  return esbuild({ ...ESBUILD, entryPoints: [input], outfile, format: 'esm', ...(pooled && { banner: { js: BANNER } }) });
}

const own: readonly Bundler[] = [
  { name: 'esbuild to modules', format: 'mjs', bundle: toModule },
  { name: 'esbuild to CommonJS', format: 'cjs', bundle: (input, outfile) => esbuild({ ...ESBUILD, entryPoints: [input], outfile, format: 'cjs' }) },
  // As the tools for AWS Lambda do it: one file, a target without packages, maps beside it.
  { name: 'esbuild to one file for a Lambda', format: 'cjs', bundle: (input, outfile) => esbuild({ ...ESBUILD, entryPoints: [input], outfile, format: 'cjs', sourcemap: true, mainFields: ['module', 'main'] }) },
];
const others: readonly Bundler[] = [
  { name: 'Rollup to modules', format: 'mjs', bundle: (input, output) => withBundlers(ROLLUP('es'), input, output) },
  { name: 'Rollup to CommonJS', format: 'cjs', bundle: (input, output) => withBundlers(ROLLUP('cjs'), input, output) },
  { name: 'Rolldown to modules', format: 'mjs', bundle: (input, output) => withBundlers(ROLLDOWN, input, output) },
  { name: 'webpack to CommonJS', format: 'cjs', bundle: (input, output) => withBundlers(WEBPACK, input, output) },
];

async function check({ name, format, bundle }: Bundler): Promise<void> {
  const output = join(project.folder, `${name.replaceAll(' ', '-')}.${format}`);
  await bundle(join(project.folder, 'client.mjs'), output);
  expect(await answerOf(output, format)).toEqual(ANSWER);
  expect(readFileSync(output).length).toBeLessThan(92_000);
  await bundle(join(project.folder, 'everything.mjs'), output);
  expect(await answerOf(output, format)).toEqual(EVERY_ANSWER);
}

it.each(own)('a bundle by $name makes its calls and keeps the names of errors', check, 60_000);

(bundlers.folder === undefined ? describe.skip : describe)(bundlers.reason ?? 'bundlers that were fetched', () => {
  it.each(others)('a bundle by $name makes its calls and keeps the names of errors', check, 120_000);
});
