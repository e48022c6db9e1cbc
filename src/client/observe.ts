/**
 * What is published on `node:diagnostics_channel`: the names, the messages, and how an operation is traced.
 *
 * No message is made unless somebody listens. None holds a key, a value, credentials, a line of the protocol or the text of a
 * server's error; only the option `diagnostics.key` can add a sanitized first key.
 */
import { channel, tracingChannel, type Channel, type TracingChannel } from 'node:diagnostics_channel';
import { MemcacheError, type Certainty } from '../errors';

// Each by itself, so that a bundle leaves out those that it does not use.
const COMMAND = 'tsmemcache:command';
const CONNECT = 'tsmemcache:connect';
const CONNECTION_READY = 'tsmemcache:connection:ready';
const CONNECTION_CLOSED = 'tsmemcache:connection:closed';
const BATCH = 'tsmemcache:batch';
const POOL_WAIT = 'tsmemcache:pool:wait';
const SERVER_STATE = 'tsmemcache:server:state';
const SERVERS = 'tsmemcache:servers';
const RETRY = 'tsmemcache:retry';
const TIMEOUT = 'tsmemcache:timeout';
const OVERLOAD = 'tsmemcache:overload';
const LOAD = 'tsmemcache:load';
const CACHE = 'tsmemcache:cache';

/**
 * The names of the channels, as `channel()` and `tracingChannel()` of `node:diagnostics_channel` take them. `command`,
 * `connect` and `load` are tracing channels: each `start` has one `asyncEnd`.
 */
export const CHANNELS = {
  /** Tracing: a call of a method, from the call to its result, all its attempts included. */
  command: COMMAND,
  /** Tracing: a connection being made, TLS and authentication included. */
  connect: CONNECT,
  /** A connection has become usable. */
  connectionReady: CONNECTION_READY,
  /** A usable connection has ended. */
  connectionClosed: CONNECTION_CLOSED,
  /** Calls were written to a socket together. */
  batch: BATCH,
  /** A call has waited for a connection of a pool. */
  poolWait: POOL_WAIT,
  /** A server's state has changed: one of a cluster, or that of a client with `retryTimeout`. */
  serverState: SERVER_STATE,
  /** The servers of a cluster have changed. */
  servers: SERVERS,
  /** A call that failed is about to be repeated. */
  retry: RETRY,
  /** The deadline of a call has passed. */
  timeout: TIMEOUT,
  /** A call was refused because too many were waiting. */
  overload: OVERLOAD,
  /** Tracing: the loader of a read-through cache. */
  load: LOAD,
  /** What a read-through cache did. */
  cache: CACHE,
} as const;

/** The outcome of a call for one key. */
export type CommandOutcome = 'hit' | 'miss' | 'stored' | 'notStored' | 'exists' | 'ok';

/** What is published of an error: no text of a server, no cause, no value. Its stack is that of the error. */
export class ObservedError extends Error {
  /** The code of the error; `ABORTED` when the caller's signal fired, `ERROR` for what is not an error of this package. */
  readonly code: string;
  readonly certainty: Certainty | undefined;
  readonly server: string | undefined;
  readonly command: string | undefined;

  constructor(name: string, code: string, of?: MemcacheError) {
    super(`the call failed with ${code}`);
    this.name = name;
    this.code = code;
    this.certainty = of?.certainty;
    this.server = of?.server;
    this.command = of?.command;
  }
}

/**
 * The part of `error` that may be published.
 *
 * @param signal - that of the call: its reason is not published
 */
export function observed(error: unknown, signal?: AbortSignal): ObservedError {
  if (error instanceof MemcacheError) {
    const shown = new ObservedError(error.name, error.code, error);
    // The lines before the frames are the message. It is no string where the program has an `Error.prepareStackTrace` of its own.
    const frames = String(error.stack).match(/^ {4}at .*$/gm) ?? [];
    shown.stack = [`${shown.name}: ${shown.message}`, ...frames].join('\n');
    return shown;
  }
  const name = wordOf(error, 'name', /^\w{1,40}$/) ?? 'Error';
  if (name === 'AbortError' || (signal?.aborted && signal.reason === error)) return new ObservedError('AbortError', 'ABORTED');
  return new ObservedError(name, wordOf(error, 'code', /^[A-Z][A-Z0-9_]{1,39}$/) ?? 'ERROR');
}

/** The property, if it is a single word such as `ECONNRESET`: anything else might be a message. */
function wordOf(error: unknown, property: 'name' | 'code', pattern: RegExp): string | undefined {
  const word = stringFrom(() => (error as Record<string, unknown>)[property]);
  return pattern.test(word ?? '') ? word : undefined;
}

