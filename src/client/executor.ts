import type { Command } from './command';
import type { ServerMetrics } from './meter';
import type { CommandMessage } from './observe';
import type { KeyPart } from '../protocol/key';

/** The options of every call. */
export interface CallOptions {
  /**
   * Aborts the call: it rejects at once with the signal's reason. If it was already sent, the server may still execute it; its
   * reply is dropped.
   */
  signal?: AbortSignal | undefined;
}

/** What executors pass down besides the command. */
export interface ExecuteOptions extends CallOptions {
  /** When the call must have settled, on the monotonic clock, in milliseconds; by default `timeout` from now. A layer never extends it. */
  deadline?: number | undefined;
  /** The message published for the call; only there if anybody listens. */
  trace?: CommandMessage | undefined;
}

/** What can be seen of an executor from outside. */
export interface Monitor {
  /** The number that messages on `CHANNELS` have. */
  readonly clientId: number;
  /** The server's name, where there is only one. */
  readonly server?: string | undefined;
  /** The name of the server that owns a key, by the part of it that places it; where there are several. */
  serverFor?(part: KeyPart): string | undefined;
  /** What was counted, by server. */
  metrics(): Map<string, ServerMetrics>;
}

/**
 * Carries a command to a server and its reply back. Connections, pools, routers and retriers are executors, and a
 * policy is a function from executor to executor.
 */
export interface Executor {
  execute<R>(command: Command<R>, options?: ExecuteOptions): Promise<R>;
  /** Lets calls under way finish, for at most the time-out, then frees everything. The executor may be used again. */
  close(): Promise<void>;
  /** For `metrics()` of the client; a policy returns that of the executor it stands before. */
  readonly monitor?: Monitor | undefined;
}
