import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { MemcacheIllegalInputError } from '../errors';
import { messageOf } from '../runtime/message-of';
import { MemcachedServer, MemoryStore, Persistence, RedisServer } from '../server';
import { allResolved, listenerName } from './addresses';
import { checkPidFile, checkSocketPath, readAuthFile, readTlsFiles, removePid, writePid } from './files';
import { Opened } from './opened';
import { EX_OSERR, EX_UNREADABLE, UsageError, type Listener, type ServeOptions, type SnapshotOptions } from './options';
import { userChange, type UserChange } from './user';

/** The parts of the process that the program uses. */
export interface ServeIo {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  /** Makes the process end with status 1, when what a client has ended could not be saved. */
  readonly failed: () => void;
  /** Aborted when the process is to end: a start under way is given up, and what it has opened is closed. */
  readonly ended: AbortSignal;
}

/** Takes a line per event: level 0 is a warning, 1 an error, 2 a detail. @default 1 */
export type Log = (line: string, level?: number) => void;

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
 * Starts a server, step by step. When a step fails, or the process is to end meanwhile, the steps before it are undone.
 *
 * @throws UsageError; the reason of `io.ended`
 */
export async function start(options: ServeOptions, io: ServeIo, log: Log): Promise<RunningServer> {
  const opened = new Opened();
  try {
    return await open(options, io, log, opened);
  } catch (error) {
    // The first failure is the one to report.
    await opened.close().catch(() => undefined);
    throw error;
  }
}

async function open(options: ServeOptions, io: ServeIo, log: Log, opened: Opened): Promise<RunningServer> {
  const { maxBytes, maxItemSize, evict, cas, pidFile, snapshot } = options;
  // What can be wrong is looked at before the snapshot, which may be that of a server that runs.
  const { auth, tls } = readFiles(options);
  const { change, listeners, redisListeners } = await before(io.ended, () => lookUp(options));
  // It is written by the user that the process becomes.
  if (pidFile !== undefined) {
    const check = (): void => { checkPidFile(pidFile); };
    if (change === undefined) check();
    else change.try(check);
  }

  let isServing = false;
  let hasPidFile = false;
  // It was opened last, and is removed last: whoever waits for that must find everything saved.
  opened.add(() => {
    if (pidFile !== undefined && hasPidFile) removePid(pidFile, log);
  });
  const store = new MemoryStore({ maxBytes, maxItemSize, evict, cas });
  opened.add(() => {
    store.close();
  });
  const persistence = snapshot && (await openSnapshot(store, snapshot, log, io.ended));
  // A start that fails has nothing to save, and the file may be that of a server that runs.
  opened.add(() => persistence?.close({ save: isServing }));
  io.ended.throwIfAborted();

  // A signal may come while a client's `shutdown` is under way.
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => (closing ??= opened.close());
  // The log says why the last save failed.
  const onShutdown = (): Promise<void> => close().catch(io.failed);
  const { maxConnections, maxCommandsPerTurn, backlog, idleTimeout, flush, dump, verbosity, shutdown } = options;
  const shared = { maxConnections, maxCommandsPerTurn, backlog, idleTimeout, flush, dump, verbosity, store, auth, tls, log };
  const servers: MemcachedServer[] = [];
  const redisServers: RedisServer[] = [];
  const listenAtThose = (wanted: (listener: Listener) => boolean): Promise<void> =>
    allSettled([
      ...listeners.filter(wanted).map((at) => listen(at, opened, servers, () => MemcachedServer.start({ ...shared, shutdown, onShutdown, ...at }))),
      ...redisListeners.filter(wanted).map((at) => listen(at, opened, redisServers, () => RedisServer.start({ ...shared, saveControl: persistence, ...at }))),
    ]);
  // All of them listen before the event loop turns, so that nothing is read before the user is changed. A unix socket takes the place of
  // that of a server that runs, so it comes last: a start that fails must leave that.
  await listenAtThose((listener) => !('path' in listener));
  await listenAtThose((listener) => 'path' in listener);
  change?.become(listeners.flatMap((listener) => ('path' in listener ? listener.path : [])));
  if (pidFile !== undefined) writePid(pidFile);
  hasPidFile = true;
  isServing = true;
  return { addresses: servers.map(({ address }) => address), redisAddresses: redisServers.map(({ address }) => address), close };
}

/** Everything that options name files for, none of which is opened for long. */
function readFiles({ listeners, authFile, tls }: ServeOptions): { auth: ReturnType<typeof readAuthFile>; tls: ReturnType<typeof readTlsFiles> | undefined } {
  for (const listener of listeners) if ('path' in listener) checkSocketPath(listener.path);
  return { auth: authFile === undefined ? [] : readAuthFile(authFile), tls: tls && readTlsFiles(tls) };
}

interface LookedUp {
  readonly change: UserChange | undefined;
  readonly listeners: Awaited<ReturnType<typeof allResolved<Listener>>>;
  readonly redisListeners: Awaited<ReturnType<typeof allResolved<ServeOptions['redisListeners'][number]>>>;
}

/** What the system must be asked for: the user, and the addresses of names. */
async function lookUp({ user, listeners, redisListeners }: ServeOptions): Promise<LookedUp> {
  const change = user === undefined ? undefined : await userChange(user);
  const [resolved, resolvedForRedis] = await Promise.all([allResolved(listeners), allResolved(redisListeners)]);
  return { change, listeners: resolved, redisListeners: resolvedForRedis };
}

/** Waits for what `begin` begins, but not beyond the end: then it rejects with the reason. */
async function before<T>(end: AbortSignal, begin: () => Promise<T>): Promise<T> {
  end.throwIfAborted();
  const begun = begin();
  await Promise.race([begun, once(end, 'abort')]);
  end.throwIfAborted();
  return begun;
}

/** Waits for all of them, and rejects with the first failure. */
async function allSettled(promises: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(promises)).find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

/** Starts a server at `listener`, and adds it to the others. */
async function listen<S extends { close(): Promise<void> }>(listener: Listener, opened: Opened, servers: S[], begin: () => Promise<S>): Promise<void> {
  try {
    const server = await begin();
    servers.push(server);
    opened.add(() => server.close());
  } catch (error) {
    // Node says then that permission is denied.
    const folder = 'path' in listener ? dirname(listener.path) : '.';
    throw new UsageError(`failed to listen on ${listenerName(listener)}: ${existsSync(folder) ? messageOf(error) : `there is no folder ${folder}`}`, EX_OSERR);
  }
}

async function openSnapshot(store: MemoryStore, snapshot: SnapshotOptions, log: (line: string) => void, signal: AbortSignal): Promise<Persistence> {
  try {
    return await Persistence.open(store, { ...snapshot, log, signal });
  } catch (error) {
    signal.throwIfAborted();
    const status = error instanceof MemcacheIllegalInputError ? undefined : EX_UNREADABLE;
    throw new UsageError(`cannot start from --snapshot=${snapshot.file}: ${messageOf(error)}`, status);
  }
}
