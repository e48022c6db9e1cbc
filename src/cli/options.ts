import { isIP, isIPv6 } from 'node:net';
import { parseArgs, type ParseArgsConfig } from 'node:util';

/** What `tsmemcache serve` was asked to do. */
export interface ServeOptions {
  readonly listeners: readonly Listener[];
  /** Where Redis's clients are served too. */
  readonly redisListeners: readonly TcpListener[];
  /** Lets clients in only with a line of this file; `user:password` each. */
  readonly authFile: string | undefined;
  readonly tls: TlsFiles | undefined;
  readonly maxBytes: number;
  readonly maxItemSize: number;
  readonly evict: boolean;
  readonly cas: boolean;
  readonly maxConnections: number;
  readonly maxCommandsPerTurn: number;
  readonly backlog: number;
  /** In milliseconds. */
  readonly idleTimeout: number;
  readonly shutdown: boolean;
  readonly flush: boolean;
  readonly dump: boolean;
  readonly verbosity: number;
  readonly pidFile: string | undefined;
  /** Where the items are kept from one run to the next. */
  readonly snapshot: SnapshotOptions | undefined;
}

/** The snapshot file, and how often it is written, in milliseconds; 0 for only when asked to and at the end. */
export interface SnapshotOptions {
  readonly file: string;
  readonly interval: number;
}

/** A host and port to listen at. */
export interface TcpListener {
  readonly host: string;
  readonly port: number;
}

/** One place to listen at. */
export type Listener = TcpListener | { readonly path: string; readonly pathMode: number };

/** The files that TLS is set up from. */
export interface TlsFiles {
  readonly chain: string;
  readonly key: string | undefined;
  readonly ca: string | undefined;
  readonly ciphers: string | undefined;
  readonly verifyMode: number;
  readonly minVersion: 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';
}

/** Why the program cannot start; memcached's exit status where it has one. */
export class UsageError extends Error {
  readonly status: number;

  constructor(message: string, status = 1) {
    super(message);
    this.status = status;
  }
}

/** memcached's status for values that do not go together (sysexits.h). */
const EX_USAGE = 64;

const FLAG = { type: 'boolean' } as const;
const TEXT = { type: 'string' } as const;

/** Long names are memcached's; `short` its letters. What has no letter is ours. */
const OPTIONS = {
  port: { ...TEXT, short: 'p' },
  'udp-port': { ...TEXT, short: 'U' },
  listen: { ...TEXT, short: 'l', multiple: true },
  'unix-socket': { ...TEXT, short: 's' },
  'unix-mask': { ...TEXT, short: 'a' },
  'memory-limit': { ...TEXT, short: 'm' },
  'conn-limit': { ...TEXT, short: 'c' },
  'max-item-size': { ...TEXT, short: 'I' },
  'disable-evictions': { ...FLAG, short: 'M' },
  threads: { ...TEXT, short: 't' },
  'max-reqs-per-event': { ...TEXT, short: 'R' },
  'listen-backlog': { ...TEXT, short: 'b' },
  'disable-cas': { ...FLAG, short: 'C' },
  'disable-flush-all': { ...FLAG, short: 'F' },
  'disable-dumping': { ...FLAG, short: 'X' },
  'disable-watch': { ...FLAG, short: 'W' },
  'enable-shutdown': { ...FLAG, short: 'A' },
  'auth-file': { ...TEXT, short: 'Y' },
  'enable-ssl': { ...FLAG, short: 'Z' },
  pidfile: { ...TEXT, short: 'P' },
  protocol: { ...TEXT, short: 'B' },
  extended: { ...TEXT, short: 'o', multiple: true },
  verbose: { ...FLAG, short: 'v', multiple: true },
  'slab-growth-factor': { ...TEXT, short: 'f' },
  'slab-min-size': { ...TEXT, short: 'n' },
  'enable-largepages': { ...FLAG, short: 'L' },
  'enable-sasl': { ...FLAG, short: 'S' },
  daemon: { ...FLAG, short: 'd' },
  user: { ...TEXT, short: 'u' },
  'lock-memory': { ...FLAG, short: 'k' },
  'enable-coredumps': { ...FLAG, short: 'r' },
  'memory-file': { ...TEXT, short: 'e' },
  snapshot: TEXT,
  'save-interval': TEXT,
  'redis-port': TEXT,
  help: { ...FLAG, short: 'h' },
  version: { ...FLAG, short: 'V' },
} satisfies ParseArgsConfig['options'];

/** What this server does not do: asking for it is an error rather than a surprise. */
const REFUSED = {
  'enable-sasl': '-S: SASL belongs to the binary protocol, which is not served; use -Y for text authentication',
  daemon: '-d: runs in the foreground only; use your service manager',
  user: '-u: does not change its user; start it as the user it is to run as',
  'lock-memory': '-k: cannot lock memory',
  'enable-coredumps': '-r: cannot change core limits',
  'memory-file': '-e: has no memory file; --snapshot keeps the items',
} as const;

