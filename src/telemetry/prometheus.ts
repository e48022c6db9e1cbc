/** Metrics of clients, and statistics of servers, in the text format of Prometheus. */
import type { Latency } from '../client/latency';
import { mergeMetrics, type ServerMetrics } from '../client/meter';
import type { ServerState } from '../client/observe';
import { MemcacheIllegalInputError, type MemcacheErrorCode } from '../errors';
import { option, settingsOf, type OptionTable } from '../options/option';
import { hasMethods, isIterable, isObject, valueThat } from '../options/rule';
import { LABELS, PREFIX, checkLabels, exposition, type Family, type Labels, type Sample } from './exposition';

/** A client of any class, or any object with `metrics()`. */
export interface MetricsSource {
  metrics(): ReadonlyMap<string, ServerMetrics>;
}

/** A `ReadThroughCache`, or any object with its `name` and `stats()`. */
export interface CacheSource {
  readonly name: string;
  stats(): Readonly<Record<string, number>>;
}

/** How metrics are written. */
export interface PrometheusOptions {
  /** Begins the name of every metric. @default 'tsmemcache_' */
  prefix?: string | undefined;
  /** Labels of every sample, for example `{ app: 'shop' }`. @default none */
  labels?: Readonly<Record<string, string>> | undefined;
}

/** The options of {@link toPrometheus}. @internal */
export const PROMETHEUS_OPTIONS = {
  prefix: option(PREFIX, 'tsmemcache_'),
  labels: option(LABELS, {}),
} satisfies OptionTable<PrometheusOptions>;

const OWN_LABELS = ['cache', 'event', 'server', 'command', 'outcome', 'code', 'state', 'le'];

/**
 * The metrics of `clients`, by server, for an endpoint that Prometheus scrapes. The numbers of several clients for one server
 * are added up; a client that is given twice counts once. Of a client and one that wraps it (`RetryingClient`), give only the
 * outer one. A `ReadThroughCache` among them adds its own counts, under its `name`.
 *
 * @returns the exposition text; the empty string when no server is known
 * @throws MemcacheIllegalInputError naming the option that is not legal
 */
export function toPrometheus(clients: Iterable<MetricsSource | CacheSource>, options: PrometheusOptions = {}): string {
  const { prefix, labels } = settingsOf(PROMETHEUS_OPTIONS, options);
  checkLabels(labels, OWN_LABELS);
  const sources = distinct(clients, isSource, 'clients must be an array of clients');
  const metrics = sources.filter(isClient).map((client) => client.metrics());
  return exposition([...serverFamilies(mergeMetrics(metrics)), ...cacheFamilies(sources.filter(isCache))], prefix, labels);
}

/** Each entry of a list once; all of them must be what `isOne` says, else `rule` is the error. */
function distinct<T>(list: unknown, isOne: (entry: unknown) => entry is T, rule: string): T[] {
  const entries = isIterable(list) ? [...new Set(list)] : [undefined];
  if (!entries.every(isOne)) throw new MemcacheIllegalInputError(rule);
  return entries;
}

function isMapLike(value: unknown): boolean {
  return isIterable(value) && hasMethods(value, 'get', 'has', 'values');
}

function isSource(source: unknown): source is MetricsSource | CacheSource {
  return isClient(source) || isCache(source);
}

function isCache(source: unknown): source is CacheSource {
  return isObject(source) && 'name' in source && hasMethods(source, 'stats') && !isClient(source);
}

/** The gauges of a cache; everything else that it counts is an event. */
const GAUGES: Readonly<Record<string, readonly [name: string, help: string]>> = {
  loads: ['cache_loads', 'Loaders that are running.'],
  queued: ['cache_queued_loads', 'Loads that wait for their turn.'],
  flights: ['cache_flights', 'Keys that are being loaded or stored.'],
  'l1-entries': ['cache_near_entries', 'Entries in the near cache.'],
  'l1-bytes': ['cache_near_bytes', 'Bytes in the near cache.'],
};

/** The counts of caches with the same name are added up. */
function cacheFamilies(caches: readonly CacheSource[]): Family[] {
  const sums = new Map<string, Map<string, number>>();
  for (const cache of caches) {
    const sum = sums.get(cache.name) ?? new Map<string, number>();
    sums.set(cache.name, sum);
    for (const [name, value] of Object.entries(cache.stats())) sum.set(name, (sum.get(name) ?? 0) + value);
  }
  const samples = (labelsOf: (event: string) => Labels | undefined): Sample[] =>
    [...sums].flatMap(([cache, sum]) =>
      [...sum].flatMap(([event, value]): Sample[] => {
        const labels = labelsOf(event);
        return labels === undefined ? [] : [{ labels: { cache, ...labels }, value }];
      }),
    );
  return [
    { name: 'cache_events_total', type: 'counter', help: 'What a read-through cache has done, by the name of the event.', samples: samples((event) => (event in GAUGES ? undefined : { event })) },
    ...Object.entries(GAUGES).map(([gauge, [name, help]]): Family => ({ name, type: 'gauge', help, samples: samples((event) => (event === gauge ? {} : undefined)) })),
  ];
}

