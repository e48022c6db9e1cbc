import { onAbort } from './abort';
import type { Command, ReplyReader } from './commands/command';

/**
 * One execution of a command on one connection: the promise, and where it stands. A call that has settled keeps its
 * place in the queue, so that its reply, when it comes, is taken by nobody else.
 */
export class Call<R> {
  readonly command: Command<R>;
  /** On the monotonic clock, in milliseconds; `Infinity` for none, NaN until the connection has looked at the clock. */
  deadline: number;
  /** Whether its promise has settled. */
  settled = false;
  /** Whether the reply ends with this call: false for all but the last of the gets that share a line. */
  endsReply = true;
  /** Whether its own part of a shared reply has come. */
  answered = false;
  reader: ReplyReader<R> | undefined;
  readonly #resolve: (result: R) => void;
  readonly #reject: (reason: unknown) => void;
  #unfollow: (() => void) | undefined;

  constructor(
    command: Command<R>,
    deadline: number,
    resolve: (result: R) => void,
    reject: (reason: unknown) => void,
  ) {
    this.command = command;
    this.deadline = deadline;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  resolve(result: R): void {
    if (this.#settle()) this.#resolve(result);
  }

  reject(reason: unknown): void {
    if (this.#settle()) this.#reject(reason);
  }

  /** Rejects with the signal's reason when it fires; `onWithdrawn` is told when nobody waits any longer then. */
  follow(signal: AbortSignal, onWithdrawn?: () => void): void {
    this.#unfollow = onAbort(signal, () => {
      this.reject(signal.reason);
      onWithdrawn?.();
    });
  }

  #settle(): boolean {
    if (this.settled) return false;
    this.settled = true;
    this.#unfollow?.();
    return true;
  }
}
