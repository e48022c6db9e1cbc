import { option, type OptionTable } from '../../options/option';
import { STRING, SWITCH, functionOf, valueThat } from '../../options/rule';
import { STORE_OPTIONS } from '../engine/options';
import { STORE } from '../engine/store';
import { LISTENER_OPTIONS, PORT, type ListenerOptions } from '../net/options';
import { SHARED_OPTIONS } from '../shared/context';
import type { Faults } from '../shared/faults';
import type { ClusterConfig, ServerContextOptions } from './commands/context';

/** How a {@link MemcachedServer} is set up. */
export interface MemcachedServerOptions extends ListenerOptions, Omit<ServerContextOptions, 'shutdown'> {
  /** Whether clients may end the server with `shutdown`. @default false */
  shutdown?: boolean;
  /** Called when a client has ended the server with `shutdown`. @default closes this server */
  onShutdown?: () => unknown;
  /** Makes commands fail, for tests of programs that use a cache; called before each command. */
  faults?: Faults;
}

/** The options of a {@link MemcachedServer}. */
export const SERVER_OPTIONS = {
  ...LISTENER_OPTIONS,
  ...SHARED_OPTIONS,
  ...STORE_OPTIONS,
  store: STORE,
  cluster: option(valueThat<ClusterConfig>('{ version, nodes: [{ host, port }, …] }', isCluster)),
  shutdown: option(SWITCH, false),
  onShutdown: option(functionOf<() => unknown>()),
  faults: option(functionOf<Faults>()),
} satisfies OptionTable<MemcachedServerOptions>;

function isCluster(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { version, nodes }: { version?: unknown; nodes?: unknown } = value;
  return Number.isInteger(version) && Array.isArray(nodes) && nodes.every(isNode);
}

function isNode(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { host, port }: { host?: unknown; port?: unknown } = value;
  return STRING.allows(host) && PORT.allows(port);
}
