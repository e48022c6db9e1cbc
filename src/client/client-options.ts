import { MemcacheIllegalInputError } from '../errors';
import { DEFAULT_MAX_VALUE_SIZE } from '../protocol/limits';
import { systemClock, type Clock } from '../runtime/clock';
import type { Serde } from '../serde/serde';
import type { CacheValue } from '../serde/typed-serde';
import type { Credentials, ServerAddress } from './server-address';
import { connectSocket, type Connect, type TlsOptions } from './wire/transport';

/** How a connection behaves. All durations are in milliseconds. */
export interface ConnectionOptions {
  /**
   * How long making a connection may take, name look-up, TLS and authentication included; 0 = no limit.
   * @default 1000
   */
  connectTimeout?: number | undefined;
  /**
   * How long a call may take, from the call to its result; 0 = no limit. A reply that trickles in does not extend it.
   * @default 1000
   */
  timeout?: number | undefined;
  /**
   * Send small packets at once (TCP_NODELAY).
   * @default true
   */
  noDelay?: boolean | undefined;
  /**
   * TCP keep-alive: `true`, or the idle time before the first probe.
   * @default false
   */
  keepAlive?: boolean | number | undefined;
  /**
   * TLS: `true`, or options of `tls.connect` such as `ca`, `cert`, `key`, `servername`. Certificates are verified
   * unless `rejectUnauthorized: false` says otherwise.
   * @default false, or true for a `memcacheds://` address
   */
  tls?: boolean | TlsOptions | undefined;
  /** Credentials of memcached's text authentication; they win over those in the address. */
  auth?: Credentials | undefined;
  /**
   * How many calls may be waiting for a reply on one connection; one more is refused with `MemcacheOverloadedError`.
   * @default 32768
   */
  maxPending?: number | undefined;
  /**
   * The largest value, in bytes, sent or received. Set it when the server was started with another `-I`.
   * @default 1048576
   */
  maxValueSize?: number | undefined;
  /** The source of time, for tests. @default the machine's */
  clock?: Clock | undefined;
  /** How a byte stream to a server is opened, for tests and tunnels. @default sockets of node:net and node:tls */
  connect?: Connect | undefined;
}

/** How a client behaves, beside its connection. */
export interface ClientOptions<Out = CacheValue, In = Out> extends ConnectionOptions {
  /** How values become bytes and flags, and back. @default a `TypedSerde`: what goes in comes out */
  serde?: Serde<Out, In> | undefined;
  /**
   * Put in front of every key; never part of a result, nor of the placement in a cluster.
   * @default ''
   */
  keyPrefix?: string | Uint8Array | undefined;
  /**
   * Whether bytes beyond ASCII (text is sent as UTF-8) are allowed in keys.
   * @default false
   */
  allowUnicodeKeys?: boolean | undefined;
  /**
   * Whether set, add, replace, append, prepend, setMany, delete, deleteMany, touch and flushAll ask the server not to
   * answer when a call does not say. They then tell success whatever happens.
   * @default false
   */
  defaultNoreply?: boolean | undefined;
  /**
   * Whether a read that fails is a miss instead of an error: get, gets, gat, gats, getMany, getsMany, stats, version.
   * Illegal input stays an error, and so do failed writes.
   * @default false
   */
  ignoreErrors?: boolean | undefined;
}

/** {@link ConnectionOptions} for one server, checked, with every default filled in. */
export interface ConnectionSettings {
  readonly address: ServerAddress;
  readonly connectTimeout: number;
  readonly timeout: number;
  readonly noDelay: boolean;
  readonly keepAlive: number | undefined;
  readonly tls: TlsOptions | undefined;
  readonly auth: Credentials | undefined;
  readonly maxPending: number;
  readonly maxValueSize: number;
  readonly clock: Clock;
  readonly connect: Connect;
}

/**
 * Checks the options of a connection to `address`.
 *
 * @throws MemcacheIllegalInputError naming the option
 */
