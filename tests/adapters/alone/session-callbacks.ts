import { MemcacheSessionStore } from '../../../src/adapters/session';
import { EmbeddedClient } from '../../../src/embedded';
import { alone } from '../../support/alone';

export interface SessionCallbacksReport {
  /** What Node reported as uncaught, and as a rejection that nobody handles. */
  readonly uncaught: readonly string[];
  readonly unhandled: readonly string[];
  /** How often the callback of each call was called. */
  readonly calls: Readonly<Record<string, number>>;
}

/** Callbacks of a program that throw. */
alone(async (): Promise<SessionCallbacksReport> => {
  const uncaught: string[] = [];
  const unhandled: string[] = [];
  process.on('uncaughtException', (error) => uncaught.push(error.message)).on('unhandledRejection', (reason) => unhandled.push(String(reason)));
  const calls: Record<string, number> = {};
  const throwing = (name: string) => (): void => {
    calls[name] = (calls[name] ?? 0) + 1;
    throw new Error(name);
  };
  const store = new MemcacheSessionStore(new EmbeddedClient());
  store.set('a', { user: 'Ada' }, throwing('set'));
  store.get('a', throwing('get'));
  store.touch('a', {}, throwing('touch'));
  store.destroy('a', throwing('destroy'));
  // A call that fails tells its error, and nothing more when the callback throws.
  store.set('a', { visits: 1n }, throwing('failed'));
  await new Promise((resolve) => setTimeout(resolve, 200));
  return { uncaught: uncaught.sort(), unhandled, calls };
});
