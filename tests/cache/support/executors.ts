import { MemcacheConnectError, type Command, type ExecuteOptions, type Executor } from '../../../src';

/** An executor in front of another one. */
export class Before implements Executor {
  readonly #next: Executor;
  readonly #around: (command: Command<unknown>, go: () => Promise<unknown>) => Promise<unknown>;

  constructor(next: Executor, around: (command: Command<unknown>, go: () => Promise<unknown>) => Promise<unknown>) {
    this.#next = next;
    this.#around = around;
  }

  execute<R>(command: Command<R>, options?: ExecuteOptions): Promise<R> {
    return this.#around(command, () => this.#next.execute(command, options)) as Promise<R>;
  }

  close(): Promise<void> {
    return this.#next.close();
  }
}

/** A cache that cannot be reached. */
export class Gone implements Executor {
  execute(): Promise<never> {
    return Promise.reject(new MemcacheConnectError('nobody is there'));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
