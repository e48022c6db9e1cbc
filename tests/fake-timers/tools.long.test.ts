import { runProgram, runSpec } from '../adapters/program';

const FOLDER = '../../fake-timers/programs';

it('fake timers of vitest', async () => {
  const { total, failed } = await runSpec('vitest.spec.mjs', '', {}, FOLDER);
  expect(failed).toEqual([]);
  expect(total).toBeGreaterThan(100);
});

it.each(['sinon.mjs'])('%s', async (name) => {
  const { total, failed } = await runProgram<{ total: number; failed: string[] }>(`${FOLDER}/${name}`, '');
  expect(failed).toEqual([]);
  expect(total).toBeGreaterThan(60);
});
