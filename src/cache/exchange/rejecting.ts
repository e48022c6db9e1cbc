import { rejected } from '../../client/abort';
import type { Command } from '../../client/command';
import type { ExecuteOptions, Executor } from '../../client/executor';

/** An executor that never throws: what one of the user's own, or a hasher, throws is a rejection, as in the methods of a client. */
export function rejecting(executor: Executor): Executor {
  return {
    execute<R>(command: Command<R>, options?: ExecuteOptions): Promise<R> {
      try {
        return executor.execute(command, options);
      } catch (error) {
        return rejected(error);
      }
    },
    close: () => executor.close(),
  };
}
