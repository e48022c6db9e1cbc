import { chmodSync, lstatSync, renameSync, unlinkSync } from 'node:fs';
import { createServer, isIPv6, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { isMainThread } from 'node:worker_threads';
import { MemcacheIllegalInputError } from '../../errors';
import { settingsAmong, type Settings } from '../../options/option';
import type { Timer } from '../../runtime/clock';
import { connectChannel, disconnectChannel, refuseChannel, type ConnectionMessage, type ServerMessage } from './channels';
import { Connection } from './connection';
import { LISTENER_OPTIONS, type ListenerOptions } from './options';
import { socketName, type Service, type SocketSession } from './service';

/** The least time between two searches for idle connections, in milliseconds. */
const IDLE_CHECK = 1000;

/** The longest path of a unix socket, in bytes: what the system's address has room for. */
const LONGEST_PATH = process.platform === 'linux' ? 107 : 103;

/** How long a TLS handshake may take, in milliseconds. */
const HANDSHAKE_TIMEOUT = 10_000;

/**
 * A listening socket and its connections: limits how many there are and how long they may be idle, and keeps an error of one
 * from the others.
 */
export class Listener<S extends SocketSession> {
  /** Where it listens, as clients write it: `127.0.0.1:11211`, `[::1]:11211`, or the path of the unix socket. */
  readonly address: string;
  /** The TCP port; 0 on a unix socket. */
  readonly port: number;
  readonly settings: Settings<typeof LISTENER_OPTIONS>;
  readonly #server: Server;
  readonly #plain: boolean;
  readonly #listenAddress: string;
  readonly #loopback: boolean;
  /** The socket that it has made at its path; undefined on TCP. */
  readonly #socket: string | undefined;
  readonly #sockets = new Set<Socket>();
  readonly #connections = new Map<Socket, Connection<S>>();
  #idleTimer: Timer | undefined;
  #nextId = 1;

  /**
   * Begins to listen. {@link serve} must be called in the same tick.
   *
   * @throws the system's error when it cannot listen, for example `EADDRINUSE`
   */
  static async open<S extends SocketSession>(options: ListenerOptions): Promise<Listener<S>> {
    const settings = settingsAmong(LISTENER_OPTIONS, options);
    const { host, port, ipv6Only, path, pathMode, tls, backlog } = settings;
    // Half open, so that a client that has sent its last command and a FIN still gets the replies.
    const server =
      tls === undefined
        ? createServer({ allowHalfOpen: true })
        : createTlsServer({ handshakeTimeout: HANDSHAKE_TIMEOUT, ...tls, allowHalfOpen: true });
    if (path !== undefined) {
      // Node 20 listens on what is left of a longer one, and never removes that.
      if (process.platform !== 'win32' && Buffer.byteLength(path) > LONGEST_PATH) {
        throw new MemcacheIllegalInputError(`path must be at most ${LONGEST_PATH} bytes long`);
      }
      removeStaleSocket(path);
    }
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      const listen = (): void => {
        server.listen(path === undefined ? { host, port, ipv6Only, backlog } : { path, backlog }, () => {
          server.off('error', reject);
          resolve();
        });
      };
      if (path === undefined) listen();
      else making(pathMode, listen);
    });
    try {
      if (path !== undefined) chmodSync(path, pathMode);
    } catch (error) {
      server.close();
      throw error;
    }
    return new Listener(server, settings);
  }

  private constructor(server: Server, settings: Settings<typeof LISTENER_OPTIONS>) {
    this.#server = server;
    this.settings = settings;
    this.#plain = settings.tls === undefined;
    this.#socket = settings.path === undefined ? undefined : socketAt(settings.path);
    const address = server.address();
    this.port = isPort(address) ? address.port : 0;
    this.address = isPort(address) ? formatAddress(address) : String(address);
    this.#listenAddress = isPort(address) ? socketName(address.address, address.port) : `unix:${this.address}`;
    this.#loopback = !isPort(address) || /^(?:127\.|::1$|::ffff:127\.)/.test(address.address);
  }

  /** The open connections. */
  get connections(): Iterable<Connection<S>> {
    return this.#connections.values();
  }

  /** Serves clients by `service`. */
  serve(service: Service<S>): void {
    const server = this.#server;
    const { maxConnections, idleTimeout } = this.settings;
    service.connections.maxConnections = maxConnections;
    if (!this.#loopback && service.open) {
      service.log(`WARNING: ${this.address} serves everybody who can reach it: there is no authentication`, 0);
    }
    server.on('connection', (socket: Socket) => {
      this.#accept(socket, service);
    });
    server.on('secureConnection', (socket: Socket) => {
      guard(socket, service);
      this.#begin(socket, service);
    });
    server.on('tlsClientError', (error: Error, socket: Socket) => {
      service.log(`TLS: ${error.message}`, 1);
      socket.destroy();
    });
    server.on('error', (error) => {
      service.log(`listener: ${error.message}`, 1);
    });
    if (idleTimeout > 0) this.#watchIdle(service, idleTimeout);
  }

  /** Stops listening and ends every connection; it does not keep the process alive afterwards. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#idleTimer?.close();
      this.#leavingSuccessor(() => {
        this.#server.close(() => {
          resolve();
        });
      });
      for (const socket of this.#sockets) socket.destroy();
    });
  }

  /** Closes by `close`, in which Node removes whatever is at the path, be it the socket of a server that has taken this one's place. */
  #leavingSuccessor(close: () => void): void {
    const { path } = this.settings;
    const aside = path === undefined ? undefined : setAside(path, this.#socket);
    close();
    if (path !== undefined && aside !== undefined) renameSync(aside, path);
  }

  /** Accepts a new socket, or refuses it. */
  #accept(socket: Socket, service: Service<S>): void {
    const { connections } = service;
    guard(socket, service);
    if (this.#sockets.size >= connections.maxConnections) {
      connections.rejected++;
      if (refuseChannel.hasSubscribers) refuseChannel.publish(this.#message(service));
      if (this.#plain) socket.write(`${service.refusal}\r\n`);
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
    if (this.#plain) this.#begin(socket, service);
  }

  #begin(socket: Socket, service: Service<S>): void {
    const { maxCommandsPerTurn } = this.settings;
    const id = this.#nextId++;
    const connection = new Connection(socket, service, maxCommandsPerTurn, id, this.#listenAddress);
    this.#connections.set(socket, connection);
    this.#tell(connectChannel, service, id);
    socket.once('close', () => {
      this.#connections.delete(socket);
      this.#tell(disconnectChannel, service, id);
    });
  }

  #message(service: Service<S>): ServerMessage {
    return { server: this.address, protocol: service.protocol };
  }

  #tell(channel: typeof connectChannel, service: Service<S>, connection: number): void {
    if (!channel.hasSubscribers) return;
    const message: ConnectionMessage = { ...this.#message(service), connection };
    channel.publish(message);
  }

  #watchIdle(service: Service<S>, idleTimeout: number): void {
    this.#idleTimer = service.clock.setTimeout(
      () => {
        for (const connection of this.#connections.values()) {
          if (connection.idle <= idleTimeout) continue;
          service.connections.idleKicks++;
          connection.destroy();
        }
        this.#watchIdle(service, idleTimeout);
      },
      Math.min(idleTimeout, IDLE_CHECK),
    );
    this.#idleTimer.unref();
  }
}