/** `-o` options of memcached's slabs, LRU, hash table and threads: accepted, without effect here. */
const WITHOUT_EFFECT = new Set([
  ...['maxconns_fast', 'hashpower', 'tail_repair_time', 'hash_algorithm', 'lru_crawler', 'lru_crawler_sleep'],
  ...['lru_crawler_tocrawl', 'read_buf_mem_limit', 'lru_maintainer', 'hot_lru_pct', 'warm_lru_pct', 'hot_max_factor'],
  ...['warm_max_factor', 'temporary_ttl', 'slab_reassign', 'slab_automove', 'slab_automove_ratio', 'lru_segmented'],
  ...['slab_automove_window', 'slab_automove_freeratio', 'slab_chunk_max', 'slab_sizes', 'watcher_logbuf_size'],
  ...['worker_logbuf_size', 'track_sizes', 'hashexpand', 'modern', 'inline_resp', 'drop_privileges', 'ssl_wbuf_size'],
  ...['ssl_session_cache', 'ssl_kernel_tls', 'resp_obj_mem_limit'],
]);

const MEGABYTE = 1024 * 1024;
const DEFAULT_HOST = '127.0.0.1';
const DEFAULT_PORT = 11_211;
const DEFAULT_MEGABYTES = 64;
/** In seconds. */
const DEFAULT_SAVE_INTERVAL = 60;
/** C's `int`, and the longest delay of a timer. */
const LARGEST_INT = 2 ** 31 - 1;
const SMALLEST_ITEM = 1024;
const LARGEST_ITEM = 1024 * MEGABYTE;
const TLS_VERSIONS = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const;

/**
 * Reads the arguments of `tsmemcache serve`.
 *
 * @throws UsageError
 */
export function parseServeOptions(args: readonly string[]): ServeOptions | 'help' | 'version' {
  const values = parse(args);
  if (values.help === true) return 'help';
  if (values.version === true) return 'version';
  for (const [name, message] of entries(REFUSED)) if (values[name] !== undefined) throw new UsageError(message);

  // memcached's order of complaints.
  const maxConnections = positive(values['conn-limit'], 1024, 'Maximum connections must be greater than 0');
  const maxCommandsPerTurn = positive(
    values['max-reqs-per-event'],
    500,
    'Number of requests per event must be greater than 0',
  );
  positive(values.threads, 4, 'Number of threads must be greater than 0');
  const factor = values['slab-growth-factor'];
  if (factor !== undefined && !(Number.parseFloat(factor) > 1)) throw new UsageError('Factor must be greater than 1');
  positive(values['slab-min-size'], 48, 'Chunk size must be greater than 0');
  checkProtocol(values.protocol);
  const extended = parseExtended(values.extended ?? []);
  const maxBytes = leadingNumber(values['memory-limit'] ?? String(DEFAULT_MEGABYTES)) * MEGABYTE;
  const maxItemSize = parseItemSize(values['max-item-size'] ?? '1m');
  if (maxItemSize > maxBytes / 2) {
    throw new UsageError('Cannot set item size limit higher than 1/2 of memory max.', EX_USAGE);
  }
  if (leadingNumber(values['udp-port'] ?? '0') !== 0) throw new UsageError('-U: UDP is not served');
  const port = parsePort(values.port ?? String(DEFAULT_PORT));
  const path = values['unix-socket'];
  const hosts = (path === undefined ? values.listen : undefined) ?? [DEFAULT_HOST];
  const tcpListeners = hosts.flatMap((text) => text.split(',')).map((text) => parseListener(text, port));
  const redisPort = values['redis-port'];
  return {
    listeners:
      path === undefined ? tcpListeners : [{ path, pathMode: Number.parseInt(values['unix-mask'] ?? '700', 8) || 0 }],
    redisListeners: redisPort === undefined ? [] : onPort(tcpListeners, parseRedisPort(redisPort)),
    authFile: values['auth-file'],
    tls: values['enable-ssl'] === true ? tlsFiles(extended) : undefined,
    maxBytes,
    maxItemSize,
    evict: values['disable-evictions'] !== true,
    cas: values['disable-cas'] !== true,
    maxConnections,
    maxCommandsPerTurn,
    backlog: within(leadingNumber(values['listen-backlog'] ?? '1024'), LARGEST_INT),
    idleTimeout: within(leadingNumber(extended.get('idle_timeout') ?? '0') * 1000, LARGEST_INT),
    shutdown: values['enable-shutdown'] === true,
    flush: values['disable-flush-all'] !== true,
    dump: values['disable-dumping'] !== true,
    verbosity: values.verbose?.length ?? 0,
    pidFile: values.pidfile,
    snapshot: parseSnapshot(values.snapshot, values['save-interval']),
  };
}

// eslint-disable-next-line @typescript-eslint/explicit-function-return-type -- it is that of parseArgs for these options
function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: false }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function entries<K extends string, V>(record: Readonly<Record<K, V>>): [K, V][] {
  return Object.entries(record) as [K, V][];
}

/** A number as C's `atoi` reads it: what follows the digits is ignored, and no digits are 0. */
function leadingNumber(text: string): number {
  return Number.parseInt(text, 10) || 0;
}

/** The number from 0 to `most` that is nearest: memcached takes what lies beyond, too. */
function within(number: number, most: number): number {
  return Math.min(Math.max(number, 0), most);
}

