import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fetchPackages } from '../../tools/fetched';
import { memcachedBinary, startMemcached, type MemcachedProcess } from '../support/memcached';
import { UserProject } from '../support/packed';
import { urlOf } from './app-url';

const nitro = memcachedBinary() === undefined ? { reason: 'there is no memcached' } : fetchPackages('nitropack@2');

/** Nitro (and so Nuxt) builds a folder that holds what it takes of each package, and nothing else is there when it runs. */
(nitro.folder === undefined ? describe.skip : describe)(nitro.reason ?? 'an app of Nitro, built and started twice with one memcached', () => {
  let project: UserProject;
  let memcached: MemcachedProcess;
  const stops: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    project = new UserProject();
    memcached = await startMemcached();
    cpSync(join(__dirname, 'nitro-app'), project.folder, { recursive: true });
    const program = join(nitro.folder ?? '', 'node_modules/nitropack/dist/cli/index.mjs');
    await promisify(execFile)(process.execPath, [program, 'build'], { cwd: project.folder, env: { ...process.env, NODE_OPTIONS: '', NODE_ENV: 'production' }, timeout: 100_000 });
  }, 240_000);

  afterAll(async () => {
    await Promise.all(stops.map((stop) => stop()));
    await memcached.stop();
    project.remove();
  });

  function start(): Promise<string> {
    const env = { ...process.env, NODE_OPTIONS: '', NODE_ENV: 'production', SERVER: memcached.address, PORT: '0', HOST: '127.0.0.1' };
    const child = spawn(process.execPath, [join(project.folder, '.output/server/index.mjs')], { cwd: project.folder, env, stdio: ['ignore', 'pipe', 'inherit'] });
    const exited = once(child, 'exit');
    stops.push(() => (child.kill('SIGKILL'), exited));
    return urlOf(child);
  }

  it('keeps what it caches for both', async () => {
    const [one, two] = [await start(), await start()];
    const read = async (url: string): Promise<unknown> => (await fetch(url)).json();
    const made = await read(`${one}/cached`);
    expect([await read(`${two}/cached`), await read(`${one}/cached`)]).toEqual([made, made]);
    expect([await read(`${one}/kept`), await read(`${two}/kept`), await read(`${one}/kept`)]).toEqual([{ count: 1 }, { count: 2 }, { count: 3 }]);
  }, 30_000);
});
