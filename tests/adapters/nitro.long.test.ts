import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, symlinkSync } from 'node:fs';
import { get } from 'node:http';
import { basename, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { fetchPackages } from '../../tools/fetched';
import { memcachedBinary, startMemcached, type MemcachedProcess } from '../support/memcached';
import { UserProject } from '../support/packed';
import { urlOf } from './app-url';

const versions = [
  ['Nitro 2', 'nitro-app', 'nitropack', '2'],
  ['Nitro 3, with unstorage 2', 'nitro-3-app', 'nitro', '3.0.260903-beta'],
].map(([name = '', app = '', wanted = '', version = '']) => {
  const { folder, reason = `an app of ${name}, built and started twice with one memcached` } = memcachedBinary() === undefined ? { reason: 'there is no memcached' } : fetchPackages(`${wanted}@${version}`);
  return { skipped: folder === undefined, title: reason, app, nitro: join(folder ?? '', 'node_modules', wanted) };
});

/** What an app answers; the name of the host is part of what Nitro 3 takes for the same request. */
async function read(url: string): Promise<unknown> {
  const response = await new Promise<NodeJS.ReadableStream>((resolve, reject) => { get(url, { headers: { host: 'app.test' } }, resolve).on('error', reject); });
  return JSON.parse(await text(response)) as unknown;
}

/** Nitro (and so Nuxt) builds a folder that holds what it takes of each package, and nothing else is there when it runs. */
function describeApp({ app, nitro }: (typeof versions)[number]): void {
  let project: UserProject;
  let memcached: MemcachedProcess;
  const stops: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    project = new UserProject();
    memcached = await startMemcached();
    cpSync(join(__dirname, app), project.folder, { recursive: true });
    symlinkSync(nitro, join(project.folder, 'node_modules', basename(nitro)));
    await promisify(execFile)(process.execPath, [join(nitro, 'dist/cli/index.mjs'), 'build'], { cwd: project.folder, env: { ...process.env, NODE_OPTIONS: '', NODE_ENV: 'production' }, timeout: 300_000 });
  });

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
    const made = await read(`${one}/cached`);
    expect([await read(`${two}/cached`), await read(`${one}/cached`)]).toEqual([made, made]);
    expect([await read(`${one}/kept`), await read(`${two}/kept`), await read(`${one}/kept`)]).toEqual([{ count: 1 }, { count: 2 }, { count: 3 }]);
  });
}

for (const version of versions) {
  (version.skipped ? describe.skip : describe)(version.title, () => { describeApp(version); });
}
