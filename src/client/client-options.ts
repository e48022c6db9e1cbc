import { MemcacheIllegalInputError, type MemcacheError } from '../errors';
import { option, settingsAmong, type OptionTable, type Settings } from '../options/option';
import { functionOf, isObject, MILLISECONDS, objectWith, SWITCH, valueThat, wholeNumber, type Rule } from '../options/rule';
import { isBytes } from '../protocol/bytes';
import { DEFAULT_MAX_VALUE_SIZE } from '../protocol/limits';
import { systemClock, type Clock } from '../runtime/clock';
import type { Serde } from '../serde/serde';
import type { CacheValue } from '../serde/typed-serde';
import type { DiagnosticsOptions } from './call-observer';
import { parseServerAddress, type Credentials, type ServerAddress, type ServerInput } from './server-address';
import { connectSocket, type Connect, type TlsOptions } from './wire/transport';

/** How a connection behaves. All durations are in milliseconds. */
export interface ConnectionOptions {
  /**
   * How long making a connection may take, including name look-up, TLS and authentication; 0 = no limit.
   * @default 1000
   */
  connectTimeout?: number | undefined;
  /**
   * How long a call may take, from the call to its result; 0 = no limit. A reply that trickles in does not extend it. After it
   * the call rejects with `MemcacheTimeoutError`.
   * @default 1000
   */
  timeout?: number | undefined;
  /**
   * Send small packets at once (TCP_NODELAY).
   * @default true
   */
  noDelay?: boolean | undefined;
  /**
   * TCP keep-alive: `true` for 60 000, or the idle time before the first packet, in whole seconds, rounded up. A peer that does not
   * answer ten packets, a second apart, is gone.
   * @default false
   */
  keepAlive?: boolean | number | undefined;
  /**
   * TLS: `true`, or options of `tls.connect` such as `ca`, `cert`, `key`, `servername`. Certificates are verified
   * unless `rejectUnauthorized: false` says otherwise.
   * @default false, or true for a `memcacheds://` address
   */
  tls?: boolean | TlsOptions | undefined;
  /**
   * Credentials of memcached's text authentication; they take precedence over those in the address. They hold no whitespace and no
   * control characters, the name no colon: older servers take no password with a space.
   */
  auth?: Credentials | undefined;
  /**
   * How many calls may be waiting for a reply on one connection; one more is refused with `MemcacheOverloadedError`. In a pool it
   * waits for another connection.
   * @default 32768
   */
  maxPending?: number | undefined;
  /**
   * The largest value, in bytes, sent or received. Set it to the server's own limit if it was started with `-I`.
   * @default 1048576
   */
  maxValueSize?: number | undefined;
  /**
   * Whether the server is a proxy: twemproxy, mcrouter, memcached's own. Every key then travels in a line of its own, and
   * commands that some of these proxies do not know are refused with `MemcacheUnknownCommandError` before a byte is sent:
   * `gat`, `gats`, the meta commands, `stats`, `flushAll`, `verbosity`, `cacheMemlimit`, `shutdown`.
   * @default false
   */
  proxy?: boolean | undefined;
  /** The source of time, for tests. @default the machine's */
  clock?: Clock | undefined;
  /**
   * How a byte stream to a server is opened, for tests and tunnels. If it throws, calls reject with `MemcacheConnectError`.
   *
   * @default sockets of node:net and node:tls
   */
  connect?: Connect | undefined;
}

/** How a client behaves, in addition to its connection. */
export interface ClientOptions<Out = CacheValue, In = Out> extends ConnectionOptions {
  /** How values become bytes and flags, and back. @default a `TypedSerde`: what goes in comes out */
  serde?: Serde<Out, In> | undefined;
  /**
   * Put in front of every key; it is never part of a result, and does not affect which server of a cluster owns a key.
   * @default ''
   */
  keyPrefix?: string | Uint8Array | undefined;
  /**
   * Whether keys may hold bytes beyond ASCII (strings are sent as UTF-8).
   * @default false
   */
  allowUnicodeKeys?: boolean | undefined;
  /**
   * Whether set, add, replace, append, prepend, setMany, delete, deleteMany, touch and flushAll ask the server not to answer,
   * unless a call has its own `noreply`. They then resolve as if they had succeeded as soon as they are written, whatever happens then.
   * @default false
   */
  defaultNoreply?: boolean | undefined;
  /**
   * Whether a read that fails is a miss instead of an error: get, gets, gat, gats, getMany, getsMany, metaGet, stats, version.
   * Illegal input and failed writes stay errors. A function is called with each error that became a miss; `metrics()` counts
   * them.
   * @default false
   */
  ignoreErrors?: boolean | ((error: MemcacheError) => void) | undefined;
  /**
   * Whether errors carry the stack of the call, below that of the place where they arose. It costs a few microseconds per call.
   * @default false
   */
  callerStack?: boolean | undefined;
  /**
   * What the channels of `CHANNELS` tell of calls: `key` returns what may be published of the first key of a call, `sample` is the
   * share of calls, 0 to 1, that are published on `CHANNELS.command`.
   * @default no key, and all calls
   */
  diagnostics?: DiagnosticsOptions | undefined;
  /**
   * After trouble with the server, calls fail at once, with the class of the last failure and `notSent`. After a quarter to the
   * whole of this time (at random, so that many clients do not return at once) one call at a time probes the server until it
   * answers. 0 = off: during an outage every call tries anew, and may wait for its time-out.
   * @default 0
   */
  retryTimeout?: number | undefined;
}

const CLOCK = objectWith<Clock>('a Clock', 'now', 'time', 'setTimeout', 'setImmediate');

