/** `npm run reliability -- [--write-docs]`: runs the goals, and prints, or writes to docs/reliability.md, the table of what they report. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { machine, writePart } from '../../tools/page';
import { FOLDER, type Outcome } from './report';

const ROOT = join(__dirname, '..', '..');

function outcomes(): Outcome[] {
  return readdirSync(FOLDER)
    .map((name) => JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as Outcome)
    .sort((a, b) => a.goal.localeCompare(b.goal, 'en', { numeric: true }));
}

function table(lines: readonly Outcome[]): string {
  const rows = lines.map(
    ({ goal, claim, n, value, limit, pass }) => `| ${goal} | ${claim} | ${n.toLocaleString('en')} | ${value} | ${limit} | ${pass ? 'yes' : '**no**'} |`,
  );
  return `| goal | claim | cases | seen | limit | reached |\n|---|---|---:|---:|---:|---|\n${rows.join('\n')}`;
}

rmSync(FOLDER, { recursive: true, force: true });
const began = performance.now();
const { status } = spawnSync(process.execPath, [join(ROOT, 'node_modules', 'jest', 'bin', 'jest.js'), 'tests/reliability', '--testPathIgnorePatterns=/node_modules/', '--silent'], { cwd: ROOT, stdio: 'inherit' });
const minutes = ((performance.now() - began) / 60_000).toFixed(1);
const page = `${table(outcomes())}\n\n${minutes} minutes on ${machine()}`;
if (process.argv.includes('--write-docs')) void writePart('reliability.md', 'reliability --', page);
else console.log(page);
process.exitCode = status ?? 1;
