import { isIP, isIPv6 } from 'node:net';
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { messageOf } from '../runtime/message-of';

/** What `tsmemcache serve` was asked to do. */
export interface ServeOptions {
  readonly listeners: readonly Listener[];
  /** Where Redis clients are served too: on TCP, also beside a unix socket. */
  readonly redisListeners: readonly TcpListener[];
  /** Only users in this file may log in: a line `user:password` for each. */
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
  /** The user to switch to once everything is open. */
  readonly user: string | undefined;
  /** The format of the log. */
  readonly log: 'text' | 'json';
  /** Where the items are saved from one run to the next. */
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

/** The status when the snapshot is damaged or cannot be read. */
export const EX_UNREADABLE = 1;

/** memcached's status when the system refuses: it cannot listen, or not become the user (sysexits.h). */
export const EX_OSERR = 71;

/** Why the program cannot start: the option, and its rule. */
export class UsageError extends Error {
  /** The exit status. */
  readonly status: number;

  constructor(message: string, status = 2) {
    super(message);
    this.status = status;
  }
}

const FLAG = { type: 'boolean' } as const;
const TEXT = { type: 'string' } as const;

/** Long names and letters (`short`) are memcached's; options without a letter are our own. */
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
  log: TEXT,
  help: { ...FLAG, short: 'h' },
  version: { ...FLAG, short: 'V' },
} satisfies ParseArgsConfig['options'];

/** What this server does not do: these options are an error, so that nobody is surprised later. */
const REFUSED = {
  'enable-sasl': '-S: SASL belongs to the binary protocol, which is not served; use -Y for text authentication',
  daemon: '-d: runs in the foreground only; use your service manager',
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
  ...['ssl_session_cache', 'ssl_kernel_tls', 'resp_obj_mem_limit', 'relaxed_privileges'],
]);

const MEGABYTE = 1024 * 1024;
const DEFAULT_HOST = '127.0.0.1';
const DEFAULT_PORT = 11_211;
const DEFAULT_MEGABYTES = 64;
const LARGEST_MEGABYTES = 2 ** 31 - 1;
const LARGEST_PORT = 65_535;
/** In seconds. */
const DEFAULT_SAVE_INTERVAL = 60;
const LONGEST_SAVE_INTERVAL = 999_999;
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

  const maxConnections = number('-c, --conn-limit', values['conn-limit'], 1024, 1);
  const maxCommandsPerTurn = number('-R, --max-reqs-per-event', values['max-reqs-per-event'], 500, 1);
  number('-t, --threads', values.threads, 4, 1);
  number('-n, --slab-min-size', values['slab-min-size'], 48, 1);
  checkFactor(values['slab-growth-factor']);
  checkProtocol(values.protocol);
  const extended = parseExtended(values.extended ?? []);
  const megabytes = number('-m, --memory-limit', values['memory-limit'], DEFAULT_MEGABYTES, 1, LARGEST_MEGABYTES);
  const maxItemSize = parseItemSize(values['max-item-size'] ?? '1m');
  if (maxItemSize > (megabytes * MEGABYTE) / 2) {
    throw new UsageError('-I, --max-item-size: must be at most half of -m, --memory-limit');
  }
  if (values['udp-port'] !== undefined && number('-U, --udp-port', values['udp-port'], 0, 0, LARGEST_PORT) !== 0) {
    throw new UsageError('-U, --udp-port: UDP is not served; it must be 0');
  }
  const port = number('-p, --port', values.port, DEFAULT_PORT, 0, LARGEST_PORT);
  const path = values['unix-socket'];
  if (path === '') throw new UsageError('-s, --unix-socket: must be the name of a file');
  const hosts = values.listen ?? [DEFAULT_HOST];
  const tcpListeners = hosts.flatMap((text) => text.split(',')).map((text) => parseListener(text, port));
  const pathMode = parseMode(values['unix-mask'] ?? '700');
  const redisPort = values['redis-port'];
  return {
    listeners: path === undefined ? tcpListeners : [{ path, pathMode }],
    redisListeners:
      redisPort === undefined ? [] : onPort(tcpListeners, number('--redis-port', redisPort, 0, 0, LARGEST_PORT)),
    authFile: values['auth-file'],
    tls: tlsFiles(extended, values['enable-ssl'] === true),
    maxBytes: megabytes * MEGABYTE,
    maxItemSize,
    evict: values['disable-evictions'] !== true,
    cas: values['disable-cas'] !== true,
    maxConnections,
    maxCommandsPerTurn,
    backlog: number('-b, --listen-backlog', values['listen-backlog'], 1024, 0),
    idleTimeout: number('-o idle_timeout', extended.get('idle_timeout'), 0, 0, Math.floor(LARGEST_INT / 1000)) * 1000,
    shutdown: values['enable-shutdown'] === true,
    flush: values['disable-flush-all'] !== true,
    dump: values['disable-dumping'] !== true,
    verbosity: values.verbose?.length ?? 0,
    pidFile: values.pidfile,
    user: values.user,
    log: parseLog(values.log),
    snapshot: parseSnapshot(values.snapshot, values['save-interval']),
  };
}

// eslint-disable-next-line @typescript-eslint/explicit-function-return-type -- it is that of parseArgs for these options
function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: withNegatives(args), options: OPTIONS, allowPositionals: false }).values;
  } catch (error) {
    throw new UsageError(`${messageOf(error)}; see tsmemcache serve --help`);
  }
}

/** A negative number belongs to the option before it, as getopt has it; `parseArgs` would take it for options. */
function withNegatives(args: readonly string[]): string[] {
  const joined: string[] = [];
  for (const arg of args) {
    const before = joined.at(-1);
    if (before === undefined || !/^-\d/.test(arg) || !/^--?[a-z][a-z-]*$/i.test(before)) joined.push(arg);
    else joined.push(`${joined.pop() ?? ''}${before.startsWith('--') ? '=' : ''}${arg}`);
  }
  return joined;
}

