import type { Replies } from './replies';

/** A command before it is executed. */
export interface CommandInfo {
  /** Its first word as the client wrote it, such as `get`, `ms` or `delete`. */
  readonly verb: string;
  /** Its first key as the client wrote it, one character per byte; `undefined` where the command has none. */
  readonly key: string | undefined;
  /** The whole line without its end, one character per byte. */
  readonly line: string;
  /** The number of the connection: 1 for the first that was made to this server, and so on. */
  readonly connection: number;
}

/** One command that is about to be executed. */
export interface Execution {
  readonly command: CommandInfo;
  /** Whether the client wants no reply. */
  readonly noreply: boolean;
  readonly replies: Replies;
  /** Executes it; returns a promise if the reply comes later. */
  readonly execute: () => Promise<void> | undefined;
}

/** Called in place of executing a command; it may execute it, or not. Returns a promise if the reply comes later. */
export type ExecuteHook = (execution: Execution) => Promise<void> | undefined;
