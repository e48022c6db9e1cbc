/**
 * `npm run runtimes [-- --write-docs] [NAME …]`: the same cases in every run-time, fetched as packages outside the lock
 * file. `--write-docs` writes the table of docs/runtimes.md.
 */
import { spawn } from 'node:child_process';
import { copyFileSync, existsSync } from 'node:fs';
import { arch, platform } from 'node:os';
import { join, resolve } from 'node:path';
import { fetchPackages } from '../../tools/fetched';
import { markdownTable, writePart } from '../../tools/page';
import { MemcachedServer } from '../../src/server';
import { UserProject } from '../support/packed';

const FIXTURES = resolve(__dirname, '../server/fixtures');
const MACHINE = `${platform()}-${arch()}`;

/** A run-time, and how it is told to run a module. */
export interface RunTime {
  readonly name: string;
  /** The package that holds its binary, and where it lies in there. */
  readonly package: string;
  readonly binary: string;
  readonly args: readonly string[];
}

function node(version: string): RunTime {
  return { name: `Node ${version}`, package: `node-${MACHINE}@${version}`, binary: `node-${MACHINE}/bin/node`, args: [] };
}

function bun(version: string): RunTime {
  const name = `@oven/bun-${MACHINE.replace('arm64', 'aarch64')}`;
  return { name: `Bun ${version}`, package: `${name}@${version}`, binary: `${name}/bin/bun`, args: ['run'] };
}

function deno(version: string): RunTime {
  const name = `@deno/${platform() === 'linux' ? `${MACHINE}-glibc` : MACHINE}`;
  return { name: `Deno ${version}`, package: `${name}@${version}`, binary: `${name}/deno`, args: ['run', '--allow-all', '--no-lock'] };
}

/** The oldest that is promised of each, and what is current. */
export const RUN_TIMES: readonly RunTime[] = [
  node('20'), node('22'), node('24'), node('26'),
  bun('1.2'), bun('1.3'), bun('1.4'),
  deno('2.8'), deno('2.9'),
];

export interface CaseResult {
  readonly name: string;
  readonly passed: boolean;
  readonly remark?: string;
}

/** What one run-time made of the cases, or why it could not be asked. */
export type Outcome = { readonly version: string; readonly results: readonly CaseResult[] } | { readonly reason: string };

/** The project in which the cases run, and the server that they talk to beside those they start themselves. */
export class Site {
  readonly #project = new UserProject();
  readonly #server: MemcachedServer;

  private constructor(server: MemcachedServer) {
    this.#server = server;
    copyFileSync(join(__dirname, 'cases.mjs'), join(this.#project.folder, 'cases.mjs'));
  }

  static async open(): Promise<Site> {
    return new Site(await MemcachedServer.start());
  }

  async close(): Promise<void> {
    this.#project.remove();
    await this.#server.close();
  }

  /** @param memcached - a real one, if there is one */
  async run(runTime: RunTime, memcached = this.#server.address): Promise<Outcome> {
    const { folder, reason = '' } = fetchPackages(runTime.package);
    if (folder === undefined) return { reason };
    const binary = join(folder, 'node_modules', runTime.binary);
    if (!existsSync(binary)) return { reason: `${runTime.package} holds no ${runTime.binary}` };
    const site = { certificate: join(FIXTURES, 'certificate.pem'), key: join(FIXTURES, 'key.pem'), memcached };
    const { stdout: version } = await output(binary, ['--version'], this.#project.folder);
    const { stdout, stderr, code } = await output(binary, [...runTime.args, 'cases.mjs', JSON.stringify(site)], this.#project.folder);
    const results = stdout.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as CaseResult);
    if (code !== 0) results.push({ name: 'the process ends by itself', passed: false, remark: `${code ?? 'it was killed'}: ${stderr.slice(-600)}` });
    return { version: /\d+\.\d+\.\d+/.exec(version)?.[0] ?? '?', results };
  }
}

function output(binary: string, args: readonly string[], cwd: string): Promise<{ stdout: string; stderr: string; code: number | null }> {
  return new Promise((done, failed) => {
    const child = spawn(binary, args, { cwd, timeout: 300_000, killSignal: 'SIGKILL', env: { PATH: process.env['PATH'], HOME: cwd, DENO_NO_UPDATE_CHECK: '1', NO_COLOR: '1' } });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', failed).on('close', (code) => { done({ stdout, stderr, code }); });
  });
}

async function main(): Promise<void> {
  const wanted = process.argv.slice(2).filter((arg) => !arg.startsWith('--'));
  const lines: string[][] = [];
  const site = await Site.open();
  try {
    for (const runTime of RUN_TIMES.filter(({ name }) => wanted.length === 0 || wanted.some((part) => name.toLowerCase().includes(part.toLowerCase())))) {
      const outcome = await site.run(runTime);
      if ('reason' in outcome) {
        console.log(`${runTime.name}: skipped: ${outcome.reason}`);
        continue;
      }
      const { version, results } = outcome;
      const failed = results.filter(({ passed }) => !passed);
      const refused = results.filter(({ passed, remark }) => passed && remark !== undefined).map(({ name, remark }) => `${name}: ${remark ?? ''}`);
      const name = `${runTime.name.split(' ')[0] ?? ''} ${version}`;
      lines.push([name, `${results.length - failed.length - refused.length} of ${results.length}`, [...refused, ...failed.map((result) => `${result.name} fails`)].join('; ')]);
      console.log(lines.at(-1)?.join(' | '));
      for (const { name: what, remark } of failed) console.log(`  ${what}\n    ${remark ?? ''}`);
      if (failed.length > 0) process.exitCode = 1;
    }
  } finally {
    await site.close();
  }
  if (process.argv.includes('--write-docs')) await writePart('runtimes.md', 'runtimes --', markdownTable(['run-time', 'cases that pass', 'what cannot work there'], lines));
}

if (require.main === module) void main();