function entries<K extends string, V>(record: Readonly<Record<K, V>>): [K, V][] {
  return Object.entries(record) as [K, V][];
}

/** The value of an option, digits and nothing else; `usual` when the option is not given. */
function number(option: string, text: string | undefined, usual: number, least: number, most = LARGEST_INT): number {
  if (text === undefined) return usual;
  const value = Number(text);
  if (!/^\d{1,10}$/.test(text) || value < least || value > most) {
    throw new UsageError(`${option}: must be a whole number from ${least} to ${most}, not ${quoted(text)}`);
  }
  return value;
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}

function checkFactor(text = '1.25'): void {
  if (!/^\d+(?:\.\d+)?$/.test(text) || Number(text) <= 1) {
    throw new UsageError(`-f, --slab-growth-factor: must be a number greater than 1, not ${quoted(text)}`);
  }
}

function parseItemSize(text: string): number {
  const [, digits = '', suffix = ''] = /^(\d{1,10})([kKmM]?)$/.exec(text) ?? [];
  const unit = /k/i.test(suffix) ? 1024 : /m/i.test(suffix) ? MEGABYTE : 1;
  const size = Number(digits) * unit;
  if (digits === '' || size < SMALLEST_ITEM || size > LARGEST_ITEM) {
    throw new UsageError(`-I, --max-item-size: must be from 1k to 1024m, a whole number with k or m or of bytes, not ${quoted(text)}`);
  }
  return size;
}

/** Octal digits. */
function parseMode(text: string): number {
  if (!/^[0-7]{1,4}$/.test(text)) {
    throw new UsageError(`-a, --unix-mask: must be an access mode from 0 to 7777, octal, not ${quoted(text)}`);
  }
  return Number.parseInt(text, 8);
}

function parseLog(text = 'text'): ServeOptions['log'] {
  if (text !== 'text' && text !== 'json') throw new UsageError(`--log: must be text or json, not ${quoted(text)}`);
  return text;
}

function checkProtocol(protocol = 'auto'): void {
  if (protocol === 'binary') throw new UsageError('-B, --protocol: the binary protocol is not served; it must be auto or ascii');
  if (protocol !== 'auto' && protocol !== 'ascii') {
    throw new UsageError(`-B, --protocol: must be auto or ascii, not ${quoted(protocol)}`);
  }
}

function parseSnapshot(file: string | undefined, interval: string | undefined): SnapshotOptions | undefined {
  if (file === undefined) {
    if (interval !== undefined) throw new UsageError('--save-interval needs --snapshot');
    return undefined;
  }
  if (file === '') throw new UsageError('--snapshot: must be the name of a file');
  return { file, interval: number('--save-interval', interval, DEFAULT_SAVE_INTERVAL, 0, LONGEST_SAVE_INTERVAL) * 1000 };
}

/** `host`, `host:port`, `[ipv6]` or `[ipv6]:port`. */
function parseListener(text: string, port: number): TcpListener {
  const bracketed = /^\[([^\]]+)\](?::(.*))?$/.exec(text);
  if (bracketed !== null) return { host: bracketed[1] ?? '', port: number(`-l ${text}, the port`, bracketed[2], port, 0, LARGEST_PORT) };
  const colon = text.indexOf(':');
  if (text === '') throw new UsageError('-l, --listen: must be an address, not ""');
  if (colon < 0 || isIPv6(text)) return { host: text, port };
  const host = text.slice(0, colon);
  if (host === 'notls') throw new UsageError('-l notls: a server has TLS on all its listeners, or on none');
  if (host === '' || (isIP(host) === 0 && /^\d+$/.test(host))) throw new UsageError(`-l, --listen: ${text} is not an address`);
  return { host, port: number(`-l ${text}, the port`, text.slice(colon + 1), port, 0, LARGEST_PORT) };
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
    if (!used && !WITHOUT_EFFECT.has(bare)) throw new UsageError(`-o: there is no suboption ${quoted(name)}`);
    if (used && value === undefined) throw new UsageError(`-o ${name}: needs a value, ${name}=…`);
    if (value !== undefined) extended.set(name, value);
  }
  return extended;
}

const TLS_OPTIONS = new Set(['ssl_chain_cert', 'ssl_key', 'ssl_ca_cert', 'ssl_ciphers', 'ssl_verify_mode', 'ssl_min_version', 'ssl_keyformat']);

function tlsFiles(extended: ReadonlyMap<string, string>, enabled: boolean): TlsFiles | undefined {
  if (!enabled) {
    // Who names a certificate, and forgets -Z, must not be served in the clear.
    for (const name of extended.keys()) if (TLS_OPTIONS.has(name)) throw new UsageError(`-o ${name}: needs -Z; without it there is no TLS`);
    return undefined;
  }
  const chain = extended.get('ssl_chain_cert');
  if (chain === undefined) throw new UsageError('-Z, --enable-ssl: needs a certificate: -o ssl_chain_cert=FILE');
  const minVersion = TLS_VERSIONS[number('-o ssl_min_version', extended.get('ssl_min_version'), 2, 0, TLS_VERSIONS.length - 1)];
  if (minVersion === undefined) throw new Error('the number was checked');
  return {
    chain,
    key: extended.get('ssl_key'),
    ca: extended.get('ssl_ca_cert'),
    ciphers: extended.get('ssl_ciphers'),
    verifyMode: number('-o ssl_verify_mode', extended.get('ssl_verify_mode'), 0, 0, 3),
    minVersion,
  };
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
