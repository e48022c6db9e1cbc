import { option, type OptionTable } from '../../options/option';
import { SWITCH, functionOf } from '../../options/rule';
import { LISTENER_OPTIONS, type ListenerOptions } from '../net/options';
import type { Faults } from '../shared/faults';
import { CONTEXT_OPTIONS, type ServerContextOptions } from './commands/context';

/** How a {@link MemcachedServer} is set up. */
export interface MemcachedServerOptions extends ListenerOptions, Omit<ServerContextOptions, 'shutdown'> {
  /** Whether clients may end the server with `shutdown`. @default false */
  shutdown?: boolean | undefined;
  /** Called when a client has ended the server with `shutdown`. @default closes this server */
  onShutdown?: (() => unknown) | undefined;
  /** What goes wrong, for tests of programs that use a cache: called before each command. `server.faults` changes it. */
  faults?: Faults | undefined;
}

/** The options of a {@link MemcachedServer}. */
export const SERVER_OPTIONS = {
  ...LISTENER_OPTIONS,
  ...CONTEXT_OPTIONS,
  shutdown: option(SWITCH, false),
  onShutdown: option(functionOf<() => unknown>()),
  faults: option(functionOf<Faults>()),
} satisfies OptionTable<MemcachedServerOptions>;