function positive(text: string | undefined, usual: number, complaint: string): number {
  const number = text === undefined ? usual : leadingNumber(text);
  if (number <= 0) throw new UsageError(complaint);
  return number;
}

function parsePort(text: string): number {
  const port = leadingNumber(text);
  if (port < 0 || port > 65_535) throw new UsageError(`ERROR: Invalid port number ${text}.`, EX_USAGE);
  return port;
}

/** Not memcached's option, so nothing is read into what is no number. */
function parseRedisPort(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) {
    throw new UsageError(`--redis-port: ${text} is not a port from 0 to 65535`, EX_USAGE);
  }
  return Number(text);
}

function parseItemSize(text: string): number {
  const unit = /k$/i.test(text) ? 1024 : /m$/i.test(text) ? MEGABYTE : 1;
  const size = leadingNumber(text) * unit;
  if (size < SMALLEST_ITEM) throw new UsageError('Item max size cannot be less than 1024 bytes.', EX_USAGE);
  if (size > LARGEST_ITEM) throw new UsageError('Cannot set item size limit higher than a gigabyte.', EX_USAGE);
  return size;
}

function checkProtocol(protocol = 'auto'): void {
  if (protocol === 'binary') throw new UsageError('-B binary: the binary protocol is not served');
  if (protocol !== 'auto' && protocol !== 'ascii') {
    throw new UsageError(
      `Invalid value for binding protocol: ${protocol}\n -- should be one of auto, binary, or ascii`,
      EX_USAGE,
    );
  }
}

function parseSnapshot(file: string | undefined, interval: string | undefined): SnapshotOptions | undefined {
  if (file === undefined) {
    if (interval !== undefined) throw new UsageError('--save-interval needs --snapshot');
    return undefined;
  }
  if (file === '') throw new UsageError('--snapshot needs the name of a file');
  if (interval !== undefined && !/^\d{1,6}$/.test(interval)) {
    throw new UsageError(`--save-interval: ${interval} is not a number of seconds below a million`);
  }
  return { file, interval: Number(interval ?? DEFAULT_SAVE_INTERVAL) * 1000 };
}

/** `host`, `host:port`, `[ipv6]` or `[ipv6]:port`. */
function parseListener(text: string, port: number): TcpListener {
  const bracketed = /^\[([^\]]+)\](?::(.*))?$/.exec(text);
  if (bracketed !== null) return { host: bracketed[1] ?? '', port: parsePort(bracketed[2] ?? String(port)) };
  const colon = text.indexOf(':');
  if (colon < 0 || isIPv6(text)) return { host: text, port };
  const host = text.slice(0, colon);
  if (host === 'notls') throw new UsageError('-l notls: a server has TLS on all its listeners, or on none');
  if (host === '' || (isIP(host) === 0 && /^\d+$/.test(host))) throw new UsageError(`-l: ${text} is not an address`);
  return { host, port: parsePort(text.slice(colon + 1)) };
}

/** The same hosts, each once, on another port. */
function onPort(listeners: readonly TcpListener[], port: number): TcpListener[] {
  return Array.from(new Set(listeners.map(({ host }) => host)), (host) => ({ host, port }));
}

function parseExtended(texts: readonly string[]): Map<string, string> {
  const extended = new Map<string, string>();
  for (const text of texts.flatMap((list) => list.split(',')).filter(Boolean)) {
    const [name, value] = splitOnce(text, '=');
    const bare = name.replace(/^no_/, '');
    if (bare.startsWith('ext_')) throw new UsageError(`-o ${name}: external storage is not supported`);
    if (bare.startsWith('proxy_')) throw new UsageError(`-o ${name}: the proxy is not supported`);
    const used = name === 'idle_timeout' || TLS_OPTIONS.has(name);
    if (!used && !WITHOUT_EFFECT.has(bare)) throw new UsageError(`Illegal suboption "${text}"`);
    if (used && value === undefined) throw new UsageError(`Missing numeric argument for ${name}`);
    if (value !== undefined) extended.set(name, value);
  }
  return extended;
}

const TLS_OPTIONS = new Set([
  ...['ssl_chain_cert', 'ssl_key', 'ssl_ca_cert', 'ssl_ciphers', 'ssl_verify_mode', 'ssl_min_version', 'ssl_keyformat'],
]);

function tlsFiles(extended: ReadonlyMap<string, string>): TlsFiles {
  const chain = extended.get('ssl_chain_cert');
  if (chain === undefined) throw new UsageError('-Z needs a certificate: -o ssl_chain_cert=FILE', EX_USAGE);
  const minVersion = TLS_VERSIONS[leadingNumber(extended.get('ssl_min_version') ?? '2')];
  if (minVersion === undefined) throw new UsageError('ssl_min_version must be 0, 1, 2 or 3');
  return {
    chain,
    key: extended.get('ssl_key'),
    ca: extended.get('ssl_ca_cert'),
    ciphers: extended.get('ssl_ciphers'),
    verifyMode: leadingNumber(extended.get('ssl_verify_mode') ?? '0'),
    minVersion,
  };
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
