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
  /** Whether the client wants no answer. */
  readonly noreply: boolean;
  readonly replies: Replies;
  /** Executes it; the promise settles when the answer comes later. */
  readonly execute: () => Promise<void> | undefined;
}

/** What comes between a command and its execution: it executes it, or does not. The promise settles once it is answered. */
export type ExecuteHook = (execution: Execution) => Promise<void> | undefined;
