import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader, type Histogram } from '@opentelemetry/sdk-metrics';
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor, type ReadableSpan } from '@opentelemetry/sdk-trace-node';
import { Client, HashClient, PooledClient, RetryingClient } from '../../src';
import { ReadThroughCache } from '../../src/cache';
import { instrument } from '../../src/telemetry/opentelemetry';
import { illegal } from '../support/contract';
import { startMemcached, type MemcachedProcess } from '../support/memcached';
import { ScriptedServer } from '../support/scripted-server';

const exporter = new InMemorySpanExporter();
const tracerProvider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
tracerProvider.register();
const metricExporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const reader = new PeriodicExportingMetricReader({ exporter: metricExporter, exportIntervalMillis: 3_600_000 });
const meterProvider = new MeterProvider({ readers: [reader] });

let servers: MemcachedProcess[];
let stop: () => void;

beforeAll(async () => {
  servers = [await startMemcached(), await startMemcached(), await startMemcached()];
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  await meterProvider.shutdown();
  await tracerProvider.shutdown();
});
beforeEach(() => {
  stop = instrument({ meterProvider, connectionMetrics: true });
});
afterEach(() => {
  stop();
  exporter.reset();
});

function spans(): ReadableSpan[] {
  return exporter.getFinishedSpans();
}

const tracer = trace.getTracer('test');

it('a get is a span of kind CLIENT with the attributes of the conventions, below the span that is active', async () => {
  const [server] = servers as [MemcachedProcess];
  const client = new Client(server.address);
  await client.set('k3y', 'v4lue');
  exporter.reset();
  const parent = tracer.startSpan('request');
  await context.with(trace.setSpan(context.active(), parent), () => client.get('k3y'));
  await client.get('none');
  const [hit, miss] = spans();
  expect(hit).toMatchObject({ name: `get ${server.address}`, kind: SpanKind.CLIENT, status: { code: SpanStatusCode.UNSET } });
  expect(hit?.attributes).toEqual({
    'db.system.name': 'memcached',
    'db.operation.name': 'get',
    'server.address': '127.0.0.1',
    'server.port': server.port,
    'tsmemcache.outcome': 'hit',
    'tsmemcache.hits': 1,
    'tsmemcache.attempts': 1,
  });
  expect(hit?.parentSpanContext?.spanId).toBe(parent.spanContext().spanId);
  expect(hit?.spanContext().traceId).toBe(parent.spanContext().traceId);
  expect(miss?.attributes).toMatchObject({ 'tsmemcache.outcome': 'miss', 'tsmemcache.hits': 0 });
  expect(miss?.parentSpanContext).toBeUndefined();
  expect(JSON.stringify(spans().map(({ name, attributes, events }) => ({ name, attributes, events })))).not.toMatch(/k3y|v4lue/);
  await client.close();
});

it('calls of one tick keep their own parents, though they travel in one line', async () => {
  const client = new Client(servers[0]?.address);
  const parents = ['a', 'b', 'c'].map((name) => tracer.startSpan(name));
  await Promise.all(parents.map((parent) => context.with(trace.setSpan(context.active(), parent), () => client.get('x'))));
  expect(spans().map((span) => span.parentSpanContext?.spanId)).toEqual(parents.map((parent) => parent.spanContext().spanId));
  await client.close();
});

it('getMany on three servers is one span, with the size of the batch and no server', async () => {
  const client = new HashClient(servers.map(({ address }) => address));
  const keys = Array.from({ length: 30 }, (_, i) => `k${i}`);
  await client.setMany(keys.slice(0, 12).map((key): [string, number] => [key, 1]));
  await client.getMany(keys);
  const [, span, ...others] = spans();
  expect(others).toEqual([]);
  expect(span).toMatchObject({ name: 'get' });
  expect(span?.attributes).toEqual({
    'db.system.name': 'memcached',
    'db.operation.name': 'get',
    'db.operation.batch.size': 30,
    'tsmemcache.hits': 12,
    'tsmemcache.attempts': 1,
  });
  await client.close();
});

it('a key of a cluster is a span with its owner', async () => {
  const client = new HashClient(servers.map(({ address }) => address));
  await client.get('a');
  expect(spans()[0]?.attributes['server.port']).toBe(Number(client.serverFor('a')?.split(':')[1]));
  await client.close();
});

