import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Client, RetryingClient } from '../../src';
import { toPrometheus } from '../../src/telemetry/prometheus';
import { startMemcached } from '../support/memcached';
import { samplesOf, type Line } from './exposition';

interface Dashboard {
  readonly panels: readonly { readonly title: string; readonly targets: readonly { readonly expr: string }[] }[];
}

const dashboard = JSON.parse(readFileSync(resolve(__dirname, '../../docs/grafana-dashboard.json'), 'utf8')) as Dashboard;
const queries = dashboard.panels.flatMap(({ title, targets }) => targets.map(({ expr }): [string, string] => [title, expr]));
const hasPromtool = spawnSync('promtool', ['--version']).error === undefined;

/** The text of clients that have seen hits, misses, errors, retries and ignored errors. */
async function exampleText(): Promise<string> {
  const server = await startMemcached();
  const client = new RetryingClient(new Client(server.address, { ignoreErrors: true, connectTimeout: 200 }), { attempts: 2 });
  await client.set('a', 1);
  await client.getMany(['a', 'b']);
  await client.incr('none');
  await server.stop();
  await client.get('a');
  const text = toPrometheus([client]);
  await client.close();
  return text;
}

let text: string;
beforeAll(async () => {
  text = await exampleText();
});

/** Asks Prometheus' own engine: the series of the text, growing by their value each minute, and what the query makes of them. */
function evaluate(query: string, lines: readonly Line[]): string {
  const series = lines.map(({ name, labels, value }) => {
    const list = Object.entries(labels).map(([label, shown]) => `${label}="${shown}"`).join(',');
    return `      - series: '${name}{${list}}'\n        values: '${value}+${value}x20'`;
  });
  const expr = query.replace(/\$__rate_interval/g, '5m').replace(/\$server/g, '.*');
  const folder = mkdtempSync(join(tmpdir(), 'dashboard-'));
  const file = join(folder, 'test.yml');
  // An empty expectation fails when there is a result, and the result is told.
  writeFileSync(
    file,
    `tests:\n  - interval: 1m\n    input_series:\n${series.join('\n')}\n    promql_expr_test:\n      - expr: ${JSON.stringify(expr)}\n        eval_time: 15m\n        exp_samples: []\n`,
  );
  const { stdout, stderr } = spawnSync('promtool', ['test', 'rules', file], { encoding: 'utf8' });
  rmSync(folder, { recursive: true });
  return stdout + stderr;
}

it('has a query in each panel', () => {
  expect(dashboard.panels.length).toBeGreaterThan(8);
  for (const { targets } of dashboard.panels) expect(targets.length).toBeGreaterThan(0);
});

it.each(queries)('%s: %s is about metrics and labels that there are', (_, query) => {
  const lines = samplesOf(text);
  const selectors = [...query.matchAll(/\b(tsmemcache_\w+)\{([^}]*)\}/g)];
  expect(selectors.length).toBeGreaterThan(0);
  for (const [, name, list = ''] of selectors) {
    const labels = [...list.matchAll(/(\w+)=/g)].map(([, label = '']) => label);
    const found = lines.filter((line) => line.name === name);
    expect([name, found.length > 0]).toEqual([name, true]);
    for (const label of labels) expect(found[0]?.labels).toHaveProperty(label);
  }
});

(hasPromtool ? it.each(queries) : it.skip.each(queries))('%s: %s has a result', (_, query) => {
  const verdict = evaluate(query, samplesOf(text));
  const [, got = ''] = /got:\s*\[?(.*)/.exec(verdict) ?? [];
  expect(verdict).toContain('FAILED');
  expect(verdict).not.toMatch(/parse error|unexpected/);
  expect(got).toMatch(/\d/);
  expect(got).not.toMatch(/NaN/);
});