function isClient(client: unknown): client is MetricsSource {
  return hasMethods(client, 'metrics');
}

/** The outcomes of `ServerMetrics`, by the value of the label. */
const OUTCOMES = { hit: 'hits', miss: 'misses', stored: 'stored', not_stored: 'notStored', exists: 'exists', ok: 'ok', aborted: 'aborted' } as const;

const STATES: readonly ServerState[] = ['healthy', 'failing', 'dead'];

/** What a call for a server may end in. */
const CODES = [
  'MEMCACHE_CLIENT_ERROR',
  'MEMCACHE_UNKNOWN_COMMAND',
  'MEMCACHE_INEXACT_NUMBER',
  'MEMCACHE_SERVER_ERROR',
  'MEMCACHE_UNEXPECTED_CLOSE',
  'MEMCACHE_CONNECT',
  'MEMCACHE_TIMEOUT',
  'MEMCACHE_AUTHENTICATION',
  'MEMCACHE_OVERLOADED',
  'MEMCACHE_SERDE',
  'MEMCACHE_UNKNOWN',
] as const satisfies readonly MemcacheErrorCode[];
/** Told before the first error too: Prometheus sees no increase where a series begins, so that alerts would miss the first errors of a kind. */
const NO_ERRORS = Object.fromEntries(CODES.map((code) => [code, 0]));

function serverFamilies(servers: ReadonlyMap<string, ServerMetrics>): Family[] {
  const each = (samples: (metrics: ServerMetrics) => readonly Sample[]): Sample[] =>
    [...servers].flatMap(([server, metrics]) => samples(metrics).map((sample) => ({ ...sample, labels: { server, ...sample.labels } })));
  const one = (value: (metrics: ServerMetrics) => number): Sample[] => each((metrics) => [{ labels: {}, value: value(metrics) }]);
  const by = (label: string, counts: (metrics: ServerMetrics) => Readonly<Record<string, number>>): Sample[] =>
    each((metrics) => Object.entries(counts(metrics)).map(([name, value]) => ({ labels: { [label]: name }, value })));
  return [
    { name: 'server_up', type: 'gauge', help: 'Whether the server answers: 1 when it is healthy.', samples: one(({ state }) => (state === 'healthy' ? 1 : 0)) },
    {
      name: 'server_state',
      type: 'gauge',
      help: 'The state of the server: 1 for the one that it is in.',
      samples: by('state', ({ state }) => Object.fromEntries(STATES.map((name) => [name, name === state ? 1 : 0]))),
    },
    { name: 'connections', type: 'gauge', help: 'Connections that can be used.', samples: one(({ connections }) => connections) },
    { name: 'pending_calls', type: 'gauge', help: 'Calls that wait for a connection or for their reply.', samples: one(({ pending }) => pending) },
    { name: 'calls_total', type: 'counter', help: 'Calls that have settled; each key of a call for many, and each attempt.', samples: by('command', ({ calls }) => calls) },
    {
      name: 'outcomes_total',
      type: 'counter',
      help: 'Calls that did not fail, by outcome.',
      samples: by('outcome', (metrics) => Object.fromEntries(Object.entries(OUTCOMES).map(([name, field]) => [name, metrics[field]]))),
    },
    {
      name: 'lookups_total',
      type: 'counter',
      help: 'Keys that were read, found or not.',
      samples: by('outcome', ({ hits, lookups }) => ({ hit: hits, miss: lookups - hits })),
    },
    { name: 'errors_total', type: 'counter', help: 'Calls that failed, by the code of the error.', samples: by('code', ({ errors }) => ({ ...NO_ERRORS, ...errors })) },
    { name: 'ignored_errors_total', type: 'counter', help: 'Of the errors, those that ignoreErrors turned into misses.', samples: one(({ ignored }) => ignored) },
    { name: 'retries_total', type: 'counter', help: 'Calls that were repeated after a failure of the server.', samples: one(({ retries }) => retries) },
    { name: 'connects_total', type: 'counter', help: 'Connections that were made.', samples: one(({ connects }) => connects) },
    { name: 'connect_failures_total', type: 'counter', help: 'Connections that could not be made.', samples: one(({ connectFailures }) => connectFailures) },
    { name: 'disconnects_total', type: 'counter', help: 'Connections that have ended, whoever ended them.', samples: one(({ disconnects }) => disconnects) },
    { name: 'read_bytes_total', type: 'counter', help: 'Bytes read from the server.', samples: one(({ bytesRead }) => bytesRead) },
    { name: 'written_bytes_total', type: 'counter', help: 'Bytes written to the server.', samples: one(({ bytesWritten }) => bytesWritten) },
    {
      name: 'operation_duration_seconds',
      type: 'histogram',
      help: 'Time from the write of a call to its reply.',
      samples: each(({ latency }) => histogram(latency)),
    },
    {
      name: 'pool_wait_seconds',
      type: 'histogram',
      help: 'Time that calls waited for a connection of a pool.',
      // Nothing where there is no pool.
      samples: each(({ poolWait }) => (poolWait.count === 0 ? [] : histogram(poolWait))),
    },
  ];
}

