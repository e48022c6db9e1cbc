import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Client } from '../../src';
import { toPrometheus } from '../../src/telemetry/prometheus';
import { freePort } from '../support/memcached';
import { samplesOf } from './exposition';

const DOCS = resolve(__dirname, '../../docs');
const FILE = join(DOCS, 'prometheus-alerts.yml');
const rules = readFileSync(FILE, 'utf8');
const alerts = [...rules.matchAll(/alert: (\w+)/g)].map(([, name = '']) => name);
const hasPromtool = spawnSync('promtool', ['--version']).error === undefined;

/** The series of a healthy server, by the minute, for a day and an hour: `start+step x count`. */
const CALM: Readonly<Record<string, string>> = {
  'tsmemcache_server_up{server="s"}': '1+0x1500',
  'tsmemcache_calls_total{server="s",command="get"}': '0+6000x1500',
  'tsmemcache_outcomes_total{server="s",outcome="hit"}': '0+5400x1500',
  'tsmemcache_outcomes_total{server="s",outcome="miss"}': '0+594x1500',
  'tsmemcache_lookups_total{server="s",outcome="hit"}': '0+5400x1500',
  'tsmemcache_lookups_total{server="s",outcome="miss"}': '0+600x1500',
  'tsmemcache_errors_total{server="s",code="MEMCACHE_TIMEOUT"}': '0+6x1500',
  'tsmemcache_ignored_errors_total{server="s"}': '0+0x1500',
  'tsmemcache_connects_total{server="s"}': '1+1x1500',
  'tsmemcache_connect_failures_total{server="s"}': '0+1x1500',
  'tsmemcache_operation_duration_seconds_bucket{server="s",le="0.001"}': '0+5990x1500',
  'tsmemcache_operation_duration_seconds_bucket{server="s",le="1"}': '0+6000x1500',
  'tsmemcache_operation_duration_seconds_bucket{server="s",le="+Inf"}': '0+6000x1500',
};

/** What differs in the last hour when an alert must fire. */
const TROUBLE: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  MemcachedServerDown: { 'tsmemcache_server_up{server="s"}': '1+0x1440 0+0x60' },
  MemcachedCallsFail: { 'tsmemcache_errors_total{server="s",code="MEMCACHE_TIMEOUT"}': '0+6x1440 8700+120x60' },
  MemcachedErrorsIgnored: { 'tsmemcache_ignored_errors_total{server="s"}': '0+0x1440 1+1x60' },
  MemcachedCredentialsRefused: { 'tsmemcache_errors_total{server="s",code="MEMCACHE_AUTHENTICATION"}': '0+0x1440 1+1x60' },
  MemcachedTooManyCalls: { 'tsmemcache_errors_total{server="s",code="MEMCACHE_OVERLOADED"}': '0+0x1440 1+1x60' },
  MemcachedSlow: { 'tsmemcache_operation_duration_seconds_bucket{server="s",le="0.001"}': '0+5990x1440 8625600+3000x60' },
  MemcachedHitRateFell: {
    'tsmemcache_lookups_total{server="s",outcome="hit"}': '0+5400x1440 7776000+2700x60',
    'tsmemcache_lookups_total{server="s",outcome="miss"}': '0+600x1440 864000+3300x60',
  },
  MemcachedReconnects: { 'tsmemcache_connects_total{server="s"}': '1+1x1440 1500+600x60' },
};

/** What a server without calls tells for 25 hours, beside what differs. */
const IDLE: Readonly<Record<string, string>> = {
  'tsmemcache_server_up{server="s"}': '1+0x1500',
  'tsmemcache_calls_total{server="s",command="get"}': '5000+0x1500',
  'tsmemcache_outcomes_total{server="s",outcome="hit"}': '5000+0x1500',
  'tsmemcache_errors_total{server="s",code="MEMCACHE_TIMEOUT"}': '0+0x1500',
  'tsmemcache_connects_total{server="s"}': '1+0x1500',
  'tsmemcache_connect_failures_total{server="s"}': '0+0x1500',
};

