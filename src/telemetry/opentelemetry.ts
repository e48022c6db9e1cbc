/**
 * OpenTelemetry spans and metrics, by its conventions for database clients.
 *
 * https://opentelemetry.io/docs/specs/semconv/db/
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import {
  context,
  metrics,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type Histogram,
  type Meter,
  type MeterProvider,
  type Span,
  type TracerProvider,
} from '@opentelemetry/api';
import { CHANNELS, type ChannelMessages, type CommandMessage, type ObservedError } from '../client/observe';
import { option, settingsOf, type OptionTable } from '../options/option';
import { SWITCH, objectWith } from '../options/rule';
import { systemClock } from '../runtime/clock';

/** Where {@link instrument} reports to, and whether it goes beyond the stable conventions. */
export interface InstrumentOptions {
  /** Where spans go. @default the global one at the time of the call */
  tracerProvider?: TracerProvider | undefined;
  /** Where metrics go. @default the global one at the time of the call */
  meterProvider?: MeterProvider | undefined;
  /**
   * Whether to report `db.client.connection.count`, `.create_time`, `.wait_time` and `.timeouts` too; their conventions may still
   * change.
   * @default false
   */
  connectionMetrics?: boolean | undefined;
}

/** The options of {@link instrument}. @internal */
export const INSTRUMENT_OPTIONS = {
  tracerProvider: option(objectWith<TracerProvider>('a TracerProvider', 'getTracer')),
  meterProvider: option(objectWith<MeterProvider>('a MeterProvider', 'getMeter')),
  connectionMetrics: option(SWITCH, false),
} satisfies OptionTable<InstrumentOptions>;

const NAME = 'tsmemcache';
/** In seconds. The list in the conventions is for databases, which are slower than a cache. */
const BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** A span that has not ended. */
interface Open {
  readonly span: Span;
  /** On the monotonic clock, in milliseconds. */
  readonly since: number;
}

/**
 * Reports every call of every client of this process, until the returned function is called. Each call is a span of kind CLIENT,
 * a child of the span that is active where it is made, and counts in the metric `db.client.operation.duration`. A call that is
 * repeated is one span. The loads of a read-through cache are spans of kind INTERNAL; what a loader does is below the span of
 * its caller, beside that of the load.
 *
 * Each call of this function reports on its own: called twice for the same providers, everything is told twice.
 *
 * Keys, values and the messages of servers are never reported.
 *
 * @returns a function that stops reporting, and ends the spans of calls under way
 * @throws MemcacheIllegalInputError naming the option that is not legal
 */
export function instrument(options: InstrumentOptions = {}): () => void {
  const settings = settingsOf(INSTRUMENT_OPTIONS, options);
  const tracer = (settings.tracerProvider ?? trace.getTracerProvider()).getTracer(NAME);
  const meter = (settings.meterProvider ?? metrics.getMeterProvider()).getMeter(NAME);
  const duration = histogramOfSeconds(meter, 'db.client.operation.duration', 'Duration of database client operations.');
  const open = new Map<object, Open>();

  const start = (message: object, name: string, kind: SpanKind, attributes: Attributes): void => {
    // The caller's context is only active now: calls are batched later.
    open.set(message, { span: tracer.startSpan(name, { kind, attributes }, context.active()), since: systemClock.now() });
  };
  const end = (message: object, attributes: Attributes, error: ObservedError | undefined): Open | undefined => {
    const entry = open.get(message);
    open.delete(message);
    entry?.span.setAttributes(attributes);
    if (error !== undefined) entry?.span.setStatus({ code: SpanStatusCode.ERROR }).setAttribute('error.type', error.code);
    entry?.span.end();
    return entry;
  };

  const stops = [
    on(CHANNELS.command, (message) => {
      start(message, nameOf(message), SpanKind.CLIENT, { ...attributesOf(message), ...batchSize(message) });
    }, 'start'),
    on(CHANNELS.command, (message) => {
      const { outcome, hits, attempts, error } = message;
      const attributes = attributesOf(message);
      const more = defined({ 'tsmemcache.outcome': outcome, 'tsmemcache.hits': hits, 'tsmemcache.attempts': attempts });
      // The key's owner is known by now.
      open.get(message)?.span.updateName(nameOf(message));
      const entry = end(message, { ...attributes, ...more }, error);
      if (entry === undefined) return;
      duration.record((systemClock.now() - entry.since) / 1000, { ...attributes, ...defined({ 'error.type': error?.code }) });
    }, 'asyncEnd'),
    on(CHANNELS.load, (message) => {
      start(message, `load ${message.name}`.trimEnd(), SpanKind.INTERNAL, { 'tsmemcache.cache.name': message.name });
    }, 'start'),
    on(CHANNELS.load, (message) => {
      end(message, defined({ 'tsmemcache.outcome': message.outcome }), message.error);
    }, 'asyncEnd'),
  ];
  if (settings.connectionMetrics) stops.push(...reportConnections(meter));
  return () => {
    for (const stop of stops) stop();
    for (const { span } of open.values()) span.end();
    open.clear();
  };
}

