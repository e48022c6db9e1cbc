import { closeSync, constants, existsSync, fstatSync, ftruncateSync, lstatSync, openSync, readFileSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { lookup } from 'node:dns/promises';
import { isIP, isIPv4 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { dirname } from 'node:path';
import { createSecureContext, type TlsOptions } from 'node:tls';
import { MemcacheIllegalInputError } from '../errors';
import { systemClock } from '../runtime/clock';
import { messageOf } from '../runtime/message-of';
import { MemcachedServer, MemoryStore, Persistence, RedisServer, type Credentials } from '../server';
import { parseServeOptions, UsageError, type Listener, type ServeOptions, type SnapshotOptions, type TlsFiles } from './options';
import { userChange } from './user';

const HELP = `usage: tsmemcache serve [options]

A memcached-compatible server in this process, in the foreground. Options are memcached's:

  -p, --port=NUM                TCP port (default: 11211; 0: any free one)
  -l, --listen=ADDR             addresses to listen on, with or without port (default: 127.0.0.1)
  -s, --unix-socket=FILE        unix socket to listen on instead of TCP
  -a, --unix-mask=MODE          its access mode, octal (default: 700)
  -m, --memory-limit=NUM        memory for items, in megabytes (default: 64)
  -I, --max-item-size=NUM       largest item, with k or m (default: 1m; 1k to 1024m)
  -M, --disable-evictions       refuse when memory is full, instead of evicting
  -c, --conn-limit=NUM          connections at once (default: 1024)
  -b, --listen-backlog=NUM      connections not yet accepted (default: 1024)
  -R, --max-reqs-per-event=NUM  commands of one client before others get their turn (default: 500)
  -C, --disable-cas             no cas numbers
  -F, --disable-flush-all       no flush_all
  -X, --disable-dumping         no listing of keys
  -W, --disable-watch           no watch (there is none)
  -A, --enable-shutdown         let clients end the server
  -Y, --auth-file=FILE          text authentication, a line user:password each
  -Z, --enable-ssl              TLS: -o ssl_chain_cert=FILE,ssl_key=FILE
  -P, --pidfile=FILE            write the process id
  -u, --user=NAME               become this user when everything is open, before anybody is served
  -o, --extended=LIST           idle_timeout=SECONDS, ssl_…; tuning of slabs and LRU has no effect
      --redis-port=NUM          serve Redis clients too, on the same addresses
  -v, -vv                       events; commands too, with their keys
      --log=text|json           format of the log, on stderr (default: text)
  -t, -f, -n, -L, -U 0, -B ascii  accepted, without effect
      --snapshot=FILE           keep the items in a file from one run to the next
      --save-interval=SECONDS   how often it is written if something has changed (default: 60; 0: only at the end)
  -h, --help                    this text
  -V, --version                 version

Not served: the binary protocol and SASL (-B binary, -S), UDP, extstore, the proxy, a memory file (-e), running as a daemon
(-d). Status 2: illegal values; 71: it cannot listen; 1: the snapshot cannot be read, or not be saved at the end.
`;

/** The parts of the process that the program uses. */
export interface ServeIo {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  /** Makes the process end with status 1, when what a client has ended could not be saved. */
  readonly failed: () => void;
}

/** A server that runs until {@link RunningServer.close}. */
export interface RunningServer {
  /** Where it listens for memcached clients. */
  readonly addresses: readonly string[];
  /** Where it listens for Redis clients. */
  readonly redisAddresses: readonly string[];
  /** Stops the server, and saves the items if `--snapshot` was given; rejects when they could not be saved. */
  close(): Promise<void>;
}

/**
 * Starts what `args` ask for.
 *
 * @returns the running server, or the exit status when there is nothing to run
 */
export async function serve(args: readonly string[], version: string, io: ServeIo): Promise<RunningServer | number> {
  try {
    const options = parseServeOptions(args);
    if (options === 'help') io.stdout(HELP);
    else if (options === 'version') io.stdout(`tsmemcache ${version}\n`);
    else return await start(options, io);
    return 0;
  } catch (error) {
    if (error instanceof UsageError) {
      io.stderr(`${error.message}\n`);
      return error.status;
    }
    throw error;
  }
}

/** The status when the snapshot is damaged or cannot be read. */
const EX_UNREADABLE = 1;

/** Why a pipe, a device or a folder is refused. */
const NO_FILE = 'it is not a regular file';

/** memcached's status when it cannot listen (sysexits.h). */
const EX_OSERR = 71;

async function start(options: ServeOptions, io: ServeIo): Promise<RunningServer> {
  const { maxBytes, maxItemSize, evict, cas, authFile, tls: tlsFiles, shutdown } = options;
  const { maxConnections, maxCommandsPerTurn, backlog, idleTimeout, flush, dump, verbosity } = options;
  for (const listener of options.listeners) if ('path' in listener) checkSocketPath(listener.path);
  const auth = authFile === undefined ? [] : readAuthFile(authFile);
  const tls = tlsFiles === undefined ? {} : { tls: readTlsFiles(tlsFiles) };
  const log = (line: string, level = 1): void => {
    io.stderr(options.log === 'json' ? jsonLine(LEVELS[level] ?? 'debug', line) : `${line}\n`);
  };
  // What can be wrong is looked at before the snapshot, which may be that of a server that runs.
  const become = options.user === undefined ? undefined : await userChange(options.user);
  const [listeners, redisListeners] = await Promise.all([
    allResolved(options.listeners),
    allResolved(options.redisListeners),
  ]);
  const store = new MemoryStore({ maxBytes, maxItemSize, evict, cas });
  const persistence = options.snapshot && (await openSnapshot(store, options.snapshot, log));
  const saving = persistence === undefined ? {} : { saveControl: persistence };
  const limits = { maxConnections, maxCommandsPerTurn, backlog, idleTimeout };
  const shared = { ...limits, ...tls, flush, dump, verbosity, store, auth, log };
  const servers: MemcachedServer[] = [];
  const redisServers: RedisServer[] = [];
  const closeServers = (): Promise<unknown> =>
    Promise.all([...servers, ...redisServers].map((server) => server.close()));
  const closeAll = async (): Promise<void> => {
    await closeServers();
    store.close();
    try {
      await persistence?.close();
    } finally {
      if (options.pidFile !== undefined) removePid(options.pidFile, log);
    }
  };
  // A signal may come while a client's `shutdown` is under way.
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => (closing ??= closeAll());
  // The log says why the last save failed.
  const onShutdown = (): Promise<void> => close().catch(io.failed);
  const opened = (wanted: (listener: Listener) => boolean): Promise<void>[] => [
    ...listeners.filter(wanted).map(async (listener) => {
      const start = (at: Listener): Promise<MemcachedServer> => MemcachedServer.start({ ...shared, shutdown, onShutdown, ...at });
      servers.push(await listen(listener, start));
    }),
    ...redisListeners.filter(wanted).map(async (listener) => {
      redisServers.push(await listen(listener, (at) => RedisServer.start({ ...shared, ...saving, ...at })));
    }),
  ];
  try {
    // All of them listen before the event loop turns, so that nothing is read before the user is changed. A unix socket takes the place of
    // that of a server that runs, so it comes last: a start that fails must leave that.
    await allSettled(opened((listener) => !('path' in listener)));
    await allSettled(opened((listener) => 'path' in listener));
    become?.(listeners.flatMap((listener) => ('path' in listener ? listener.path : [])));
    if (options.pidFile !== undefined) writePid(options.pidFile);
  } catch (error) {
    await closeServers();
    store.close();
    await persistence?.close();
    throw error;
  }
  const addresses = servers.map((server) => server.address);
  const redisAddresses = redisServers.map((server) => server.address);
  const forRedis = redisAddresses.length === 0 ? '' : `, for Redis clients on ${redisAddresses.join(', ')}`;
  const line = `tsmemcache listening on ${addresses.join(', ')}${forRedis}`;
  io.stdout(options.log === 'json' ? jsonLine('info', line, { addresses, redisAddresses }) : `${line}\n`);
  return { addresses, redisAddresses, close };
}

/** Waits for all of them, and rejects with the first failure. */
async function allSettled(promises: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(promises)).find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

/** The names of the levels of detail in JSON. */
const LEVELS = ['warning', 'error', 'debug'];

/** One event on one line. */
function jsonLine(level: string, message: string, more: object = {}): string {
  return `${JSON.stringify({ time: new Date(systemClock.time()).toISOString(), level, message, ...more })}\n`;
}

/** The same with the names of hosts resolved. Beside an IPv4 address `::` is for IPv6 alone, as in memcached: else it would need the port on that one too. */
async function allResolved<L extends Listener>(listeners: readonly L[]): Promise<(L & { ipv6Only?: boolean })[]> {
  const all = (await Promise.all(listeners.map(resolved))).flat();
  const ipv6Only = all.some((listener) => 'host' in listener && isIPv4(listener.host));
  return all.map((listener) => ('host' in listener ? { ...listener, ipv6Only } : listener));
}

/** A listener for each address of its host's name, as in memcached: a look-up takes turns of the event loop, so it is done beforehand. */
async function resolved<L extends Listener>(listener: L): Promise<L[]> {
  if (!('host' in listener) || isIP(listener.host) !== 0) return [listener];
  try {
    const all = await lookup(listener.host, { all: true });
    // Where IPv6 is switched off, `localhost` often has an address of it all the same.
    const usable = all.filter(({ family }) => family === 4 || hasIPv6());
    const addresses = new Set((usable.length > 0 ? usable : all).map(({ address }) => address));
    return Array.from(addresses, (host) => ({ ...listener, host }));
  } catch (error) {
    throw new UsageError(`failed to listen on ${listenerName(listener)}: ${messageOf(error)}`, EX_OSERR);
  }
}

function hasIPv6(): boolean {
  return Object.values(networkInterfaces()).flat().some((address) => address?.family === 'IPv6');
}

async function listen<L extends Listener, S>(listener: L, start: (listener: L) => Promise<S>): Promise<S> {
  try {
    return await start(listener);
  } catch (error) {
    // Node says then that permission is denied.
    const folder = 'path' in listener ? dirname(listener.path) : '.';
    throw new UsageError(`failed to listen on ${listenerName(listener)}: ${existsSync(folder) ? messageOf(error) : `there is no folder ${folder}`}`, EX_OSERR);
  }
}

async function openSnapshot(
  store: MemoryStore,
  snapshot: SnapshotOptions,
  log: (line: string) => void,
): Promise<Persistence> {
  try {
    return await Persistence.open(store, { ...snapshot, log });
  } catch (error) {
    store.close();
    const status = error instanceof MemcacheIllegalInputError ? undefined : EX_UNREADABLE;
    throw new UsageError(`cannot start from --snapshot=${snapshot.file}: ${messageOf(error)}`, status);
  }
}

function listenerName(listener: Listener): string {
  return 'path' in listener ? listener.path : `${listener.host}:${listener.port}`;
}

function readAuthFile(path: string): Credentials[] {
  const users: Credentials[] = [];
  for (const line of readFile('-Y, --auth-file', path).split(/\r?\n/).filter(Boolean)) {
    const colon = line.indexOf(':');
    if (colon < 1 || colon === line.length - 1) throw new UsageError(`-Y, --auth-file: must have lines user:password; ${JSON.stringify(path)} has another one`);
    users.push({ username: line.slice(0, colon), password: line.slice(colon + 1) });
  }
  // memcached starts with an empty file and then lets nobody in. Here no users would mean no authentication, so an empty file
  // is refused.
  if (users.length === 0) throw new UsageError(`-Y, --auth-file: must have a user; ${JSON.stringify(path)} has none`);
  return users;
}

function readTlsFiles({ chain, key, ca, ciphers, verifyMode, minVersion }: TlsFiles): TlsOptions {
  const tls = {
    cert: readFile('-o ssl_chain_cert', chain),
    key: readFile('-o ssl_key', key ?? chain),
    minVersion,
    ...(ca === undefined ? {} : { ca: readFile('-o ssl_ca_cert', ca) }),
    ...(ciphers === undefined ? {} : { ciphers }),
    // 1 asks for a certificate, 2 and 3 insist on one.
    requestCert: verifyMode > 0,
    rejectUnauthorized: verifyMode > 1,
  };
  try {
    createSecureContext(tls);
  } catch (error) {
    throw new UsageError(`-Z, --enable-ssl: must have PEM files and ciphers that can be used (-o ssl_…): ${messageOf(error)}`);
  }
  return tls;
}

function pidLine(): string {
  return `${process.pid}\n`;
}

function writePid(path: string): void {
  const { O_WRONLY, O_CREAT, O_NONBLOCK } = constants;
  try {
    // Opening a pipe that nobody reads would otherwise block the process for ever, signals included.
    const file = openSync(path, O_WRONLY | O_CREAT | O_NONBLOCK, 0o666);
    try {
      // At the end it is removed: root would remove a device.
      if (!fstatSync(file).isFile()) throw new Error(NO_FILE);
      ftruncateSync(file);
      writeFileSync(file, pidLine());
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw new UsageError(`-P, --pidfile: must be a file that can be written, not ${JSON.stringify(path)}: ${messageOf(error)}`);
  }
}

/**
 * Everything is saved by now: a file that is gone already, or that another user (-u) may not remove, is no failure. That of a
 * server that has taken the place of this one stays.
 */
function removePid(path: string, log: (line: string) => void): void {
  try {
    if (readFileSync(path, 'utf8') === pidLine()) unlinkSync(path);
  } catch (error) {
    log(`-P, --pidfile: could not remove ${JSON.stringify(path)}: ${messageOf(error)}`);
  }
}

/** The file that an option names. A pipe without a writer would hold up the process for ever, and a device may have no end. */
function readFile(option: string, path: string): string {
  try {
    if (!statSync(path).isFile()) throw new Error(NO_FILE);
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`${option}: must be a file that can be read, not ${JSON.stringify(path)}: ${messageOf(error)}`);
  }
}

/** A socket takes the place of one that an earlier server has left, and of nothing else. */
function checkSocketPath(path: string): void {
  const present = lstatSync(path, { throwIfNoEntry: false });
  if (present !== undefined && !present.isSocket()) {
    throw new UsageError(`-s, --unix-socket: must be a path where nothing is, or a socket, not ${JSON.stringify(path)}`);
  }
}