/** Upper bounds in milliseconds, 1/16 ms to 16 s: powers of two are bounds of the meter's own buckets too, so that the counts are exact. */
const BOUNDS = Array.from({ length: 19 }, (_, index) => 2 ** (index - 4));

function histogram({ buckets, count, sum }: Latency): Sample[] {
  const below = (bound: number): number => buckets.reduce((total, [upTo, calls]) => (upTo <= bound ? total + calls : total), 0);
  return [
    ...BOUNDS.map((bound): Sample => ({ suffix: '_bucket', labels: { le: String(bound / 1000) }, value: below(bound) })),
    { suffix: '_bucket', labels: { le: '+Inf' }, value: count },
    { suffix: '_sum', labels: {}, value: sum / 1000 },
    { suffix: '_count', labels: {}, value: count },
  ];
}

/** How statistics are written. */
export interface StatsOptions extends Pick<PrometheusOptions, 'labels'> {
  /** The names of the servers that there should be, for example `client.metrics().keys()`: one without statistics is told as `memcached_up` 0. @default those that have answered */
  servers?: Iterable<string> | undefined;
}

const NAMES = valueThat<Iterable<string>>('the names of servers', isIterable);

/** The options of {@link statsToPrometheus}. @internal */
export const STATS_OPTIONS = {
  labels: option(LABELS, {}),
  servers: option(NAMES, []),
} satisfies OptionTable<StatsOptions>;

const OWN_STATS_LABELS = ['server', 'command', 'status', 'version'];

/**
 * The statistics of servers under the names of Prometheus' `memcached_exporter`, so that its dashboards and alerts can be used;
 * the label `server` tells servers apart. It has what plain `stats` tells: not the numbers by slab, nor settings.
 *
 * @param stats - what `await client.stats()` gives, or `partial` of the `MemcachePartialError` by which it rejects when only some
 * servers have answered
 * @returns the exposition text; the empty string without a server
 * @throws MemcacheIllegalInputError naming the option or label that is not legal, or when `stats` is no such Map
 */
export function statsToPrometheus(stats: ReadonlyMap<string, ReadonlyMap<string, string>>, options: StatsOptions = {}): string {
  const { labels, servers: expected } = settingsOf(STATS_OPTIONS, options);
  checkLabels(labels, OWN_STATS_LABELS);
  if (!isMapLike(stats) || ![...stats.values()].every(isMapLike)) throw new MemcacheIllegalInputError('stats must be what client.stats() resolves with: a Map by server of Maps');
  const servers = [...stats];
  const named = distinct(expected, isString, `servers must be ${NAMES.is}`);
  const silent = named.filter((name) => !stats.has(name));
  const samples = (make: (values: ReadonlyMap<string, string>) => readonly Sample[]): Sample[] =>
    servers.flatMap(([server, values]) => make(values).map((sample) => ({ ...sample, labels: { server, ...sample.labels } })));
  const plain = PLAIN.map(
    ([name, type, stat, help]): Family => ({ name, type, help, samples: samples((values) => sampleOf({}, numberIn(values, stat))) }),
  );
  return exposition(
    [
      { name: 'up', type: 'gauge', help: 'Whether the server has answered.', samples: [...samples(() => [{ labels: {}, value: 1 }]), ...silent.map((server): Sample => ({ labels: { server }, value: 0 }))] },
      {
        name: 'version',
        type: 'gauge',
        help: 'The version of the server, as a label.',
        samples: samples((values) => [{ labels: { version: values.get('version') ?? '' }, value: 1 }]),
      },
      { name: 'commands_total', type: 'counter', help: 'Commands, by their outcome.', samples: samples(commandsOf) },
      ...plain,
    ],
    'memcached_',
    labels,
  );
}

