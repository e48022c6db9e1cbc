import { Socket, type ConnectOpts, type SocketConstructorOpts } from 'node:net';
import { platform, versions } from 'node:process';

/** What Node reads at the most at a time, in bytes. */
const READ_SIZE = 64 * 1024;

/**
 * Serves all sockets, as what was read is taken before the next read begins. Else Node makes memory for each read, which costs as much
 * as the rest of a large value. On Windows reads are under way on several sockets at once; other run-times have no handles of this kind.
 */
const shared = platform === 'win32' || 'bun' in versions || 'deno' in versions ? undefined : Buffer.allocUnsafeSlow(READ_SIZE);

/** Node's own end of a socket, which its types do not name. */
type WithHandle = Socket & { _handle?: { useUserBuffer?: unknown } | null };
type HandleOptions = SocketConstructorOpts & ConnectOpts & { handle: object };

/** A client's socket, and where its bytes go. */
export class Source {
  readonly socket: Socket;
  /** Called with what was read; the next read overwrites it. To be set in the tick in which the source was made. */
  onRead: (bytes: Buffer) => void = () => undefined;

  /**
   * @param accepted a socket that nothing was read from. A plain one is read into the shared buffer. Node has that (`onread`) only for sockets
   *   that a program makes itself, so one is made around its handle, and the accepted one is gone; where that cannot be done it is served.
   * @param plain whether it is a socket of the system, and not one of TLS
   */
  constructor(accepted: WithHandle, plain: boolean) {
    const handle = accepted._handle;
    if (!plain || shared === undefined || typeof handle?.useUserBuffer !== 'function') {
      this.socket = accepted;
      accepted.on('data', (bytes: Buffer) => {
        this.onRead(bytes);
      });
      return;
    }
    const options: HandleOptions = {
      handle,
      allowHalfOpen: true,
      onread: {
        buffer: shared,
        callback: (length) => {
          this.onRead(shared.subarray(0, length));
          return true;
        },
      },
    };
    accepted._handle = null;
    this.socket = new Socket(options);
    accepted.destroy();
    this.socket.resume();
  }
}
