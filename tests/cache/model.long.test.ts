import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Schedules in all, half of them in each of two processes, and the minutes that they may take. */
const RUNS = 100_000;
const MINUTES = 15;

it('random schedules, a hundred thousand of them', async () => {
  const runs = [1, 2].map(async (seed) => {
    const script = join(__dirname, 'support', 'model-run.ts');
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', script, String(seed), String(RUNS / 2), String(MINUTES)]);
    return JSON.parse(stdout) as { lived: number; failed: boolean };
  });
  const results = await Promise.all(runs);
  for (const result of results) expect(result).toMatchObject({ failed: false });
  // A slow machine lives through fewer in its time, and says so.
  const lived = results.reduce((sum, result) => sum + result.lived, 0);
  if (lived < RUNS) console.warn(`${lived} schedules of ${RUNS} within ${MINUTES} minutes`);
}, (MINUTES + 1) * 60_000);