function isString(value: unknown): value is string {
  return typeof value === 'string';
}

/** The metrics that are a single statistic: name, type, the statistic's name, help. Without `proxy_backend_total`, a gauge whose name promtool refuses. */
const PLAIN: readonly (readonly [name: string, type: 'counter' | 'gauge', stat: string, help: string])[] = [
  ['uptime_seconds', 'gauge', 'uptime', 'Seconds since the server was started.'],
  ['time_seconds', 'gauge', 'time', 'The time of the server, in seconds since 1970.'],
  ['process_user_cpu_seconds_total', 'counter', 'rusage_user', 'User time of the process.'],
  ['process_system_cpu_seconds_total', 'counter', 'rusage_system', 'System time of the process.'],
  ['current_bytes', 'gauge', 'bytes', 'Bytes that items take.'],
  ['limit_bytes', 'gauge', 'limit_maxbytes', 'Bytes that items may take.'],
  ['current_items', 'gauge', 'curr_items', 'Items that are there.'],
  ['items_total', 'counter', 'total_items', 'Items that were stored.'],
  ['read_bytes_total', 'counter', 'bytes_read', 'Bytes that the server has read.'],
  ['written_bytes_total', 'counter', 'bytes_written', 'Bytes that the server has written.'],
  ['current_connections', 'gauge', 'curr_connections', 'Connections that are open.'],
  ['max_connections', 'gauge', 'max_connections', 'Connections that may be open.'],
  ['connections_total', 'counter', 'total_connections', 'Connections that were opened.'],
  ['connections_rejected_total', 'counter', 'rejected_connections', 'Connections that were refused because too many were open.'],
  ['connections_yielded_total', 'counter', 'conn_yields', 'Times that a connection had to wait for its turn.'],
  ['connections_listener_disabled_total', 'counter', 'listen_disabled_num', 'Times that the limit of connections was reached.'],
  ['accepting_connections', 'gauge', 'accepting_conns', 'Whether connections are accepted.'],
  ['items_evicted_total', 'counter', 'evictions', 'Items that were evicted to make room.'],
  ['items_reclaimed_total', 'counter', 'reclaimed', 'Items stored in the room of one that had expired.'],
  ['item_too_large_total', 'counter', 'store_too_large', 'Items that were refused because they were too large.'],
  ['item_no_memory_total', 'counter', 'store_no_memory', 'Items that were refused because memory was short.'],
  ['direct_reclaims_total', 'counter', 'direct_reclaims', 'Times that a store had to make room itself.'],
  ['malloced_bytes', 'gauge', 'total_malloced', 'Bytes in slab pages.'],
  ['lru_crawler_starts_total', 'counter', 'lru_crawler_starts', 'Times that the crawler was started.'],
  ['lru_crawler_items_checked_total', 'counter', 'crawler_items_checked', 'Items that the crawler has looked at.'],
  ['lru_crawler_reclaimed_total', 'counter', 'crawler_reclaimed', 'Items that the crawler has freed.'],
  ['lru_crawler_moves_to_cold_total', 'counter', 'moves_to_cold', 'Items moved to the cold part of the LRU.'],
  ['lru_crawler_moves_to_warm_total', 'counter', 'moves_to_warm', 'Items moved to the warm part of the LRU.'],
  ['lru_crawler_moves_within_lru_total', 'counter', 'moves_within_lru', 'Items moved within a part of the LRU.'],
  ['extstore_compact_lost_total', 'counter', 'extstore_compact_lost', 'Items lost during compaction because they were locked.'],
  ['extstore_compact_rescued_total', 'counter', 'extstore_compact_rescues', 'Items moved to a new page during compaction.'],
  ['extstore_compact_skipped_total', 'counter', 'extstore_compact_skipped', 'Items dropped during compaction because nobody used them.'],
  ['extstore_pages_allocated_total', 'counter', 'extstore_page_allocs', 'Times that a page on disk was taken into use.'],
  ['extstore_pages_evicted_total', 'counter', 'extstore_page_evictions', 'Pages on disk that were evicted.'],
  ['extstore_pages_reclaimed_total', 'counter', 'extstore_page_reclaims', 'Times that an empty page on disk was freed.'],
  ['extstore_pages_free', 'gauge', 'extstore_pages_free', 'Pages on disk without an item.'],
  ['extstore_pages_used', 'gauge', 'extstore_pages_used', 'Pages on disk with items.'],
  ['extstore_objects_evicted_total', 'counter', 'extstore_objects_evicted', 'Items on disk that were evicted to make room.'],
  ['extstore_objects_read_total', 'counter', 'extstore_objects_read', 'Items read from disk.'],
  ['extstore_objects_written_total', 'counter', 'extstore_objects_written', 'Items written to disk.'],
  ['extstore_objects_used', 'gauge', 'extstore_objects_used', 'Items that are on disk.'],
  ['extstore_bytes_evicted_total', 'counter', 'extstore_bytes_evicted', 'Bytes evicted from disk to make room.'],
  ['extstore_bytes_written_total', 'counter', 'extstore_bytes_written', 'Bytes written to disk.'],
  ['extstore_bytes_read_total', 'counter', 'extstore_bytes_read', 'Bytes read from disk.'],
  ['extstore_bytes_used', 'gauge', 'extstore_bytes_used', 'Bytes that items take on disk.'],
  ['extstore_bytes_fragmented', 'gauge', 'extstore_bytes_fragmented', 'Bytes in pages on disk that no item uses.'],
  ['extstore_bytes_limit', 'gauge', 'extstore_limit_maxbytes', 'Bytes that items may take on disk.'],
  ['extstore_io_queue_depth', 'gauge', 'extstore_io_queue', 'Items that wait to be read from or written to disk.'],
  ['proxy_conn_requests_total', 'counter', 'proxy_conn_requests', 'Requests that the proxy has received.'],
  ['proxy_conn_errors_total', 'counter', 'proxy_conn_errors', 'Internal errors of the proxy.'],
  ['proxy_conn_oom_total', 'counter', 'proxy_conn_oom', 'Requests for which the proxy had no memory.'],
  ['proxy_req_active', 'gauge', 'proxy_req_active', 'Requests that the proxy is answering.'],
  ['proxy_config_reloads_total', 'counter', 'proxy_config_reloads', 'Times that the proxy has read its configuration.'],
  ['proxy_config_reload_fails_total', 'counter', 'proxy_config_reload_fails', 'Times that the proxy could not read its configuration.'],
  ['proxy_config_cron_runs_total', 'counter', 'proxy_config_cron_runs', 'Times that a timed function of the configuration has run.'],
  ['proxy_config_cron_fails_total', 'counter', 'proxy_config_cron_fails', 'Times that a timed function of the configuration has failed.'],
  ['proxy_backend_marked_bad_total', 'counter', 'proxy_backend_marked_bad', 'Times that the proxy took a server for dead.'],
  ['proxy_backend_failed', 'gauge', 'proxy_backend_failed', 'Servers that the proxy takes for dead.'],
  ['proxy_request_failed_depth_total', 'counter', 'proxy_request_failed_depth', 'Requests refused because too many were waiting for a server.'],
  ['round_robin_fallback_total', 'counter', 'round_robin_fallback', 'Connections whose thread could not be chosen by the id of their network queue.'],
  ['unexpected_napi_ids_total', 'counter', 'unexpected_napi_ids', 'Connections with an unknown id of their network queue.'],
];

