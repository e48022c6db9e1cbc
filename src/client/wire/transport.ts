/** The byte stream under a connection. The only file of the client that knows sockets. */
import type * as dns from 'node:dns';
import * as net from 'node:net';
import type * as tls from 'node:tls';
import { systemRandom } from '../../runtime/random';
import type { ServerAddress } from '../server-address';

/** Options of `tls.connect` that make sense for a client. */
export type TlsOptions = Omit<tls.ConnectionOptions, 'host' | 'port' | 'path' | 'socket' | 'lookup' | 'timeout'>;

/** The callbacks of a transport. `onClose` is the last call, and the only one that always comes. */
export interface TransportHandler {
  onOpen(): void;
  /** `buffer[0, length)` is overwritten by the next read. */
  onData(buffer: Buffer, length: number): void;
  /** Everything written has been handed to the system. */
  onDrain(): void;
  onClose(cause: Error | undefined): void;
}

/** An open byte stream, or one being opened. */
export interface Transport {
  /** Sends the pieces in order; strings are of one character per byte. */
  write(text: string | Uint8Array): void;
  /** Holds back what is written until {@link uncork}, so that it leaves together. */
  cork(): void;
  uncork(): void;
  /** Bytes written and not yet handed to the system. */
  readonly backlog: number;
  /**
   * Ends the stream at once; what was handed to the system is still sent.
   *
   * @param drops whether it is not to be sent any more, where the system lets us say so
   */
  destroy(drops?: boolean): void;
  /** Whether it keeps the process alive. */
  ref(): void;
  unref(): void;
}

/** What a transport needs to open a stream. */
export interface TransportOptions {
  readonly noDelay: boolean;
  /** Idle milliseconds before the first keep-alive probe; undefined for none. */
  readonly keepAlive: number | undefined;
  readonly tls: TlsOptions | undefined;
  /** Milliseconds; 0 = no limit. The owner enforces both limits; a transport may use them to divide its attempts. */
  readonly connectTimeout: number;
  /** How long a call may take: once no call waits any more, the owner gives up the connection that is being made. */
  readonly timeout: number;
}

/** Opens a byte stream to a server. */
export type Connect = (address: ServerAddress, options: TransportOptions, handler: TransportHandler) => Transport;

/**
 * Reading into a buffer of our own saves a quarter of the time of small gets and half of that of 4 KB values. One buffer
 * serves all sockets, since what is read is taken before the next read begins; on Windows a read may be
 * under way on several sockets at once, so there each has its own.
 */
const sharedBuffer = process.platform === 'win32' ? undefined : Buffer.allocUnsafeSlow(256 * 1024);
const ownBuffer = (): Buffer => Buffer.allocUnsafeSlow(64 * 1024);

/** Opens a TCP, TLS or unix socket. */
export const connectSocket: Connect = (address, options, handler) => {
  const onread: net.OnReadOpts = {
    // Cloudflare's Workers keep the buffer of a read: each needs a new one.
    buffer: 'WebSocketPair' in globalThis ? ownBuffer : (sharedBuffer ?? ownBuffer()),
    callback: (length, buffer) => {
      handler.onData(buffer as Buffer, length);
      return true;
    },
  };
  return new SocketTransport(openSocket(address, options, onread), address, options, handler);
};

function openSocket(address: ServerAddress, options: TransportOptions, onread: net.OnReadOpts): net.Socket {
  if (options.tls === undefined) return net.connect({ ...target(address, options), onread });
  // tls.connect documents `onread`; its type lags behind.
  const tlsOptions: tls.ConnectionOptions & net.ConnectOpts = {
    ...target(address, options),
    ...options.tls,
    servername: options.tls.servername ?? serverName(address),
    onread,
  };
  try {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- loaded on first use: most clients have no TLS, and importing it takes 5 ms
    return (require('node:tls') as typeof tls).connect(tlsOptions);
  } catch (error) {
    // A certificate or key that cannot be read throws at once; it is reported like every other failure to connect.
    return new net.Socket().destroy(error instanceof Error ? error : undefined);
  }
}

function target(address: ServerAddress, options: TransportOptions): net.TcpNetConnectOpts | net.IpcNetConnectOpts {
  if ('path' in address.endpoint) return address.endpoint;
  // Node gives each address of a name a fixed 250 ms; a tight limit must leave room for the next one.
  const autoSelectFamilyAttemptTimeout = Math.ceil(Math.max(10, Math.min(750, options.connectTimeout || 750, options.timeout || 750) / 3));
  return { ...address.endpoint, autoSelectFamily: true, autoSelectFamilyAttemptTimeout, lookup: inVain.has(address) ? lookUp : undefined };
}

/** The servers to which a connection could not be made. */
const inVain = new WeakSet<ServerAddress>();

/** There is time for three addresses of a name. Of more it begins with any, so that each is tried sooner or later. */
const lookUp: net.LookupFunction = (host, options, callback) => {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- as for node:tls
  (require('node:dns') as typeof dns).lookup(host, options, (error, found, family) => {
    if (Array.isArray(found) && found[3]) found.push(...found.splice(0, systemRandom() * found.length));
    callback(error, found, family);
  });
};

/** SNI and verification use the name that was configured; an address must not be sent as a name. */
function serverName({ endpoint }: ServerAddress): string | undefined {
  if ('path' in endpoint || net.isIP(endpoint.host) !== 0) return undefined;
  // Without the dot that says that a name is complete: https://www.rfc-editor.org/rfc/rfc6066#section-3
  return endpoint.host.replace(/\.$/, '');
}

class SocketTransport implements Transport {
  readonly #socket: net.Socket;

  constructor(socket: net.Socket, address: ServerAddress, options: TransportOptions, handler: TransportHandler) {
    this.#socket = socket;
    let isOpen = false;
    let cause: Error | undefined;
    socket.setNoDelay(options.noDelay);
    if (options.keepAlive !== undefined) socket.setKeepAlive(true, options.keepAlive);
    socket.once(options.tls === undefined ? 'connect' : 'secureConnect', () => {
      isOpen = true;
      handler.onOpen();
    });
    socket.on('drain', () => {
      handler.onDrain();
    });
    // A FIN in the middle of a reply raises no error, only 'end' and 'close': everything is settled on 'close'.
    socket.on('error', (error) => {
      cause = error;
    });
    // After its FIN a server answers nothing more; what we still had to write is of no use.
    socket.once('end', () => {
      socket.destroy();
    });
    socket.once('close', () => {
      if (!isOpen) inVain.add(address);
      handler.onClose(cause);
    });
  }

  write(text: string | Uint8Array): void {
    // It counts for strings only.
    this.#socket.write(text, 'latin1');
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  get backlog(): number {
    // It is destroyed some turns of the event loop before it is closed: what is not written by then goes over another connection.
    return this.#socket.destroyed ? Infinity : this.#socket.writableLength;
  }

  destroy(drops?: boolean): void {
    if (drops) {
      try {
        this.#socket.resetAndDestroy();
      } catch {
        // Node resets nothing but plain TCP, and throws. Under TLS there is some, of which nothing is documented.
        const tcp = (this.#socket as net.Socket & { _handle?: { _parent?: { close: unknown; reset?: unknown } } })._handle?._parent;
        if (tcp?.reset) tcp.close = tcp.reset;
      }
    }
    this.#socket.destroy();
  }

  ref(): void {
    this.#socket.ref();
  }

  unref(): void {
    this.#socket.unref();
  }
}
