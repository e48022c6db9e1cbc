import { Client, MemcacheIllegalInputError, MemcacheTimeoutError } from '../../src';
import { ServerMeter } from '../../src/client/meter';
import { HIT, MISS, NOT_FOUND, STORED } from '../../src/client/outcomes';
import { statsToPrometheus, toPrometheus, type MetricsSource } from '../../src/telemetry/prometheus';
import { illegal } from '../support/contract';
import { counted } from '../support/counted';
import { startMemcached } from '../support/memcached';
import { lint, samplesOf, valueOf } from './exposition';

function source(...meters: ServerMeter[]): MetricsSource {
  return { metrics: () => new Map(meters.map((meter) => [meter.server, meter.snapshot(3)])) };
}

function busyMeter(server = '10.0.0.1:11211'): ServerMeter {
  const meter = new ServerMeter(server, 1);
  meter.connected();
  for (let i = 0; i < 5; i++) meter.succeed(counted('get', 1, HIT), undefined);
  meter.succeed(counted('get', 1, MISS), undefined);
  meter.succeed(counted('delete', 1, NOT_FOUND), undefined);
  meter.succeed(counted('set', 1, STORED), undefined);
  meter.fail(counted('get', 1, HIT), new MemcacheTimeoutError('late'));
  meter.answered(7, 0.2);
  meter.answered(1, 30);
  meter.wrote(100);
  meter.read(2000);
  return meter;
}

