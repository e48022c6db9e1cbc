import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const EXAMPLES = resolve(__dirname, '../examples');
const run = promisify(execFile);

/** Examples end by themselves; one that fails, or leaves something open, does not. */
async function output(file: string): Promise<string> {
  const { stdout } = await run(process.execPath, ['--import', 'tsx', join(EXAMPLES, file)], {
    cwd: join(EXAMPLES, '..'),
    env: { ...process.env, NODE_OPTIONS: '', NO_COLOR: '1' },
    timeout: 120_000,
  });
  return stdout;
}

it.each(readdirSync(EXAMPLES).filter((name) => name.endsWith('.ts')))('examples/%s runs', async (file) => {
  expect(await output(file)).not.toBe('');
});

it('what the examples claim is so', async () => {
  expect(await output('cache-aside.ts')).toContain('with vivify they ask 1 time\nwithout a server: the row with id 1\nwith vivify too:  the row with id 3\n');
  expect(await output('sharded-cache.ts')).toMatch(/one is gone: [12]\d\d of 300.*\nits keys have moved: 300 of 300/);
  expect(await output('retry.ts')).toContain('get, retrying:     30 succeeded\n');
  expect(await output('migration.ts')).toContain('old 99, new 60');
  expect(await output('custom-command.ts')).toBe('text: 12\nnothing: undefined\n');
});

it('npm start shows its passes, without bars or colours where it is not a terminal', async () => {
  const text = await output('start/main.ts');
  for (const what of ['one by one', '128 calls outstanding', 'getMany of 100 keys']) expect(text).toMatch(new RegExp(`^  ${what} +[\\d,]+ gets/s   p50 \\d`, 'm'));
  expect(text).toMatch(/200 callers at once +1 load {3}for all, after \d+ ms/);
  expect(text).toMatch(/the server killed.* failed {3}each in \d+ ms; up in \d+ ms/);
  expect(text).toMatch(/\nEvery value was what was stored\.\n$/);
  expect(text).not.toMatch(/\x1b|\r|%/);
});

it.each([
  ['slow-server', /time-outs begin\n {2}server 1: failing, .* p99 [1-9]\d+\.\d ms, .*MEMCACHE_TIMEOUT [1-4]\n {2}calls that waited for it: 4\n/],
  ['dead-server', /server \d: failing, .*MEMCACHE_CONNECT \d+[^]*ignored: (?:\d{2,} and 0|0 and \d{2,})[^]*server \d: dead, .* failed [1-9]/],
  ['wrong-credentials', /connects 0, failed [1-5], ended 0, errors: MEMCACHE_AUTHENTICATION 5\n[^]* connects 5, failed 0, ended 5, errors: MEMCACHE_AUTHENTICATION 5\n/],
  ['full-cache', /hits [1-4]\d %, .*errors: none\n[^]*memcached_items_evicted_total\{.*\} [1-9]\d\d/],
  ['hot-key', /server \d: healthy, 2[789]\d calls, .*read 2\d{5} bytes/],
  ['connection-storm', /server 1: healthy, 50 calls, .* connects 1,[^]*connections made: 50; ended: 50;[^]*rejected_connections: [1-9]/],
  ['too-many-calls', /errors: MEMCACHE_OVERLOADED 500\n {2}calls that waited: 1000\n[^]*3000 calls, .*errors: MEMCACHE_OVERLOADED 500\n$/],
])('examples/incidents/%s.ts shows its symptom', async (name, symptom) => {
  expect(await output(join('incidents', `${name}.ts`))).toMatch(symptom);
});
