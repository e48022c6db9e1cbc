import type { Command } from './command';
import type { ServerMetrics } from './meter';
import type { CommandMessage } from './observe';

/** What every call may be given. */
export interface CallOptions {
  /**
   * Aborts the call: it rejects at once with the signal's reason. What was already sent may still be executed by the
   * server; its reply is dropped.
   */
  signal?: AbortSignal | undefined;
}

/** What executors hand down beside the command. */
export interface ExecuteOptions extends CallOptions {
  /** When the call must have settled, on the monotonic clock, in milliseconds; by default `timeout` from now. A layer never extends it. */
  deadline?: number | undefined;
  /** What is told of the call to those who listen; only there when somebody does. */
  trace?: CommandMessage | undefined;
}

/** An executor as it is seen from outside. */
export interface Monitor {
  /** The number that messages on `CHANNELS` have. */
  readonly clientId: number;
  /** The server's name, where there is only one. */
  readonly server: string | undefined;
  /** What was counted, by server. */
  metrics(): Map<string, ServerMetrics>;
}

/**
 * Carries a command to a server and its reply back. Connections, pools, routers and retriers are executors, and a
 * policy is a function from executor to executor.
 */
export interface Executor {
  execute<R>(command: Command<R>, options?: ExecuteOptions): Promise<R>;
  /** Lets what is in flight finish within the time-out, then frees everything. The executor may be used again. */
  close(): Promise<void>;
  /** For `metrics()` of the client; a policy passes on that of its executor. */
  readonly monitor?: Monitor | undefined;
}
