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
    timeout: 25_000,
  });
  return stdout;
}

it.each(readdirSync(EXAMPLES).filter((name) => name.endsWith('.ts')))('examples/%s runs', async (file) => {
  expect(await output(file)).not.toBe('');
});

it('what the examples claim is so', async () => {
  expect(await output('cache-aside.ts')).toContain('with vivify they ask 1 time\nwithout a server: the row with id 1');
  expect(await output('sharded-cache.ts')).toMatch(/one is gone: [12]\d\d of 300.*\nits keys have moved: 300 of 300/);
  expect(await output('retry.ts')).toContain('get, retrying:     30 succeeded\n');
  expect(await output('migration.ts')).toContain('old 99, new 60');
});

it('the main job reads back every file as it was stored', async () => {
  const text = await output('start/main.ts');
  expect(text).toMatch(/Caching \d{3,} files/);
  expect(text).toMatch(/100\.0 %/);
  expect(text).toMatch(/Every value came back as it was stored/);
});