export function connectionSettings(address: ServerAddress, options: ConnectionOptions): ConnectionSettings {
  const settings = {
    address,
    connectTimeout: duration('connectTimeout', options.connectTimeout, 1000),
    timeout: duration('timeout', options.timeout, 1000),
    noDelay: flag('noDelay', options.noDelay, true),
    keepAlive: keepAliveDelay(options.keepAlive),
    tls: tlsOptions(options.tls, address),
    maxPending: wholeNumber('maxPending', options.maxPending, 32_768, 1, 2 ** 30),
    maxValueSize: maxValueSizeOf(options),
    clock: options.clock ?? systemClock,
    connect: options.connect ?? connectSocket,
  };
  const auth = checkCredentials(options.auth ?? address.auth);
  // Not enumerable: no inspection or JSON of the settings may show the password.
  return Object.defineProperty({ ...settings, auth: undefined as Credentials | undefined }, 'auth', {
    value: auth,
    enumerable: false,
  });
}

/** The largest value, in bytes. */
export function maxValueSizeOf(options: ConnectionOptions): number {
  return wholeNumber('maxValueSize', options.maxValueSize, DEFAULT_MAX_VALUE_SIZE, 1, 2 ** 30);
}

/** A switch. */
export function flag(name: string, value: unknown, byDefault: boolean): boolean {
  if (value === undefined) return byDefault;
  if (typeof value !== 'boolean') throw new MemcacheIllegalInputError(`${name} must be true or false`);
  return value;
}

/** A whole number from `least` to `most`. */
export function wholeNumber(name: string, value: unknown, byDefault: number, least: number, most: number): number {
  if (value === undefined) return byDefault;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most) {
    throw new MemcacheIllegalInputError(`${name} must be a whole number from ${least} to ${most}`);
  }
  return value;
}

/** Whether it is an object with these methods: a class given in place of an instance has none of them. */
export function hasMethods(value: unknown, ...names: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return names.every((name) => typeof (value as Readonly<Record<string, unknown>>)[name] === 'function');
}

/** The longest delay that Node's timers take. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** Milliseconds; 0 = no limit. */
export function duration(name: string, value: unknown, byDefault: number): number {
  if (value === undefined) return byDefault;
  if (typeof value !== 'number' || !(value >= 0 && value <= LONGEST_TIMER)) {
    throw new MemcacheIllegalInputError(`${name} must be a number of milliseconds from 0 to ${LONGEST_TIMER}`);
  }
  return value;
}

function keepAliveDelay(value: boolean | number | undefined): number | undefined {
  if (value === undefined || value === false) return undefined;
  return value === true ? 0 : duration('keepAlive', value, 0);
}

function tlsOptions(value: unknown, address: ServerAddress): TlsOptions | undefined {
  if (value === undefined) return address.tls ? {} : undefined;
  if (typeof value === 'boolean') {
    if (!value && address.tls) throw new MemcacheIllegalInputError('tls: false contradicts the address memcacheds://…');
    return value ? {} : undefined;
  }
  if (typeof value !== 'object' || value === null) {
    throw new MemcacheIllegalInputError('tls must be true, false or an object of options for tls.connect');
  }
  return value;
}

/** The server splits `username password` at every blank, and the lines of its file at the first colon. */
function checkCredentials(auth: Credentials | undefined): Credentials | undefined {
  if (auth === undefined) return undefined;
  const { username, password }: { username: unknown; password: unknown } = auth;
  if (typeof username !== 'string' || !/^[^\s:\p{Cc}]+$/u.test(username)) {
    throw new MemcacheIllegalInputError('auth.username must be a text without blanks, colons and control characters');
  }
  if (typeof password !== 'string' || !/^[^\s\p{Cc}]+$/u.test(password)) {
    throw new MemcacheIllegalInputError('auth.password must be a text without blanks and control characters');
  }
  return { username, password };
}
