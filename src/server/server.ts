import { lstatSync, unlinkSync, chmodSync } from 'node:fs';
import { createServer, isIPv6, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import type { Clock, Timer } from '../runtime/clock';
import { Connection } from './connection';
import { ServerContext, type ServerContextOptions } from './context';
import type { MemoryStore } from './storage/store';
import type { ClusterConfig } from './text/config';

/** How a {@link MemcachedServer} is set up. */
export interface MemcachedServerOptions extends Omit<ServerContextOptions, 'shutdown'> {
  /** The address to listen on. @default '127.0.0.1' */
  host?: string;
  /** The TCP port; 0 takes any that is free. @default 0 */
  port?: number;
  /** A unix socket to listen on instead; a socket left there by an earlier server is removed. */
  path?: string;
  /** The access mode of the unix socket. @default 0o700 */
  pathMode?: number;
  /** Serves TLS with these options, and nothing else. */
  tls?: TlsOptions;
  /** How many clients may be connected at once. @default 1024 */
  maxConnections?: number;
  /** A connection that completes no command for so long is closed, in milliseconds; 0 for never. @default 0 */
  idleTimeout?: number;
  /** How many commands of one client are executed before others get their turn. @default 500 */
  maxCommandsPerTurn?: number;
  /** How many connections the system may hold before they are accepted. @default 1024 */
  backlog?: number;
  /** Whether clients may end the server with `shutdown`. @default false */
  shutdown?: boolean;
  /** Called when a client has ended the server with `shutdown`. @default closes this server */
  onShutdown?: () => unknown;
}

const DEFAULT_HOST = '127.0.0.1';
const DEFAULT_CONNECTIONS = 1024;
const DEFAULT_COMMANDS = 500;
const DEFAULT_BACKLOG = 1024;
const DEFAULT_PATH_MODE = 0o700;

/** How often idle connections are looked for at most, in milliseconds. */
const IDLE_CHECK = 1000;

/** How long a TLS handshake may take, in milliseconds. */
const HANDSHAKE_TIMEOUT = 10_000;

/**
 * A memcached server in this process, on TCP, TLS or a unix socket.
 *
 * ```ts
 * const server = await MemcachedServer.start();
 * const client = new Client(server.address);
 * …
 * await server.close();
 * ```
 */
export class MemcachedServer {
  /** Where it listens, as clients write it: `127.0.0.1:11211`, `[::1]:11211`, or the path of the unix socket. */
  readonly address: string;
  /** The TCP port; 0 on a unix socket. */
  readonly port: number;
  readonly #server: Server;
  readonly #context: ServerContext;
  readonly #sockets: Set<Socket>;
  readonly #connections = new Map<Socket, Connection>();
  readonly #maxCommands: number;
  readonly #idleTimeout: number;
  readonly #listenAddress: string;
  #idleTimer: Timer | undefined;
  #nextId = 1;
  #closing: Promise<void> | undefined;

  /**
   * Starts a server.
   *
   * @throws the system's error when it cannot listen, for example `EADDRINUSE`
   */
  static async start(options: MemcachedServerOptions = {}): Promise<MemcachedServer> {
    const { host = DEFAULT_HOST, port = 0, path, tls, backlog = DEFAULT_BACKLOG } = options;
    // Half open: a client that has sent its last command still gets the answers.
    const server =
      tls === undefined
        ? createServer({ allowHalfOpen: true })
        : createTlsServer({ handshakeTimeout: HANDSHAKE_TIMEOUT, ...tls, allowHalfOpen: true });
    if (path !== undefined) removeStaleSocket(path);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path === undefined ? { host, port, backlog } : { path, backlog }, () => {
        server.off('error', reject);
        resolve();
      });
    });
    if (path !== undefined) chmodSync(path, options.pathMode ?? DEFAULT_PATH_MODE);
    return new MemcachedServer(server, options);
  }

  private constructor(server: Server, options: MemcachedServerOptions) {
    const { shutdown = false, onShutdown = () => this.close(), ...rest } = options;
    const context = new ServerContext(shutdown ? { ...rest, shutdown: () => void onShutdown() } : rest);
    this.#server = server;
    this.#context = context;
    this.#sockets = new Set();
    this.#maxCommands = options.maxCommandsPerTurn ?? DEFAULT_COMMANDS;
    this.#idleTimeout = options.idleTimeout ?? 0;
    const address = server.address();
    this.port = isPort(address) ? address.port : 0;
    this.address = isPort(address) ? formatAddress(address) : String(address);
    this.#listenAddress = isPort(address) ? `tcp:${this.address}` : `unix:${this.address}`;
    context.connections.maxConnections = options.maxConnections ?? DEFAULT_CONNECTIONS;
    const { host = DEFAULT_HOST, backlog = DEFAULT_BACKLOG, pathMode = DEFAULT_PATH_MODE, path = 'NULL' } = options;
    context.settings
      .set('tcpport', this.port)
      .set('inter', host)
      .set('domain_socket', path)
      .set('umask', pathMode.toString(8))
      .set('reqs_per_event', this.#maxCommands)
      .set('tcp_backlog', backlog)
      .set('idle_timeout', Math.ceil(this.#idleTimeout / 1000))
      .set('ssl_enabled', options.tls === undefined ? 'no' : 'yes');
    context.listConnections = () => Array.from(this.#connections.values(), (connection) => connection.info);
    server.on('connection', (socket: Socket) => {
      this.#accept(socket, options.tls === undefined);
    });
    server.on('secureConnection', (socket: Socket) => {
      this.#guard(socket);
      this.#serve(socket);
    });
    server.on('tlsClientError', (error: Error, socket: Socket) => {
      context.log(`TLS: ${error.message}`, 1);
      socket.destroy();
    });
    server.on('error', (error) => {
      context.log(`listener: ${error.message}`, 1);
    });
    this.#watchIdle(context.store.clock);
  }

  /** The items. */
  get store(): MemoryStore {
    return this.#context.store;
  }

  /** The cluster that this server says it is part of; change it at will, with a higher version. */
  get cluster(): ClusterConfig | undefined {
    return this.#context.cluster;
  }

  set cluster(cluster: ClusterConfig | undefined) {
    this.#context.cluster = cluster;
  }

  /** Ends the server and every connection; nothing of it keeps the process alive afterwards. May be called again. */
  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      this.#idleTimer?.close();
      this.#server.close(() => {
        resolve();
      });
      for (const socket of this.#sockets) socket.destroy();
      this.#context.close();
    });
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Takes a new socket in, or refuses it. */
  #accept(socket: Socket, plain: boolean): void {
    const { connections } = this.#context;
    this.#guard(socket);
    if (this.#sockets.size >= connections.maxConnections) {
      connections.rejected++;
      if (plain) socket.write('ERROR Too many open connections\r\n');
      socket.destroySoon();
      return;
    }
    this.#sockets.add(socket);
    connections.total++;
    connections.current = this.#sockets.size;
    socket.once('close', () => {
      this.#sockets.delete(socket);
      connections.current = this.#sockets.size;
    });
    if (plain) this.#serve(socket);
  }

  #serve(socket: Socket): void {
    const connection = new Connection(socket, this.#context, this.#maxCommands, this.#nextId++, this.#listenAddress);
    this.#connections.set(socket, connection);
    socket.once('close', () => {
      this.#connections.delete(socket);
    });
  }

  /** Without a listener an error of this socket would end the process. */
  #guard(socket: Socket): void {
    socket.on('error', (error) => {
      this.#context.log(`connection: ${error.message}`, 1);
      socket.destroy();
    });
  }

  #watchIdle(clock: Clock): void {
    if (this.#idleTimeout === 0) return;
    this.#idleTimer = clock.setTimeout(
      () => {
        for (const connection of this.#connections.values()) {
          if (connection.idle > this.#idleTimeout) connection.destroy();
        }
        this.#watchIdle(clock);
      },
      Math.min(this.#idleTimeout, IDLE_CHECK),
    );
    this.#idleTimer.unref();
  }
}

function isPort(address: AddressInfo | string | null): address is AddressInfo {
  return typeof address === 'object' && address !== null;
}

function formatAddress({ address, port }: AddressInfo): string {
  return isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Removes a socket, and nothing else, that stands where a unix socket is to be made. */
function removeStaleSocket(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true) unlinkSync(path);
}