describe('toPrometheus', () => {
  it('tells every number of the metrics', () => {
    const text = toPrometheus([source(busyMeter())]);
    const server = '10.0.0.1:11211';
    const numbers = Object.fromEntries(
      samplesOf(text)
        .filter(({ name, value }) => value !== 0 && !name.endsWith('_bucket'))
        .map(({ name, labels: { server: at, ...labels }, value }) => {
          expect(at).toBe(server);
          return [[name, ...Object.values(labels)].join(' '), value];
        }),
    );
    expect(numbers).toEqual({
      'tsmemcache_server_up': 1,
      'tsmemcache_server_state healthy': 1,
      'tsmemcache_connections': 1,
      'tsmemcache_pending_calls': 3,
      'tsmemcache_calls_total get': 7,
      'tsmemcache_calls_total delete': 1,
      'tsmemcache_calls_total set': 1,
      'tsmemcache_outcomes_total hit': 5,
      'tsmemcache_outcomes_total miss': 2,
      'tsmemcache_outcomes_total stored': 1,
      'tsmemcache_lookups_total hit': 5,
      'tsmemcache_lookups_total miss': 1,
      'tsmemcache_errors_total MEMCACHE_TIMEOUT': 1,
      'tsmemcache_connects_total': 1,
      'tsmemcache_read_bytes_total': 2000,
      'tsmemcache_written_bytes_total': 100,
      'tsmemcache_operation_duration_seconds_sum': 0.0314,
      'tsmemcache_operation_duration_seconds_count': 8,
    });
  });

  it('has a histogram whose buckets hold what is below them, exactly', () => {
    const text = toPrometheus([source(busyMeter())]);
    const buckets = samplesOf(text).filter(({ name }) => name === 'tsmemcache_operation_duration_seconds_bucket');
    expect(buckets.at(-1)).toMatchObject({ labels: { le: '+Inf' }, value: 8 });
    for (const { labels, value } of buckets) expect(value).toBe([...new Array<number>(7).fill(0.0002), 0.03].filter((time) => time < Number(labels['le']?.replace('+Inf', 'Infinity'))).length);
  });

  it('counts in a bucket what the meter has up to its very bound', () => {
    const meter = new ServerMeter('a:1', 1);
    meter.answered(1, 0.999);
    const [[upTo] = []] = meter.snapshot(0).latency.buckets;
    expect(upTo).toBe(1);
    const text = toPrometheus([source(meter)]);
    expect(['0.0005', '0.001', '0.002'].map((le) => valueOf(text, 'tsmemcache_operation_duration_seconds_bucket', { le }))).toEqual([0, 1, 1]);
  });

  it('has how long calls waited for a connection where they have, and of several pools together', () => {
    const pool = busyMeter();
    pool.poolWaits.add(3, 2);
    const text = toPrometheus([source(pool, busyMeter('b:1')), source(pool)]);
    expect(valueOf(text, 'tsmemcache_pool_wait_seconds_sum', { server: '10.0.0.1:11211' })).toBe(0.012);
    expect(valueOf(text, 'tsmemcache_pool_wait_seconds_bucket', { server: '10.0.0.1:11211', le: '0.004' })).toBe(4);
    expect(samplesOf(text).filter(({ name, labels }) => name.includes('pool_wait') && labels['server'] === 'b:1')).toEqual([]);
  });

  it('is accepted by promtool, with and without calls', () => {
    const waitedFor = busyMeter();
    waitedFor.poolWaits.add(3, 2);
    for (const text of [
      toPrometheus([source(busyMeter(), busyMeter('/run/memcached.sock'))], { labels: { app: 'a "b" \\ \n c' } }),
      toPrometheus([source(new ServerMeter('a:1', 1))], { prefix: 'shop_cache_' }),
      toPrometheus([source(waitedFor)]),
    ]) {
      const verdict = lint(text);
      if (verdict !== undefined) expect(verdict).toEqual({ ok: true, said: '' });
    }
  });

  it('adds what several clients know of one server, and counts a client once', () => {
    const one = source(busyMeter());
    const text = toPrometheus([one, source(busyMeter(), busyMeter('b:1')), one]);
    expect(valueOf(text, 'tsmemcache_outcomes_total', { outcome: 'hit', server: '10.0.0.1:11211' })).toBe(10);
    expect(valueOf(text, 'tsmemcache_outcomes_total', { outcome: 'hit', server: 'b:1' })).toBe(5);
    expect(text.match(/^# TYPE tsmemcache_server_up /gm)).toHaveLength(1);
  });

  it('is empty without a client, or without a server', () => {
    expect(toPrometheus([])).toBe('');
    expect(toPrometheus([source()])).toBe('');
  });

  it('puts prefix and labels where they were asked for', () => {
    const text = toPrometheus([source(busyMeter())], { prefix: 'shop_', labels: { zone: 'a"\\\nb' } });
    expect(text).toContain('shop_connections{zone="a\\"\\\\\\nb",server="10.0.0.1:11211"} 1\n');
    expect(text).not.toContain('tsmemcache');
  });

  it.each<[string, () => unknown, RegExp]>([
    ['a client that is not in an array', () => toPrometheus(illegal(source())), /clients must be/],
    ['what is no client', () => toPrometheus([illegal({})]), /clients must be/],
    ['nothing', () => toPrometheus(illegal(undefined)), /clients must be/],
    ['a prefix with a dash', () => toPrometheus([], { prefix: 'a-b' }), /prefix must be/],
    ['labels that are no properties', () => toPrometheus([], { labels: illegal(new Map([['app', 'shop']])) }), /labels must be an object of strings/],
    ['a label that is taken', () => toPrometheus([], { labels: { server: 'x' } }), /labels: "server"/],
    ['a label that is reserved', () => toPrometheus([], { labels: { __name__: 'x' } }), /labels: "__name__"/],
    ['a label that is no string', () => toPrometheus([], { labels: { zone: illegal(7) } }), /labels: "zone" must be a string/],
    ['an option that does not exist', () => toPrometheus([], illegal({ label: {} })), /"label"; the options are prefix, labels/],
    ['an option of statistics that does not exist', () => statsToPrometheus(new Map(), illegal({ prefix: 'a' })), /"prefix"; the options are labels, servers/],
    ['statistics that are none', () => statsToPrometheus(illegal(undefined)), /stats must be what client.stats\(\) resolves with/],
    ['statistics of one server', () => statsToPrometheus(illegal(new Map([['pid', '1']]))), /stats must be/],
    ['labels that are none', () => statsToPrometheus(new Map(), { labels: illegal(7) }), /labels must be/],
  ])('refuses %s', (_, call, message) => {
    expect(call).toThrow(message);
    expect(call).toThrow(MemcacheIllegalInputError);
  });
});

describe('statsToPrometheus', () => {
  it('tells what a real server says, under the names of memcached_exporter', async () => {
    const server = await startMemcached();
    const client = new Client(server.address);
    await client.set('a', 1);
    await client.gets('a').then(async ([, cas]) => client.cas('a', 2, cas ?? ''));
    await client.getMany(['a', 'b', 'c']);
    await client.incr('none');
    const stats = await client.stats();
    const text = statsToPrometheus(stats, { labels: { app: 'shop' } });
    const command = (name: string, status: string) => valueOf(text, 'memcached_commands_total', { command: name, status, server: server.address, app: 'shop' });
    expect([command('get', 'hit'), command('get', 'miss'), command('set', 'hit'), command('cas', 'hit'), command('incr', 'miss')]).toEqual([2, 2, 1, 1, 1]);
    expect(valueOf(text, 'memcached_up')).toBe(1);
    expect(valueOf(text, 'memcached_version', { version: stats.get(server.address)?.get('version') ?? '' })).toBe(1);
    expect(valueOf(text, 'memcached_current_items')).toBe(1);
    expect(valueOf(text, 'memcached_limit_bytes')).toBe(64 * 1024 * 1024);
    expect(valueOf(text, 'memcached_process_user_cpu_seconds_total')).toBeGreaterThanOrEqual(0);
    // No name is left out that the server knows.
    expect(new Set(samplesOf(text).map(({ name }) => name)).size).toBeGreaterThan(28);
    const verdict = lint(text);
    if (verdict !== undefined) expect(verdict).toEqual({ ok: true, said: '' });
    await client.close();
    await server.stop();
  });

  it('tells of the servers that there should be and that have not answered', () => {
    const stats = new Map([['a:1', new Map([['curr_items', '3']])]]);
    const text = statsToPrometheus(stats, { servers: new Map([['a:1', 0], ['b:1', 0]]).keys(), labels: { app: 'shop' } });
    expect(samplesOf(text).filter(({ name }) => name === 'memcached_up')).toEqual([
      { name: 'memcached_up', labels: { app: 'shop', server: 'a:1' }, value: 1 },
      { name: 'memcached_up', labels: { app: 'shop', server: 'b:1' }, value: 0 },
    ]);
    expect(samplesOf(text).filter(({ labels }) => labels['server'] === 'b:1')).toHaveLength(1);
    expect(samplesOf(statsToPrometheus(new Map(), { servers: ['b:1', 'b:1'] })).map(({ name, value }) => `${name} ${value}`)).toEqual(['memcached_up 0']);
    for (const servers of ['b:1', [7], 7]) expect(() => statsToPrometheus(stats, { servers: illegal(servers) })).toThrow(/servers must be/);
  });

  it('names what a server with a disk, or a proxy, tells as memcached_exporter does', () => {
    const names: Record<string, string> = {
      extstore_compact_lost: 'extstore_compact_lost_total',
      extstore_compact_rescues: 'extstore_compact_rescued_total',
      extstore_compact_skipped: 'extstore_compact_skipped_total',
      extstore_page_allocs: 'extstore_pages_allocated_total',
      extstore_page_evictions: 'extstore_pages_evicted_total',
      extstore_page_reclaims: 'extstore_pages_reclaimed_total',
      extstore_pages_free: 'extstore_pages_free',
      extstore_pages_used: 'extstore_pages_used',
      extstore_objects_evicted: 'extstore_objects_evicted_total',
      extstore_objects_read: 'extstore_objects_read_total',
      extstore_objects_written: 'extstore_objects_written_total',
      extstore_objects_used: 'extstore_objects_used',
      extstore_bytes_evicted: 'extstore_bytes_evicted_total',
      extstore_bytes_written: 'extstore_bytes_written_total',
      extstore_bytes_read: 'extstore_bytes_read_total',
      extstore_bytes_used: 'extstore_bytes_used',
      extstore_bytes_fragmented: 'extstore_bytes_fragmented',
      extstore_limit_maxbytes: 'extstore_bytes_limit',
      extstore_io_queue: 'extstore_io_queue_depth',
      proxy_conn_requests: 'proxy_conn_requests_total',
      proxy_conn_errors: 'proxy_conn_errors_total',
      proxy_conn_oom: 'proxy_conn_oom_total',
      proxy_req_active: 'proxy_req_active',
      proxy_config_reloads: 'proxy_config_reloads_total',
      proxy_config_reload_fails: 'proxy_config_reload_fails_total',
      proxy_config_cron_runs: 'proxy_config_cron_runs_total',
      proxy_config_cron_fails: 'proxy_config_cron_fails_total',
      proxy_backend_marked_bad: 'proxy_backend_marked_bad_total',
      proxy_backend_failed: 'proxy_backend_failed',
      proxy_request_failed_depth: 'proxy_request_failed_depth_total',
      round_robin_fallback: 'round_robin_fallback_total',
      unexpected_napi_ids: 'unexpected_napi_ids_total',
    };
    const stats = new Map(Object.keys(names).map((stat, index) => [stat, String(index + 1)]));
    const text = statsToPrometheus(new Map([['a:1', stats]]));
    Object.values(names).forEach((name, index) => expect([name, valueOf(text, `memcached_${name}`)]).toEqual([name, index + 1]));
    const verdict = lint(text);
    if (verdict !== undefined) expect(verdict).toEqual({ ok: true, said: '' });
  });

  it('leaves out what a server does not tell, and what is no number', () => {
    expect(statsToPrometheus(new Map())).toBe('');
    const text = statsToPrometheus(new Map([['a:1', new Map([['curr_items', 'many'], ['cmd_set', '3']])]]));
    expect(samplesOf(text).map(({ name, value }) => `${name} ${value}`)).toEqual(['memcached_up 1', 'memcached_version 1', 'memcached_commands_total 3']);
  });
});