/**
 * Runs `make`, which makes a file, so that the file has no more than `mode` from its first moment: whoever has connected to a socket
 * stays. Only the main thread may say so for the process.
 */
function making(mode: number, make: () => void): void {
  if (!isMainThread) {
    make();
    return;
  }
  const usual = process.umask(0o777 & ~mode);
  try {
    make();
  } finally {
    process.umask(usual);
  }
}

/** Without a listener an error of this socket would end the process. */
function guard(socket: Socket, service: Pick<Service<SocketSession>, 'log'>): void {
  socket.on('error', (error) => {
    service.log(`connection: ${error.message}`, 1);
    socket.destroy();
  });
}

function isPort(address: AddressInfo | string | null): address is AddressInfo {
  return typeof address === 'object' && address !== null;
}

function formatAddress({ address, port }: AddressInfo): string {
  return isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Removes a stale socket from the path of a unix socket, but never any other file. */
function removeStaleSocket(path: string): void {
  if (socketAt(path) !== undefined) unlinkSync(path);
}

/** Moves another socket than `own` from `path` out of the way, and returns where it is then. */
function setAside(path: string, own: string | undefined): string | undefined {
  try {
    const present = socketAt(path);
    if (present === undefined || present === own) return undefined;
    const aside = `${path}.${process.pid}`;
    renameSync(path, aside);
    return aside;
  } catch {
    // Who may not look there, or not write, can remove nothing either.
    return undefined;
  }
}

/** Which socket is at the path, as the system numbers its files; `undefined` when none is. */
function socketAt(path: string): string | undefined {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found?.isSocket() === true ? `${found.dev}:${found.ino}` : undefined;
}