it('a call that is repeated is one span, which says how often', async () => {
  const server = await ScriptedServer.start((c) => c.rst(), (c) => c.rst());
  server.put('a', 'x');
  const client = new RetryingClient(new Client(server.address), { attempts: 5 });
  expect(await client.get('a')).toBe('x');
  const [span, ...others] = spans();
  expect(others).toEqual([]);
  expect(span?.attributes['tsmemcache.attempts']).toBeGreaterThan(1);
  expect(span).toMatchObject({ attributes: { 'tsmemcache.outcome': 'hit' }, status: { code: SpanStatusCode.UNSET } });
  await client.close();
  await server.close();
});

it('a time-out is an error whose type is our code', async () => {
  const server = await ScriptedServer.start((c) => c.hold());
  const client = new Client(server.address, { timeout: 30 });
  await client.get('a').catch(() => undefined);
  const [span] = spans();
  expect(span).toMatchObject({ status: { code: SpanStatusCode.ERROR }, attributes: { 'error.type': 'MEMCACHE_TIMEOUT' } });
  expect(span?.status.message).toBeUndefined();
  expect(span?.events).toEqual([]);
  await client.close();
  await server.close();
});

it('the loads of a read-through cache are spans of kind INTERNAL', async () => {
  const [server] = servers as [MemcachedProcess];
  const client = new Client(server.address);
  const cache = new ReadThroughCache(client, { name: 'users' });
  const parent = tracer.startSpan('request');
  await context.with(trace.setSpan(context.active(), parent), () => cache.get(`loads:${process.pid}`, () => Promise.resolve(1)));
  await cache.get(`fails:${process.pid}`, () => Promise.reject(new Error('no'))).catch(() => undefined);
  const nameless = new ReadThroughCache(client);
  await nameless.get(`nameless:${process.pid}`, () => Promise.resolve(1));
  await nameless.close();
  await cache.close();
  await client.close();
  const found = spans().filter(({ name }) => name.startsWith('load'));
  expect(found).toMatchObject([
    { name: 'load users', kind: SpanKind.INTERNAL, attributes: { 'tsmemcache.cache.name': 'users', 'tsmemcache.outcome': 'loaded' } },
    { name: 'load users', status: { code: SpanStatusCode.ERROR }, attributes: { 'error.type': 'ERROR', 'tsmemcache.outcome': 'load-error' } },
    { name: 'load' },
  ]);
  expect(found[0]?.parentSpanContext?.spanId).toBe(parent.spanContext().spanId);
});

it('the duration of operations is a histogram in seconds; connections are counted when asked for', async () => {
  const [server] = servers as [MemcachedProcess];
  const client = new PooledClient(server.address, { maxPoolSize: 1 });
  await Promise.all([client.get('a'), client.get('b'), client.getMany(['a', 'b'])]);
  await reader.forceFlush();
  const metrics = metricExporter.getMetrics().at(-1)?.scopeMetrics.flatMap((scope) => scope.metrics) ?? [];
  const named = (name: string) => metrics.find(({ descriptor }) => descriptor.name === name);
  const duration = named('db.client.operation.duration');
  expect(duration?.descriptor.unit).toBe('s');
  const points = duration?.dataPoints.filter(({ attributes }) => attributes['server.port'] === server.port && attributes['db.operation.name'] === 'get') ?? [];
  expect(points.map(({ attributes }) => attributes)).toContainEqual({
    'db.system.name': 'memcached',
    'db.operation.name': 'get',
    'server.address': '127.0.0.1',
    'server.port': server.port,
  });
  const { count, sum, buckets } = points[0]?.value as Histogram;
  expect(count).toBeGreaterThanOrEqual(3);
  expect(sum).toBeLessThan(count * 5);
  expect(buckets.boundaries[0]).toBe(0.0001);
  const pools = named('db.client.connection.count')?.dataPoints.map(({ attributes }) => attributes);
  expect(pools).toContainEqual({ 'db.client.connection.pool.name': server.address, 'db.client.connection.state': 'used' });
  const made = named('db.client.connection.create_time')?.dataPoints.find(({ attributes }) => attributes['db.client.connection.pool.name'] === server.address);
  const { count: connections = 0, sum: seconds = 0 } = (made?.value ?? {}) as Partial<Histogram>;
  expect(connections).toBeGreaterThan(0);
  expect(seconds).toBeGreaterThan(0);
  expect(seconds).toBeLessThan(connections * 60);
  await client.close();
  stop();
  const plainExporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const plainReader = new PeriodicExportingMetricReader({ exporter: plainExporter, exportIntervalMillis: 3_600_000 });
  const plain = new MeterProvider({ readers: [plainReader] });
  stop = instrument({ meterProvider: plain });
  const other = new Client(server.address);
  await other.get('a');
  await plainReader.forceFlush();
  const names = plainExporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics.map(({ descriptor }) => descriptor.name)));
  expect(names).toEqual(['db.client.operation.duration']);
  await other.close();
  await plain.shutdown();
});