/** What code of the user's own returns, a getter for example: undefined when that is no string, or when it throws, which must fail no call. */
export function stringFrom(get: () => unknown): string | undefined {
  try {
    const value = get();
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Every message names the client by its `client.clientId`. */
interface OfClient {
  readonly clientId: number;
}

/** On {@link CHANNELS.command}. The properties after `key` are set at the end. */
export interface CommandMessage extends OfClient {
  /** The protocol's verb, as in `error.command`. */
  readonly command: string;
  /** How many keys; 0 for a command to servers. */
  readonly keyCount: number;
  /** The server's name; undefined when several are asked. In a cluster it is known from `end` on. */
  server?: string | undefined;
  /** What `diagnostics.key` makes of the first key. */
  key?: string | undefined;
  /** Only for a call for one key. */
  outcome?: CommandOutcome | undefined;
  /** How many of the keys were found, for commands that read. */
  hits?: number | undefined;
  /** How many attempts were made. */
  attempts?: number | undefined;
  error?: ObservedError | undefined;
}

/** On {@link CHANNELS.connect}. */
export interface ConnectMessage extends OfClient {
  readonly server: string;
  readonly tls: boolean;
  /** Set at the end, if no connection could be made. */
  error?: ObservedError | undefined;
}

/** On {@link CHANNELS.connectionReady}. */
export interface ConnectionReadyMessage extends OfClient {
  readonly server: string;
  /** How long it took to connect, in milliseconds. */
  readonly durationMs: number;
}

/** On {@link CHANNELS.connectionClosed}. */
export interface ConnectionClosedMessage extends OfClient {
  readonly server: string;
  /** The code of what went wrong; undefined when nothing did. */
  readonly code: string | undefined;
  /** How many calls were waiting on it, besides those that were late or had an unusable reply: these were told before. */
  readonly pending: number;
  /** Milliseconds since it was ready. */
  readonly ageMs: number;
}

/** On {@link CHANNELS.batch}. */
export interface BatchMessage extends OfClient {
  readonly server: string;
  /** How many calls were written; 0 for the data of one before which the server was asked for its version, which counted it. */
  readonly calls: number;
  readonly bytes: number;
}

/** On {@link CHANNELS.poolWait}. */
export interface PoolWaitMessage extends OfClient {
  readonly server: string;
  /** How long the call has waited, in milliseconds. */
  readonly waitMs: number;
  /** How many calls still wait. */
  readonly waiting: number;
}

/** The states of a server, as `servers()` has them. */
export type ServerState = 'healthy' | 'failing' | 'dead';

/** On {@link CHANNELS.serverState}. */
export interface ServerStateMessage extends OfClient {
  readonly server: string;
  readonly from: ServerState;
  readonly to: ServerState;
  /** The code of the failure; undefined when the server is back. */
  readonly code: string | undefined;
}

/** On {@link CHANNELS.servers}. */
export interface ServersMessage extends OfClient {
  /** The names of the servers that were added and removed. */
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

/** On {@link CHANNELS.retry}. */
export interface RetryMessage extends OfClient {
  readonly command: string;
  /** How many attempts were made. */
  readonly attempt: number;
  /** How long the call has waited since then, in milliseconds: the next attempt follows at once. */
  readonly delayMs: number;
  /** The code of the error of the last attempt. */
  readonly code: string;
  readonly certainty: Certainty;
}

/** On {@link CHANNELS.timeout}. */
export interface TimeoutMessage extends OfClient {
  /** Undefined when it waited for the list of a cluster's servers. */
  readonly server: string | undefined;
  readonly command: string;
  /** `notSent` when it waited for a connection, or for room on one; `maybeExecuted` when it waited for its reply. */
  readonly certainty: Certainty;
  /** How many calls wait on its connection, itself included; for that server if it was waiting for a connection of a pool, or for that list. */
  readonly pending: number;
  /** The limit that it exceeded, in milliseconds. */
  readonly limitMs: number;
}

/** On {@link CHANNELS.overload}. */
export interface OverloadMessage extends OfClient {
  readonly server: string;
  readonly command: string;
  /** How many calls wait for that server: the limit that was reached. */
  readonly pending: number;
  /** How long the call could have taken, in milliseconds: the option `timeout`. */
  readonly limitMs: number;
}

/** On {@link CHANNELS.load}. `outcome` and `error` are set at the end. */
export interface LoadMessage extends OfClient {
  /** The cache's name. */
  readonly name: string;
  /** What `diagnostics.key` makes of the key. */
  key?: string | undefined;
  /** `loaded` or `load-error`. */
  outcome?: string | undefined;
  /** Age of the value that is to be replaced, as in {@link CacheMessage}. */
  ageMs?: number | undefined;
  error?: ObservedError | undefined;
}

/** On {@link CHANNELS.cache}. */
export interface CacheMessage extends OfClient {
  /** The cache's name. */
  readonly name: string;
  /** What happened: the name of the event, such as `hit`, `stale-hit` or `load`. */
  readonly outcome: string;
  /**
   * Age of the value that the server had, in milliseconds, as far as its time to live tells it: in whole seconds, and what
   * `jitter` took from its life counts as age. Undefined where it does not, for example when `expire` is a function.
   */
  readonly ageMs?: number | undefined;
  readonly key?: string | undefined;
}

/** The message of each channel, by its name. */
export interface ChannelMessages {
  'tsmemcache:command': CommandMessage;
  'tsmemcache:connect': ConnectMessage;
  'tsmemcache:connection:ready': ConnectionReadyMessage;
  'tsmemcache:connection:closed': ConnectionClosedMessage;
  'tsmemcache:batch': BatchMessage;
  'tsmemcache:pool:wait': PoolWaitMessage;
  'tsmemcache:server:state': ServerStateMessage;
  'tsmemcache:servers': ServersMessage;
  'tsmemcache:retry': RetryMessage;
  'tsmemcache:timeout': TimeoutMessage;
  'tsmemcache:overload': OverloadMessage;
  'tsmemcache:load': LoadMessage;
  'tsmemcache:cache': CacheMessage;
}

/** A channel for events. A message is made only where it has subscribers. */
export interface Notices<Name extends keyof ChannelMessages> extends Channel {
  publish(message: ChannelMessages[Name]): void;
}

/**
 * Where Node's channel keeps the stores that are bound to it. A channel that certainly has none need not `runStores`, which is a
 * fifth of what a heard call costs. There is no method that tells; where the field is not what it was, `runStores` is used.
 */
interface KnowsStores {
  readonly _stores?: { readonly size: number };
}

/**
 * A channel for operations, published as by Node's `tracingChannel`, except that no message ever holds the result.
 */
export class Traces<Name extends keyof ChannelMessages> {
  // Looked up once: every call asks whether one of them is heard.
  readonly #channels: TracingChannel;

  constructor(name: Name) {
    this.#channels = tracingChannel(name);
  }

  /** Whether anybody listens. */
  get heard(): boolean {
    const { start, end, asyncStart, asyncEnd, error } = this.#channels;
    return start.hasSubscribers || asyncEnd.hasSubscribers || end.hasSubscribers || asyncStart.hasSubscribers || error.hasSubscribers;
  }

  /**
   * Publishes `start`, calls `run` with `argument` in the context of the stores bound to the channel, and publishes `end`. The
   * caller must call {@link finish} once.
   */
  begin<T, A>(message: ChannelMessages[Name], run: (argument: A) => T, argument: A): T {
    const { start, end }: { readonly start: Channel & KnowsStores; readonly end: Channel } = this.#channels;
    if (start._stores?.size !== 0) return start.runStores(message, runAndEnd<T, A>, undefined, run, argument, end, message);
    start.publish(message);
    return runAndEnd(run, argument, end, message);
  }

  /** Publishes `error` if the message has one, then `asyncStart` and `asyncEnd`. */
  finish(message: ChannelMessages[Name] & { readonly error?: ObservedError | undefined }): void {
    const { asyncStart, asyncEnd, error } = this.#channels;
    if (message.error !== undefined) error.publish(message);
    asyncStart.publish(message);
    asyncEnd.publish(message);
  }
}

/** A function of the module, as a closure for each call would be garbage. */
function runAndEnd<T, A>(run: (argument: A) => T, argument: A, end: Channel, message: unknown): T {
  try {
    return run(argument);
  } finally {
    end.publish(message);
  }
}

export const commands = new Traces(COMMAND);
export const connects = new Traces(CONNECT);
export const connectionsReady: Notices<typeof CONNECTION_READY> = channel(CONNECTION_READY);
export const connectionsClosed: Notices<typeof CONNECTION_CLOSED> = channel(CONNECTION_CLOSED);
export const batches: Notices<typeof BATCH> = channel(BATCH);
export const poolWaits: Notices<typeof POOL_WAIT> = /* @__PURE__ */ channel(POOL_WAIT);
export const serverStates: Notices<typeof SERVER_STATE> = channel(SERVER_STATE);
export const serverLists: Notices<typeof SERVERS> = /* @__PURE__ */ channel(SERVERS);
export const retries: Notices<typeof RETRY> = /* @__PURE__ */ channel(RETRY);
export const timeouts: Notices<typeof TIMEOUT> = channel(TIMEOUT);
export const overloads: Notices<typeof OVERLOAD> = channel(OVERLOAD);
export const loads = /* @__PURE__ */ new Traces(LOAD);
export const cacheEvents: Notices<typeof CACHE> = /* @__PURE__ */ channel(CACHE);

let lastClientId = 0;

/** A number for a new client, which its messages carry. */
export function nextClientId(): number {
  return ++lastClientId;
}
