import { Socket, type ConnectOpts, type SocketConstructorOpts } from 'node:net';
import { platform, versions } from 'node:process';

/** A client's socket, and where its bytes go. */
export interface Source {
  readonly socket: Socket;
  /** Called with what was read; the next read overwrites it. To be set in the tick in which the source was made. */
  onRead: (bytes: Buffer) => void;
}

/** What Node reads at the most at a time, in bytes. */
const READ_SIZE = 64 * 1024;

/**
 * Serves all sockets, as what was read is taken before the next read begins. Else Node makes memory for each read, which costs as much as
 * a value of 64 KiB itself. On Windows reads are under way on several sockets at once; other run-times have no handles of this kind.
 */
const shared = platform === 'win32' || 'bun' in versions || 'deno' in versions ? undefined : Buffer.allocUnsafeSlow(READ_SIZE);

/** Node's own end of a socket, which its types do not name. */
type WithHandle = Socket & { _handle?: { useUserBuffer?: unknown } | null };
type HandleOptions = SocketConstructorOpts & ConnectOpts & { handle: object };

/** A socket as it is. */
export function sourceOf(socket: Socket): Source {
  const source: Source = { socket, onRead: () => undefined };
  socket.on('data', (bytes: Buffer) => {
    source.onRead(bytes);
  });
  return source;
}

/**
 * A plain socket that was just accepted, read into the shared buffer. Node has that (`onread`) only for sockets that a program makes itself,
 * so one is made around its handle. The accepted one is gone then; where that cannot be done it is the one that is served.
 */
export function takeOver(accepted: WithHandle): Source {
  const handle = accepted._handle;
  if (shared === undefined || typeof handle?.useUserBuffer !== 'function') return sourceOf(accepted);
  const source = { socket: accepted, onRead: (_bytes: Buffer): void => undefined };
  const options: HandleOptions = {
    handle,
    allowHalfOpen: true,
    onread: {
      buffer: shared,
      callback: (length) => {
        source.onRead(shared.subarray(0, length));
        return true;
      },
    },
  };
  accepted._handle = null;
  source.socket = new Socket(options);
  accepted.destroy();
  source.socket.resume();
  return source;
}