/** A switch, or what `rule` allows. */
function switchOr<T>({ is, allows }: Rule<T>): Rule<boolean | T> {
  return valueThat(`true, false or ${is}`, (value) => SWITCH.allows(value) || allows(value));
}

/** memcached splits `username password` at spaces, and the lines of its password file at the first colon. */
const CREDENTIALS = {
  username: [/^[^\s:\p{Cc}]+$/u, 'whitespace, colons'],
  password: [/^[^\s\p{Cc}]+$/u, 'whitespace'],
} as const;

const AUTH = valueThat<Credentials>(
  '{ username, password }, both strings',
  (auth) => badCredential(auth) === undefined,
  (name, auth) => `${name}${badCredential(auth) ?? ''}`,
);

/** What is wrong with credentials: the rest of a message that begins with the name of the option. */
function badCredential(auth: unknown): string | undefined {
  if (!isObject(auth)) return ` must be ${AUTH.is}`;
  for (const [part, [pattern, without]] of Object.entries(CREDENTIALS)) {
    const value = (auth as Readonly<Record<string, unknown>>)[part];
    if (typeof value !== 'string' || !pattern.test(value)) return `.${part} must be a string without ${without} and control characters`;
  }
  return undefined;
}

/** The options of a connection. */
export const CONNECTION_OPTIONS = {
  connectTimeout: option(MILLISECONDS, 1000),
  timeout: option(MILLISECONDS, 1000),
  noDelay: option(SWITCH, true),
  keepAlive: option(switchOr(MILLISECONDS), false),
  tls: option(switchOr(valueThat<TlsOptions>('an object of options for tls.connect', isObject))),
  auth: option(AUTH),
  maxPending: option(wholeNumber(1, 2 ** 30), 32_768),
  maxValueSize: option(wholeNumber(1, 2 ** 30, 'bytes'), DEFAULT_MAX_VALUE_SIZE),
  proxy: option(SWITCH, false),
  clock: option(CLOCK, systemClock),
  connect: option(functionOf<Connect>(), connectSocket),
} satisfies OptionTable<ConnectionOptions>;

/** Only the type: whether the prefix is legal depends on `allowUnicodeKeys`, and the client checks that itself. */
const PREFIX: Rule<string | Uint8Array> = valueThat(
  'a string or bytes',
  (value) => typeof value === 'string' || isBytes(value),
);

const DIAGNOSTICS = valueThat<DiagnosticsOptions>('{ key, sample }, a function and a number from 0 to 1', (value) => {
  if (!isObject(value) || Object.keys(value).some((name) => name !== 'key' && name !== 'sample')) return false;
  const { key, sample = 1 }: { key?: unknown; sample?: unknown } = value;
  return (key === undefined || typeof key === 'function') && typeof sample === 'number' && sample >= 0 && sample <= 1;
});

/** The options for keys, values and errors, which another client over the same executor needs too. */
export const VALUE_OPTIONS = {
  serde: option(
    objectWith<Serde<unknown>>('an object with serialize and deserialize, for example new JsonSerde()', 'serialize', 'deserialize'),
  ),
  keyPrefix: option(PREFIX, ''),
  allowUnicodeKeys: option(SWITCH, false),
  defaultNoreply: option(SWITCH, false),
  ignoreErrors: option(switchOr(functionOf<(error: MemcacheError) => void>()), false),
  callerStack: option(SWITCH, false),
  diagnostics: option(DIAGNOSTICS),
  maxValueSize: CONNECTION_OPTIONS.maxValueSize,
  clock: CONNECTION_OPTIONS.clock,
};

/** The options of a client, those of its connection included. */
export const CLIENT_OPTIONS = {
  ...CONNECTION_OPTIONS,
  ...VALUE_OPTIONS,
  retryTimeout: option(MILLISECONDS, 0),
} satisfies OptionTable<ClientOptions<unknown>>;

/** {@link ConnectionOptions} for one server, checked, with every default filled in. */
export interface ConnectionSettings extends Omit<Settings<typeof CONNECTION_OPTIONS>, 'keepAlive' | 'tls'> {
  readonly address: ServerAddress;
  /** Idle milliseconds before the first keep-alive packet; undefined for no keep-alive. */
  readonly keepAlive: number | undefined;
  readonly tls: TlsOptions | undefined;
}

/**
 * Checks a server and the options of a connection to it. Whoever makes connections later keeps what this returns, since the caller
 * may change what was given. It takes what it returns, too.
 *
 * @throws MemcacheIllegalInputError naming the option, or the part of the address
 */
export function connectionSettings(server: ServerInput | ServerAddress, options: ConnectionOptions): ConnectionSettings {
  const address = parseServerAddress(server);
  // Not a copy, which would lack what the options inherit.
  const settings = settingsAmong(CONNECTION_OPTIONS, { __proto__: options, auth: (options as ConnectionOptions | null)?.auth ?? address.auth });
  const { keepAlive, tls, auth } = settings;
  if (tls === false && address.tls) throw new MemcacheIllegalInputError('tls: false contradicts the address memcacheds://…');
  const plain = {
    ...settings,
    address,
    // Node takes whole seconds, and 0 for "as the system has it": two hours.
    keepAlive: keepAlive === false ? undefined : keepAlive === true ? 60_000 : Math.ceil(keepAlive / 1000 || 1) * 1000,
    tls: typeof tls === 'object' ? tls : (tls ?? address.tls) ? {} : undefined,
  };
  // Not enumerable, so that the password shows neither in an inspection nor in JSON.
  return Object.defineProperty(plain, 'auth', { value: auth && { username: auth.username, password: auth.password }, enumerable: false });
}
