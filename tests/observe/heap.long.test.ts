import { join } from 'node:path';
import { runAlone } from '../support/program';
import type { HeardReport } from './alone/heard-calls';

it('a million heard calls leave the heap as it was', async () => {
  const { calls, heard, more } = await runAlone<HeardReport>(join(__dirname, 'alone', 'heard-calls.ts'), { calls: 1_000_000 });
  expect(heard).toBe(calls * 4);
  expect(more).toBeLessThan(512 * 1024);
});
