import { MemcacheUnknownCommandError } from '../errors';
import type { Command } from './command';
import { rejected } from './connection';
import type { ExecuteOptions, Executor, Monitor } from './executor';

/**
 * The policy behind the option `proxy`: what not every proxy knows is refused here. Most of them would close the connection without a
 * word, and all that is in flight on it would be lost.
 */
export class ProxyGate implements Executor {
  readonly #next: Executor;

  constructor(next: Executor) {
    this.#next = next;
  }

  execute<R>(command: Command<R>, options?: ExecuteOptions): Promise<R> {
    return command.throughProxies ? this.#next.execute(command, options) : rejected(refusal(command));
  }

  close(): Promise<void> {
    return this.#next.close();
  }

  get monitor(): Monitor | undefined {
    return this.#next.monitor;
  }
}

function refusal({ verb: command }: Command<unknown>): MemcacheUnknownCommandError {
  return new MemcacheUnknownCommandError(`"${command}" does not pass through every proxy, and was not sent: see the option proxy`, { command });
}
