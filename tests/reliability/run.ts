/** `npm run reliability`: runs the goals, and writes the table of docs/reliability.md from what they report. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FOLDER, type Outcome } from './report';

const ROOT = join(__dirname, '..', '..');
const PAGE = join(ROOT, 'docs', 'reliability.md');

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
const { status } = spawnSync(process.execPath, [join(ROOT, 'node_modules', 'jest', 'bin', 'jest.js'), 'tests/reliability', '--silent'], { cwd: ROOT, stdio: 'inherit' });
const minutes = ((performance.now() - began) / 60_000).toFixed(1);
const marked = `<!-- written by npm run reliability -->\n\n${table(outcomes())}\n\nNode ${process.version}, ${minutes} minutes on this machine.\n\n<!-- end -->`;
writeFileSync(PAGE, readFileSync(PAGE, 'utf8').replace(/<!-- written by npm run reliability -->.*?<!-- end -->/s, () => marked));
process.exitCode = status ?? 1;
