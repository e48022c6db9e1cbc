import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Cost } from '../../compare/speed/costs/cost';
import { barCharts } from '../../compare/speed/bars';
import { barsOf } from '../../compare/speed/charts';
import { overOneServer } from '../../compare/speed/clients';
import type { Measurement } from '../../compare/speed/order';
import { Results } from '../../compare/speed/results';
import { rows } from '../../compare/speed/rows';
import { boundText, judge, targets } from '../../compare/speed/targets';
import { describeWithMemcached } from '../support/describe';

const ROOT = resolve(__dirname, '../..');
const run = promisify(execFile);
describe('targets', () => {
  const measurement = (cpu: number): Measurement => ({ calls: 1, cpu, rate: 1, p50: 1, p99: 1 });

  it('name rows and contestants that there are', () => {
    for (const { row: name, client, against } of targets) {
      const row = rows.find((entry) => entry.name === name);
      const names = row?.contestants.map((contestant) => contestant.name);
      expect(names).toContain(client);
      if (typeof against === 'object') expect(names).toContain(against.client);
      if (against === 'best peer') expect(row?.contestants.some(({ role }) => role === 'peer')).toBe(true);
    }
  });

  it('are judged by the medians of one run', () => {
    const results = new Results();
    for (const cpu of [90, 2, 1]) results.add('get-100-128', 'tsmemcache', measurement(cpu));
    results.add('get-100-128', 'raw+promise', measurement(1));
    results.add('get-100-128', 'memjs', measurement(40));
    results.add('get-100-128', 'memcache', measurement(20));
    results.add('servers-16-get-128', 'tsmemcache', measurement(1));
    const ran = rows.filter(({ name }) => ['get-100-128', 'servers-16-get-128'].includes(name));
    const verdicts = judge(results, ran).map(({ target, measured, reached }) => [boundText(target), measured, reached]);
    expect(verdicts).toEqual([
      ['≤ 1.45 × raw+promise', 2, false],
      ['best peer ≥ 6.9 ×', 10, true],
      ['≤ 1.25 × Client', undefined, false],
      ['p99 ≤ 0.6 ms', 1, false],
      ['p99 ≤ 1.5 × raw+promise', 1, true],
    ]);
  });

  it('are bars with a dot for each round', () => {
    const results = new Results();
    for (const cpu of [3, 1, 2]) results.add('get-100-128', 'tsmemcache', measurement(cpu));
    const bars = barsOf(results, rows.filter(({ name }) => name === 'get-100-128'), 'cpu');
    expect(bars.map(({ name }) => name)).not.toContain('raw');
    expect(bars[0]).toMatchObject({ name: 'tsmemcache', median: 2, rounds: [3, 1, 2] });
    expect(bars[1]).toMatchObject({ median: undefined, rounds: [] });
    const { data } = barCharts(bars.slice(0, 2), { title: 'CPU', columns: 1, width: 200, step: 14, colors: { ours: '#2b6cb0' } });
    const drawn = (data as { values: { name: string; median: number | null; round: number | null }[] }).values;
    expect(drawn.map(({ name, median, round }) => [name, median, round])).toEqual([
      ['tsmemcache', 2, 3],
      ['tsmemcache', null, 1],
      ['tsmemcache', null, 2],
      ['memcached', null, null],
    ]);
  });
});

/** Short runs over the sources: whether the figures come out, not what they are. */
describeWithMemcached('the benchmark', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tsmemcache-bench-'));
  const build = ['--build', join(ROOT, 'src')];

  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  async function output(script: string, ...args: string[]): Promise<string> {
    const { stdout } = await run(process.execPath, ['--import', 'tsx', join(ROOT, 'compare', 'speed', `${script}.ts`), ...args, ...build], {
      cwd: ROOT,
      env: { ...process.env, NODE_OPTIONS: '', NO_COLOR: '1' },
      timeout: 300_000,
    });
    return stdout;
  }

  const read = (file: string): unknown => JSON.parse(readFileSync(file, 'utf8'));

  it('measures a row', async () => {
    const file = join(folder, 'bench.json');
    const text = await output('rates', '--only', 'get-100-16', '--clients', 'tsmemcache,raw+promise', '--rounds', '1', '--milliseconds', '50', '--json', file);
    expect(text).toMatch(/get 100 B, 16 outstanding/);
    expect(text).toMatch(/≤ 1\.4 × raw\+promise/);
    const results = read(file) as Record<string, Record<string, Measurement[]>>;
    for (const client of ['tsmemcache', 'raw+promise']) {
      const [measurement] = results['get-100-16']?.[client] ?? [];
      expect(measurement?.calls).toBeGreaterThan(10);
      expect(measurement?.cpu).toBeGreaterThan(0);
      expect(measurement?.p99).toBeGreaterThanOrEqual(measurement?.p50 ?? Infinity);
    }
  });

  it('knows every contestant of every row', () => {
    expect(rows.find(({ name }) => name === 'get-100-16')?.contestants).toBe(overOneServer);
    for (const { contestants } of rows) expect(new Set(contestants.map(({ name }) => name)).size).toBe(contestants.length);
    expect(new Set(rows.map(({ name }) => name)).size).toBe(rows.length);
  });

  it('measures costs', async () => {
    const file = join(folder, 'costs.json');
    await output('costs', '--quick', '--only', 'memory,garbage', '--json', file);
    const { costs, tree } = read(file) as { costs: Cost[]; tree: string };
    const valueOf = (name: RegExp): number => costs.find((cost) => name.test(cost.name))?.value ?? NaN;
    expect(valueOf(/queued call/)).toBeGreaterThan(50);
    expect(valueOf(/open connection/)).toBeGreaterThan(valueOf(/idle client/));
    expect(valueOf(/garbage .* tsmemcache/)).toBeGreaterThan(100);
    expect(tree).toContain('fflate');
    expect(tree).not.toContain(ROOT);
  });

  it('profiles a row', async () => {
    const text = await output('profile', 'get-100-128', '--milliseconds', '100', '--out', folder);
    expect(text).toMatch(/src\/client\/\w+/);
    const { nodes } = read(join(folder, 'get-100-128.cpuprofile')) as { nodes: unknown[] };
    expect(nodes.length).toBeGreaterThan(20);
  });
});
