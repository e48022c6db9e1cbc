import { FUNCTION, PORT, SWITCH, checkOptions, isObject, isString, type Rules } from '../../options/rules';
import { STORE, STORE_RULES } from '../engine/options';
import { LISTENER_RULES, type ListenerOptions } from '../net/options';
import { SHARED_RULES } from '../shared/context';
import type { Faults } from '../shared/faults';
import type { ServerContextOptions } from './commands/context';

/** How a {@link MemcachedServer} is set up. */
export interface MemcachedServerOptions extends ListenerOptions, Omit<ServerContextOptions, 'shutdown'> {
  /** Whether clients may end the server with `shutdown`. @default false */
  shutdown?: boolean;
  /** Called when a client has ended the server with `shutdown`. @default closes this server */
  onShutdown?: () => unknown;
  /** What goes wrong, for tests of programs that use a cache; called before each command. */
  faults?: Faults;
}

const RULES: Rules<MemcachedServerOptions> = {
  ...LISTENER_RULES,
  ...SHARED_RULES,
  ...STORE_RULES,
  store: STORE,
  cluster: { is: '{ version, nodes: [{ host, port }, …] }', allows: isCluster },
  shutdown: SWITCH,
  onShutdown: FUNCTION,
  faults: FUNCTION,
};

/** @throws MemcacheIllegalInputError naming the option and its rule */
export function checkServerOptions(options: MemcachedServerOptions): void {
  checkOptions(options, RULES);
}

function isCluster(value: unknown): boolean {
  if (!isObject(value) || !Number.isInteger(value['version'])) return false;
  const { nodes }: { nodes?: unknown } = value;
  return (
    Array.isArray(nodes) &&
    nodes.every((node: unknown) => isObject(node) && isString(node['host']) && PORT.allows(node['port']))
  );
}