function commandsOf(values: ReadonlyMap<string, string>): Sample[] {
  const found = ['get', 'delete', 'incr', 'decr', 'cas', 'touch'].flatMap((command) => [
    ...sampleOf({ command, status: 'hit' }, numberIn(values, `${command}_hits`)),
    ...sampleOf({ command, status: 'miss' }, numberIn(values, `${command}_misses`)),
  ]);
  // cmd_set includes the cas commands.
  const [set, ...cas] = ['cmd_set', 'cas_hits', 'cas_misses', 'cas_badval'].map((name) => numberIn(values, name));
  const sets = set === undefined ? undefined : cas.reduce<number>((rest, count) => rest - (count ?? 0), set);
  return [
    ...found,
    ...sampleOf({ command: 'cas', status: 'badval' }, numberIn(values, 'cas_badval')),
    ...sampleOf({ command: 'set', status: 'hit' }, sets),
    ...sampleOf({ command: 'flush', status: 'hit' }, numberIn(values, 'cmd_flush')),
  ];
}

/** No sample where the server does not report the number. */
function sampleOf(labels: Labels, value: number | undefined): Sample[] {
  return value === undefined ? [] : [{ labels, value }];
}

function numberIn(values: ReadonlyMap<string, string>, stat: string): number | undefined {
  const value = values.get(stat);
  return value !== undefined && /^[0-9]+(?:\.[0-9]+)?$/.test(value) ? Number(value) : undefined;
}
