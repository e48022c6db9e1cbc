import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { linesOfPart } from '../../tools/page';
import { PLANTED_DEFECTS } from '../reliability/planted-defects';

/** The table of docs/reliability.md, which `npm run reliability -- --write-docs` writes: it is not written at each change. */
const rows = (): Promise<string[][]> => linesOfPart('reliability.md', 'reliability --');

it('docs/reliability.md has a row for each goal of tests/reliability, and all are reached', async () => {
  const goals = readdirSync(join(__dirname, '../reliability')).flatMap((file) => /^g\d\d/.exec(file)?.[0].toUpperCase() ?? []);
  const written = (await rows()).slice(1);
  for (const goal of goals) expect(written.map(([name = '']) => name.split('-')[0])).toContain(goal);
  for (const row of written) expect(row.at(-1)).toBe('yes');
});

it('docs/reliability.md says how many defects are planted', async () => {
  const [row] = (await rows()).filter(([goal]) => goal === 'G09');
  expect(row?.[2]).toBe(String(PLANTED_DEFECTS.length));
});
