import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const FOLDER = join(__dirname, 'programs');

/** Runs a program that uses somebody else's framework, and gives what it prints as JSON. */
export async function runProgram<T>(name: string, server: string, env: Readonly<Record<string, string>> = {}): Promise<T> {
  const { stdout } = await promisify(execFile)(process.execPath, [join(FOLDER, name)], {
    timeout: 300_000,
    env: { ...process.env, ...env, NODE_OPTIONS: '', SERVER: server },
  });
  return JSON.parse(stdout) as T;
}

/** Runs tests for vitest; how many there were, and what failed. */
export async function runSpec(name: string, server: string, env: Readonly<Record<string, string>> = {}, folder = '.'): Promise<{ total: number; failed: string[] }> {
  interface Report {
    readonly numTotalTests: number;
    readonly testResults: readonly { readonly message: string; readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[] }[];
  }
  const vitest = resolve(__dirname, '../../node_modules/vitest/vitest.mjs');
  const { stdout } = await promisify(execFile)(process.execPath, [vitest, 'run', '--root', join(FOLDER, folder), '--reporter=json', name], {
    timeout: 300_000,
    env: { ...process.env, ...env, NODE_OPTIONS: '', SERVER: server, VITEST: '', JEST_WORKER_ID: '' },
    // It ends with 1 when a test has failed, which the report tells better.
  }).catch((error: unknown) => error as { stdout: string });
  const { numTotalTests, testResults } = JSON.parse(stdout) as Report;
  const failed = testResults.flatMap(({ message, assertionResults }) => [
    ...(message === '' ? [] : [message]),
    ...assertionResults.filter(({ status }) => status !== 'passed').map(({ fullName }) => fullName),
  ]);
  return { total: numTotalTests, failed };
}

/** A web server in a process of its own. */
export interface WebServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts a program that prints the port on which it serves. */
export async function startWebServer(name: string, server: string, env: Readonly<Record<string, string>> = {}): Promise<WebServer> {
  const child = spawn(process.execPath, [join(FOLDER, name)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env, NODE_OPTIONS: '', SERVER: server },
  });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  const exited = once(child, 'exit');
  const port = await new Promise<string>((found, failed) => {
    child.stdout.once('data', (line: Buffer) => found(line.toString().trim()));
    child.once('exit', (code) => failed(new Error(`${name} ended with ${code}`)));
  });
  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      process.removeListener('exit', kill);
      kill();
      await exited;
    },
  };
}

/** A browser's part: one user, who keeps cookies. */
export class Visitor {
  #cookie = '';

  constructor(cookie = '') {
    this.#cookie = cookie;
  }

  get cookie(): string {
    return this.#cookie;
  }

  async get(url: string): Promise<unknown> {
    const response = await fetch(url, { headers: { cookie: this.#cookie } });
    for (const cookie of response.headers.getSetCookie()) this.#cookie = cookie.split(';', 1)[0] ?? '';
    if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
    return ((await response.json()) as { is: unknown }).is;
  }
}
