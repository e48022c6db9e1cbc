import { isIPv6 } from 'node:net';
import type { Clock } from '../../runtime/clock';

/** Where a session's replies go. Strings have one character per byte. Bytes are not copied and must not change later. */
export interface SessionOutput {
  write(data: string | Uint8Array): void;
  /** Nothing will follow. */
  end(): void;
  /** Ends at once, with a TCP reset where there is one. */
  reset?(): void;
}

/** How much one `push` may do. */
export interface TurnLimits {
  /** A line may name four times as many keys before it goes on with the next `push`. @default Infinity */
  readonly maxCommands?: number | undefined;
  /** Bytes of replies; the value that exceeds it is sent, and a retrieval of more keys goes on with the next `push`. @default Infinity */
  readonly maxReplyBytes?: number | undefined;
}

/** One client's conversation, as a connection drives it. */
export interface SocketSession {
  /** Whether the session is over. */
  readonly ended: boolean;
  /** How many commands the last {@link push} executed. */
  readonly executed: number;
  /** Resolves when a command that is answered later has been answered; nothing must be pushed before that. */
  readonly pending?: Promise<void> | undefined;
  /**
   * Executes the commands that `buffer[start, end)` completes; nothing of the buffer is kept.
   *
   * @returns where it stopped: `end`, or less when a limit was reached, perhaps in the middle of a command; the rest must be pushed again.
   */
  push(buffer: Buffer, start: number, end: number): number;
  /** Ends the session. */
  close(): void;
}

/** One open connection. */
export interface ConnectionInfo {
  readonly id: number;
  readonly address: string;
  readonly listenAddress: string;
  readonly secondsSinceLastCommand: number;
}

/** An end of a TCP connection as memcached names it: `tcp:127.0.0.1:11211`, `tcp6:[::1]:11211`. */
export function socketName(address: string, port: number): string {
  return isIPv6(address) ? `tcp6:[${address}]:${port}` : `tcp:${address}:${port}`;
}

/** What the connections of a server have counted; sessions without a server report zeros. */
export interface ConnectionStats {
  maxConnections: number;
  current: number;
  total: number;
  rejected: number;
  bytesRead: number;
  bytesWritten: number;
  yields: number;
  /** Closed because they completed no command for too long. */
  idleKicks: number;
}

/** Serves the clients of a listener. */
export interface Service<S extends SocketSession> {
  readonly clock: Clock;
  readonly protocol: 'memcached' | 'redis';
  /** Counts what the connections do. */
  readonly connections: ConnectionStats;
  /** Whether clients are served without authentication. */
  readonly open: boolean;
  /** The line for a client beyond the limit. */
  readonly refusal: string;
  /** Takes a line per event: level 0 is always shown, 1 are errors. */
  log(line: string, level: number): void;
  /** Begins a conversation; `id` is the connection's own number. */
  openSession(output: SessionOutput, limits: TurnLimits, id: number): S;
}
