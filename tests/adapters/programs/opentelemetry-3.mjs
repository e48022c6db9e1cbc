// The SDK of OpenTelemetry 3, which does not fit beside the one that is installed: FOLDER is where it was fetched.
import { createRequire } from 'node:module';
import { newClient, root, telemetry } from './load.mjs';

const fetched = createRequire(`${process.env.FOLDER}/`);
const { context, trace } = fetched('@opentelemetry/api');
const { AsyncLocalStorageContextManager } = fetched('@opentelemetry/context-async-hooks');
const { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } = fetched('@opentelemetry/sdk-trace');
const { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } = fetched('@opentelemetry/sdk-metrics');

context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
const spans = new InMemorySpanExporter();
const tracerProvider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: spans })] });
trace.setGlobalTracerProvider(tracerProvider);
const metrics = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const reader = new PeriodicExportingMetricReader({ exporter: metrics, exportIntervalMillis: 3_600_000 });
const meterProvider = new MeterProvider({ readers: [reader] });

const stop = telemetry('opentelemetry').instrument({ meterProvider, connectionMetrics: true });
const client = newClient();
const lost = new root.Client('127.0.0.1:1');
await trace.getTracer('app').startActiveSpan('request', async (span) => {
  await Promise.all([client.set('otel', 1), client.get('otel'), client.getMany(['otel', 'none']), lost.get('otel').catch(() => undefined)]);
  span.end();
});
await reader.forceFlush();
stop();
await Promise.all([client.close(), lost.close()]);

const [request, ...calls] = spans.getFinishedSpans().sort((a, b) => Number(a.name !== 'request') - Number(b.name !== 'request'));
const told = calls.map(({ name, kind, attributes, parentSpanContext }) => [
  name.split(' ')[0],
  kind,
  attributes['tsmemcache.outcome'] ?? attributes['db.operation.batch.size'] ?? attributes['error.type'],
  parentSpanContext?.spanId === request.spanContext().spanId,
]);
const counted = metrics.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics.map(({ descriptor }) => descriptor.name)));
console.log(JSON.stringify({ told: told.map((each) => each.join(' ')).sort(), counted: [...new Set(counted)].sort() }));