it('connections are those that were made since the report began, also after it was stopped and began again', async () => {
  const [server] = servers as [MemcachedProcess];
  stop();
  const older = new Client(server.address);
  await older.get('a');
  const count = async (): Promise<unknown> => {
    await reader.forceFlush();
    const metrics = metricExporter.getMetrics().at(-1)?.scopeMetrics.flatMap((scope) => scope.metrics) ?? [];
    const { dataPoints = [] } = metrics.find(({ descriptor }) => descriptor.name === 'db.client.connection.count') ?? {};
    return dataPoints.find(({ attributes }) => attributes['db.client.connection.pool.name'] === server.address)?.value;
  };
  const before = (await count()) ?? 0;
  expect(before).toBe(0);
  stop = instrument({ meterProvider, connectionMetrics: true });
  const newer = new Client(server.address);
  await newer.get('a');
  await older.close();
  expect(await count()).toBe(1);
  stop();
  expect(await count()).toBe(0);
  await newer.close();
  stop = instrument({ meterProvider, connectionMetrics: true });
  await newer.get('a');
  expect(await count()).toBe(1);
  await newer.close();
  expect(await count()).toBe(0);
});

it('calls that got no connection in time are counted, and those that got no reply are not', async () => {
  const server = await ScriptedServer.start((c) => c.hold());
  const pool = new PooledClient(server.address, { maxPoolSize: 1, timeout: 200, acquireTimeout: 20 });
  const unanswered = pool.get('a').catch((error: unknown) => error);
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(await pool.get('b').catch((error: unknown) => error)).toMatchObject({ code: 'MEMCACHE_TIMEOUT', certainty: 'notSent' });
  expect(await unanswered).toMatchObject({ code: 'MEMCACHE_TIMEOUT', certainty: 'maybeExecuted' });
  await reader.forceFlush();
  const metrics = metricExporter.getMetrics().at(-1)?.scopeMetrics.flatMap((scope) => scope.metrics) ?? [];
  const late = metrics.find(({ descriptor }) => descriptor.name === 'db.client.connection.timeouts');
  expect(late?.descriptor.unit).toBe('{timeout}');
  const points = late?.dataPoints.filter(({ attributes }) => attributes['db.client.connection.pool.name'] === server.address);
  expect(points).toMatchObject([{ value: 1, attributes: { 'db.client.connection.pool.name': server.address } }]);
  await pool.close();
  await server.close();
});

it('a call that is refused before it is sent has its server too, in a cluster', async () => {
  const [server] = servers as [MemcachedProcess];
  const client = new HashClient([server.address], { maxPending: 1 });
  await Promise.allSettled([client.get('a'), client.get('b')]);
  const refused = spans().find(({ attributes }) => attributes['error.type'] === 'MEMCACHE_OVERLOADED');
  expect(refused).toMatchObject({ name: `get ${server.address}`, attributes: { 'server.address': '127.0.0.1', 'server.port': server.port } });
  await client.close();
});

it('what is under way ends with the report, and afterwards nothing is reported', async () => {
  const server = await ScriptedServer.start((c) => c.hold());
  const client = new Client(server.address, { timeout: 50 });
  const pending = client.get('a').catch(() => undefined);
  stop();
  expect(spans()).toHaveLength(1);
  await pending;
  await client.get('b').catch(() => undefined);
  expect(spans()).toHaveLength(1);
  await client.close();
  await server.close();
});

it('a tracer that throws harms no call', async () => {
  stop();
  const broken = { getTracer: () => ({ startSpan: () => { throw new Error('broken'); }, startActiveSpan: () => undefined as never }) };
  stop = instrument({ tracerProvider: broken });
  const client = new Client(servers[0]?.address);
  expect(await client.set('a', 1)).toBe(true);
  await client.close();
});

it('an option that does not exist, or is not legal, is refused by name', () => {
  expect(() => instrument(illegal({ connectionMetric: true }))).toThrow('"connectionMetric"; the options are tracerProvider, meterProvider, connectionMetrics');
  expect(() => instrument({ meterProvider: illegal(trace) })).toThrow('meterProvider must be a MeterProvider');
});
