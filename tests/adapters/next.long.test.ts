import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import { memcachedBinary, startMemcached, type MemcachedProcess } from '../support/memcached';
import { UserProject } from '../support/packed';
import { urlOf } from './app-url';

class Signal {
  give: () => void = () => undefined;
  readonly given = new Promise<void>((resolve) => (this.give = resolve));
}

/** The fixture with the packed package and Next.js, which is too large to be a dependency; undefined where it cannot be fetched. */
function install(): UserProject | undefined {
  if (memcachedBinary() === undefined) return undefined;
  const project = new UserProject();
  cpSync(join(__dirname, 'next-app'), project.folder, { recursive: true });
  try {
    project.run('npm', 'install', '--no-audit', '--no-fund', '--no-package-lock', '--no-save', '--ignore-scripts', '--omit=dev', 'next@16', 'react@19', 'react-dom@19', project.tarball);
    // It is an optional dependency: npm goes on without it, and Next.js cannot.
    if (!readdirSync(join(project.folder, 'node_modules/@next')).some((name) => name.startsWith('swc-'))) throw new Error('its compiler is not there');
    return project;
  } catch (error) {
    console.warn(`Next.js could not be installed, so its test is skipped: ${String(error)}`);
    project.remove();
    return undefined;
  }
}

const project = install();

(project === undefined ? describe.skip : describe)('an app of Next.js, started twice with one memcached', () => {
  const folder = project?.folder ?? '';
  const program = join(folder, 'node_modules/next/dist/bin/next');
  let memcached: MemcachedProcess;
  let data: Server;
  let version = 0;
  /** Told of a question for the data, which is answered as it was then, once what is returned resolves. */
  let onAsked: () => Promise<unknown> = () => Promise.resolve();
  let env: NodeJS.ProcessEnv;
  let one: string;
  let two: string;
  const stops: (() => Promise<unknown>)[] = [];

  function start(cwd: string, ...args: readonly string[]): Promise<string> {
    const child = spawn(process.execPath, args, { cwd, env: { ...env, PORT: '0', HOSTNAME: '127.0.0.1' }, stdio: ['ignore', 'pipe', 'inherit'] });
    const exited = once(child, 'exit');
    stops.push(() => (child.kill('SIGKILL'), exited));
    return urlOf(child, (output) => output.includes('Ready'));
  }

  /** The app as a folder of its own, with no more than what the build has taken along. */
  function deployed(): string {
    const alone = mkdtempSync(join(tmpdir(), 'tsmemcache-next-'));
    stops.push(() => {
      rmSync(alone, { recursive: true, force: true });
      return Promise.resolve();
    });
    cpSync(join(folder, '.next/standalone'), alone, { recursive: true });
    return alone;
  }

  /** The answer, once all that Next.js does after it has been done. */
  const ask = async (server: string, path: string): Promise<string> => {
    const answer = await (await fetch(server + path)).text();
    expect(await (await fetch(`${server}/written`)).json()).toEqual({ done: true });
    return answer;
  };
  const read = async (server: string, page: string): Promise<string> => /<p>(?:fetched|cached|static) (?:<!-- -->)?(v\d+)/.exec(await ask(server, page))?.[1] ?? 'nothing';

  beforeAll(async () => {
    memcached = await startMemcached();
    data = createServer((_, response) => {
      const now = `v${++version}`;
      void onAsked().then(() => response.end(now));
    }).listen(0, '127.0.0.1');
    await once(data, 'listening');
    const { port } = data.address() as AddressInfo;
    env = { ...process.env, NODE_OPTIONS: '', NODE_ENV: 'production', NEXT_TELEMETRY_DISABLED: '1', SERVER: memcached.address, DATA: `http://127.0.0.1:${port}/` };
    await promisify(execFile)(process.execPath, [program, 'build'], { cwd: folder, env, timeout: 500_000 });
    one = await start(folder, program, 'start', '-p', '0', '-H', '127.0.0.1');
    two = await start(deployed(), 'server.js');
  });

  afterAll(async () => {
    for (const stop of stops.reverse()) await stop();
    data.closeAllConnections();
    data.close();
    await memcached.stop();
    project?.remove();
  });

  it('both serve the same, and a tag that one revalidates is made anew at the next request to the other', async () => {
    let before: string[] = [];
    for (let round = 0; round < 3; round++) {
      const now: string[] = [];
      for (const page of ['/', '/cached', '/static']) {
        const first = await read(one, page);
        expect(first).toMatch(/^v\d+$/);
        for (const server of [two, one, two]) expect([page, await read(server, page)]).toEqual([page, first]);
        now.push(first);
      }
      for (const [index, text] of now.entries()) expect(text).not.toBe(before[index]);
      before = now;
      expect(JSON.parse(await ask(two, '/revalidate'))).toEqual({ done: true });
    }
    expect(version).toBeLessThanOrEqual(12);
  });

  it('what is revalidated by one while the other makes it is made anew', async () => {
    for (const page of ['/', '/cached', '/static']) {
      await read(one, page);
      await ask(two, '/revalidate');
      const [asked, answer] = [new Signal(), new Signal()];
      onAsked = () => (asked.give(), answer.given);
      const making = read(one, page);
      await asked.given;
      const outdated = version;
      onAsked = () => Promise.resolve();
      await ask(two, '/revalidate');
      answer.give();
      await making;
      for (const server of [one, two]) expect([page, Number((await read(server, page)).slice(1))]).not.toEqual([page, outdated]);
    }
  });

  it('handlers fit the types of Next.js', () => {
    project?.write(
      'types.ts',
      `import type { CacheHandler } from 'next/dist/server/lib/cache-handlers/types';
       import type { CacheHandler as Incremental } from 'next/dist/server/lib/incremental-cache';
       import { Client } from 'tsmemcache';
       import { createCacheHandler } from 'tsmemcache/next';
       const handler = createCacheHandler(new Client());
       export const useCache: CacheHandler = handler;
       const incremental = new handler({ dev: false });
       export const parts: Pick<Incremental, 'revalidateTag' | 'resetRequestCache' | 'set'> = incremental;
       export const get: (...args: Parameters<Incremental['get']>) => Promise<unknown> = (key, context) => incremental.get(key, context);`,
    );
    project?.run(process.execPath, require.resolve('typescript/bin/tsc'), '--noEmit', '--strict', '--skipLibCheck', '--target', 'es2022', '--module', 'esnext', '--moduleResolution', 'bundler',
      '--typeRoots', join(__dirname, '../../node_modules/@types'), '--types', 'node', 'types.ts');
  });
});