/**
 * Reports the connections of all clients, and how long it takes to make and to get one.
 *
 * @returns what stops it
 */
function reportConnections(meter: Meter): (() => void)[] {
  const count = meter.createUpDownCounter('db.client.connection.count', { description: 'Connections that can be used.', unit: '{connection}' });
  const createTime = histogramOfSeconds(meter, 'db.client.connection.create_time', 'The time it took to create a new connection.');
  const waitTime = histogramOfSeconds(meter, 'db.client.connection.wait_time', 'The time it took to obtain an open connection from the pool.');
  const late = meter.createCounter('db.client.connection.timeouts', {
    description: 'The number of connection timeouts that have occurred trying to obtain a connection from the pool.',
    unit: '{timeout}',
  });
  const pool = (server: string): Attributes => ({ 'db.client.connection.pool.name': server });
  const counted = new Map<string, number>();
  const add = (server: string, connections: number): void => {
    counted.set(server, (counted.get(server) ?? 0) + connections);
    // The conventions ask for a state. A connection carries everybody's calls at once, and nobody borrows it.
    count.add(connections, { ...pool(server), 'db.client.connection.state': 'used' });
  };
  const since = systemClock.now();
  return [
    on(CHANNELS.connectionReady, ({ server, durationMs }) => {
      add(server, 1);
      createTime.record(durationMs / 1000, pool(server));
    }),
    on(CHANNELS.connectionClosed, ({ server, ageMs }) => {
      // One that is older than the report was never added to it.
      if (systemClock.now() - ageMs >= since && (counted.get(server) ?? 0) > 0) add(server, -1);
    }),
    on(CHANNELS.poolWait, ({ server, waitMs }) => {
      waitTime.record(waitMs / 1000, pool(server));
    }),
    on(CHANNELS.timeout, ({ server, certainty }) => {
      // The others had a connection, and waited for their reply.
      if (server !== undefined && certainty === 'notSent') late.add(1, pool(server));
    }),
    // Nobody will tell of the end of those that are still open, and a later report begins at the same sum.
    () => {
      for (const [server, connections] of counted) add(server, -connections);
      counted.clear();
    },
  ];
}

function histogramOfSeconds(meter: Meter, name: string, description: string): Histogram {
  return meter.createHistogram(name, { description, unit: 's', advice: { explicitBucketBoundaries: BUCKETS } });
}

/** By the conventions: the operation, and the server if there is only one. */
function nameOf(message: CommandMessage): string {
  const server = serverOf(message);
  return server === undefined ? message.command : `${message.command} ${server}`;
}

/** Of a call that was refused before it reached its server, the error knows it. */
function serverOf({ server, error }: CommandMessage): string | undefined {
  return server ?? error?.server;
}

function attributesOf(message: CommandMessage): Attributes {
  const { command } = message;
  const server = serverOf(message);
  return { 'db.system.name': 'memcached', 'db.operation.name': command, ...(server !== undefined && addressOf(server)) };
}

/** Not for metrics, where each size would be a series of its own. One key is not a batch. */
function batchSize({ keyCount }: CommandMessage): Attributes {
  return keyCount >= 2 ? { 'db.operation.batch.size': keyCount } : {};
}

/** `host:port`, IPv6 without brackets, or the path of a socket. */
function addressOf(server: string): Attributes {
  const [, host, port] = /^([^/].*):(\d+)$/.exec(server) ?? [];
  return host === undefined ? { 'server.address': server } : { 'server.address': host, 'server.port': Number(port) };
}

/** The attributes that are known. */
function defined(attributes: Attributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined));
}

/** Subscribes; an error of a processor or exporter must not end the process, as one thrown in a subscriber would. */
function on<Name extends keyof ChannelMessages>(
  name: Name,
  listener: (message: ChannelMessages[Name]) => void,
  event?: 'start' | 'asyncEnd',
): () => void {
  const channel = event === undefined ? name : `tracing:${name}:${event}`;
  const onMessage = (message: unknown): void => {
    try {
      listener(message as ChannelMessages[Name]);
    } catch {
      // A failing report must not fail the call.
    }
  };
  subscribe(channel, onMessage);
  return () => {
    unsubscribe(channel, onMessage);
  };
}