/** What may look like trouble, or like more of it, and the alerts that it is worth. */
const EDGES: readonly (readonly [name: string, series: Readonly<Record<string, string>>, alerts: readonly string[]])[] = [
  ['no calls at all', IDLE, []],
  ['an idle connection that is replaced every minute', { ...IDLE, 'tsmemcache_connects_total{server="s"}': '1+1x1500' }, []],
  [
    'a dead server of a cluster, whose keys have moved and which is probed',
    { ...IDLE, 'tsmemcache_server_up{server="s"}': '0+0x1500', 'tsmemcache_connect_failures_total{server="s"}': '5+60x1500' },
    ['MemcachedServerDown'],
  ],
  [
    // A series that begins has no rate: seen by their commands, two errors are all that has happened in the last ten minutes.
    'two of 200 000 calls that fail, where each command is used once',
    {
      ...IDLE,
      'tsmemcache_calls_total{server="s",command="set"}': '_x1482 100000+0x18',
      'tsmemcache_calls_total{server="s",command="delete"}': '_x1486 100000+0x14',
      'tsmemcache_outcomes_total{server="s",outcome="stored"}': '0x1481 99999x18',
      'tsmemcache_outcomes_total{server="s",outcome="ok"}': '0x1485 99999x14',
      'tsmemcache_errors_total{server="s",code="MEMCACHE_TIMEOUT"}': '0x1481 1x3 2x14',
    },
    [],
  ],
  [
    'a process that is started anew every three minutes',
    {
      ...IDLE,
      'tsmemcache_calls_total{server="s",command="get"}': '0 6006 12012 '.repeat(500),
      'tsmemcache_outcomes_total{server="s",outcome="hit"}': '0 6000 12000 '.repeat(500),
      'tsmemcache_errors_total{server="s",code="MEMCACHE_TIMEOUT"}': '0 6 12 '.repeat(500),
    },
    [],
  ],
  [
    'a process all of whose calls fail from the first on',
    {
      'tsmemcache_server_up{server="s"}': '_x1440 0x60',
      'tsmemcache_calls_total{server="s",command="get"}': '_x1442 1+1x58',
      'tsmemcache_outcomes_total{server="s",outcome="hit"}': '_x1440 0x60',
      'tsmemcache_errors_total{server="s",code="MEMCACHE_CONNECT"}': '_x1440 0 0+1x59',
    },
    ['MemcachedCallsFail', 'MemcachedServerDown'],
  ],
  ['a server that is no more', Object.fromEntries(Object.keys(CALM).map((series) => [series, '0+60x1470 stale'])), []],
];

/** The alerts that Prometheus' own engine has fire after a day and an hour of `series`. */
function firing(series: Readonly<Record<string, string>>): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'alerts-'));
  const file = join(folder, 'test.yml');
  const inputs = Object.entries(series).map(([name, values]) => `      - series: '${name}'\n        values: '${values}'`);
  // An expectation that does not hold, so that the result is told.
  writeFileSync(
    file,
    `rule_files: [${JSON.stringify(FILE)}]\nevaluation_interval: 1m\ntests:\n  - interval: 1m\n    input_series:\n${inputs.join('\n')}\n    promql_expr_test:\n` +
      `      - expr: count by (alertname) (ALERTS{alertstate="firing"} or on () vector(-1))\n        eval_time: 24h50m\n        exp_samples: [{ labels: '{told="nothing"}', value: 1 }]\n`,
  );
  const { stdout, stderr } = spawnSync('promtool', ['test', 'rules', file], { encoding: 'utf8' });
  rmSync(folder, { recursive: true });
  const told = /got:(.*)/.exec(stdout + stderr)?.[1];
  if (told === undefined) throw new Error(stdout + stderr);
  return [...told.matchAll(/alertname="(\w+)"/g)].map(([, name = '']) => name);
}

it('speaks of metrics and labels that there are, and of incidents that are described', async () => {
  const client = new Client(`127.0.0.1:${await freePort()}`);
  await expect(client.get('a')).rejects.toThrow();
  const lines = samplesOf(toPrometheus([client]));
  await client.close();
  const selectors = [...rules.matchAll(/\b(tsmemcache_\w+)(?:\{(\w+)=)?/g)].filter(([, name]) => name !== 'tsmemcache_');
  expect(selectors.length).toBeGreaterThanOrEqual(alerts.length);
  for (const [, name, label] of selectors) {
    const found = lines.find((line) => line.name === name);
    expect([name, found !== undefined]).toEqual([name, true]);
    if (label !== undefined) expect(Object.keys(found?.labels ?? {})).toContain(label);
  }
  const headings = [...readFileSync(join(DOCS, 'incidents.md'), 'utf8').matchAll(/^## (.*)$/gm)].map(([, title = '']) => title.toLowerCase().replace(/[^\w -]/g, '').replace(/ /g, '-'));
  const runbooks = [...rules.matchAll(/runbook: incidents\.md#(\S+)/g)].map(([, anchor = '']) => anchor);
  expect(runbooks).toHaveLength(alerts.length);
  for (const anchor of runbooks) expect(headings).toContain(anchor);
});

it('is about series that are there before the first error: where one begins, Prometheus sees no increase', () => {
  const lines = samplesOf(toPrometheus([new Client('127.0.0.1:1')]));
  const increases = [...rules.matchAll(/increase\((tsmemcache_\w+)(\{(\w+)="(\w+)"\})?\[/g)];
  expect(increases.length).toBeGreaterThan(0);
  for (const [, name = '', , label = '', value = ''] of increases) {
    const found = lines.filter((line) => line.name === name && (label === '' || line.labels[label] === value));
    expect([name, value, found.map((line) => line.value)]).toEqual([name, value, [0]]);
  }
});

it('has a case for each alert', () => {
  expect(Object.keys(TROUBLE).sort()).toEqual([...alerts].sort());
});

describe.each([hasPromtool])('evaluated by Prometheus: %s', (isThere) => {
  const test = isThere ? it : it.skip;

  test('no alert fires when all is well', () => {
    expect(firing(CALM)).toEqual([]);
  });

  (isThere ? it.each : it.skip.each)(EDGES)('%s', (_, series, expected) => {
    expect(firing(series).sort()).toEqual(expected);
  });

  (isThere ? it.each : it.skip.each)(Object.entries(TROUBLE))('%s fires', (name, trouble) => {
    expect(firing({ ...CALM, ...trouble })).toEqual([name]);
  });
});
