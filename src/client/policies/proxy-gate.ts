import { MemcacheUnknownCommandError } from '../../errors';
import type { Command } from '../command';
import { rejected } from '../abort';
import type { ExecuteOptions, Executor, Monitor } from '../executor';

/**
 * The policy behind the option `proxy`: refuses commands that not every proxy knows. Most proxies would close the connection
 * without an answer, and all calls on it would be lost.
 */
export class ProxyGate implements Executor {
  readonly #next: Executor;

  constructor(next: Executor) {
    this.#next = next;
  }

  execute<R>(command: Command<R>, options?: ExecuteOptions): Promise<R> {
    return command.throughProxies ? this.#next.execute(command, options) : rejected(refusal(command, this.monitor?.server));
  }

  close(): Promise<void> {
    return this.#next.close();
  }

  get monitor(): Monitor | undefined {
    return this.#next.monitor;
  }
}

function refusal({ verb: command }: Command<unknown>, server: string | undefined): MemcacheUnknownCommandError {
  return new MemcacheUnknownCommandError(`"${command}" does not pass through every proxy, and was not sent: see the option proxy`, { command, server });
}
