/**
 * The rules that options keep to. Types check them for those who write TypeScript; a mistake in plain JavaScript, such as
 * credentials in the wrong place, must not start a server that is open to all.
 */
import { MemcacheIllegalInputError } from '../errors';
import type { Credentials } from './authentication';
import type { ListenerOptions } from './listener';
import type { PersistenceOptions } from './persistence/persistence';
import type { RedisServerOptions } from './redis/server';
import type { MemcachedServerOptions } from './server';
import type { MemoryStoreOptions } from './storage/store';

/** What a value must be; `is` ends the sentence `port must be …`. */
interface Rule {
  readonly is: string;
  readonly allows: (value: unknown) => boolean;
  /** Whether there is no default. */
  readonly required?: boolean;
}

type Rules<Options> = Readonly<Record<keyof Options, Rule>>;

function wholeNumber(least: number, most: number): Rule {
  return {
    is: `a whole number from ${least} to ${most}`,
    allows: (value) => Number.isInteger(value) && Number(value) >= least && Number(value) <= most,
  };
}

function objectWith(what: string, ...methods: readonly string[]): Rule {
  return {
    is: what,
    allows: (value) => isObject(value) && methods.every((name) => typeof value[name] === 'function'),
  };
}

/** The longest delay that Node's timers take. */
const LONGEST_TIMER = 2 ** 31 - 1;

const SWITCH: Rule = { is: 'true or false', allows: (value) => typeof value === 'boolean' };
const FUNCTION: Rule = { is: 'a function', allows: (value) => typeof value === 'function' };
const TEXT: Rule = { is: 'a text that is not empty', allows: isText };
const COUNT = wholeNumber(1, Number.MAX_SAFE_INTEGER);
const MILLISECONDS: Rule = {
  is: `a number of milliseconds from 0 to ${LONGEST_TIMER}`,
  allows: (value) => typeof value === 'number' && value >= 0 && value <= LONGEST_TIMER,
};
const CLOCK = objectWith('a Clock', 'now', 'time', 'setTimeout', 'setImmediate');
// Not by its class: the caller may have loaded another copy of this package.
const STORE = objectWith('a MemoryStore', 'store', 'count', 'beginWalk', 'close');
const PORT = wholeNumber(0, 65_535);
const AUTH: Rule = {
  is: '{ username, password } or an array of such, both texts that are not empty',
  allows: (value) => (Array.isArray(value) ? value.every(isCredentials) : isCredentials(value)),
};

const STORE_RULES: Rules<MemoryStoreOptions> = {
  maxBytes: COUNT,
  maxItemSize: wholeNumber(1, 2 ** 30),
  evict: SWITCH,
  cas: SWITCH,
  clock: CLOCK,
};

const LISTENER_RULES: Rules<ListenerOptions> = {
  host: TEXT,
  port: PORT,
  path: TEXT,
  pathMode: { is: 'an access mode from 0 to 0o7777', allows: wholeNumber(0, 0o7777).allows },
  tls: objectWith('an object of options for tls.createServer'),
  maxConnections: COUNT,
  idleTimeout: MILLISECONDS,
  maxCommandsPerTurn: COUNT,
  backlog: wholeNumber(0, 2 ** 31 - 1),
};

const SESSION_RULES: Rules<Pick<MemcachedServerOptions & RedisServerOptions, 'auth' | 'flush' | 'dump' | 'log' | 'verbosity'>> = {
  auth: AUTH,
  flush: SWITCH,
  dump: SWITCH,
  log: FUNCTION,
  verbosity: wholeNumber(0, Number.MAX_SAFE_INTEGER),
};

const MEMCACHED_RULES: Rules<MemcachedServerOptions> = {
  ...LISTENER_RULES,
  ...SESSION_RULES,
  ...STORE_RULES,
  store: STORE,
  cluster: { is: '{ version, nodes: [{ host, port }, …] }', allows: isCluster },
  shutdown: SWITCH,
  onShutdown: FUNCTION,
  faults: FUNCTION,
};

const REDIS_RULES: Rules<RedisServerOptions> = {
  ...LISTENER_RULES,
  ...SESSION_RULES,
  store: { ...STORE, required: true },
  saveControl: objectWith('a Persistence', 'save'),
};

const PERSISTENCE_RULES: Rules<PersistenceOptions> = {
  file: { ...TEXT, required: true },
  interval: MILLISECONDS,
  log: FUNCTION,
};

/** @throws MemcacheIllegalInputError naming the option and its rule */
export function checkServerOptions(options: MemcachedServerOptions): void {
  checkAll(options, MEMCACHED_RULES);
}

/** @throws MemcacheIllegalInputError naming the option and its rule */
export function checkRedisOptions(options: RedisServerOptions): void {
  checkAll(options, REDIS_RULES);
}

/** @throws MemcacheIllegalInputError naming the option and its rule */
export function checkStoreOptions(options: MemoryStoreOptions): void {
  checkAll(options, STORE_RULES);
}

/** @throws MemcacheIllegalInputError naming the option and its rule */
export function checkPersistence(store: unknown, options: PersistenceOptions): void {
  check('store', store, { ...STORE, required: true });
  checkAll(options, PERSISTENCE_RULES);
}

/**
 * Who may use a server, as a list.
 *
 * @throws MemcacheIllegalInputError
 */
export function checkedUsers(auth: Credentials | readonly Credentials[] = []): readonly Credentials[] {
  check('auth', auth, AUTH);
  return 'username' in auth ? [auth] : auth;
}

function checkAll<Options>(options: Options, rules: Rules<Options>): void {
  const given: unknown = options;
  if (!isObject(given)) throw new MemcacheIllegalInputError('options must be an object, such as { name: value }');
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(rules, name)) {
      throw new MemcacheIllegalInputError(`unknown option "${name}"; there are: ${Object.keys(rules).join(', ')}`);
    }
  }
  for (const [name, rule] of Object.entries<Rule>(rules)) check(name, given[name], rule);
}

function check(name: string, value: unknown, { is, allows, required = false }: Rule): void {
  if (value === undefined ? required : !allows(value)) throw new MemcacheIllegalInputError(`${name} must be ${is}`);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

function isCredentials(value: unknown): boolean {
  return isObject(value) && isText(value['username']) && isText(value['password']);
}

function isCluster(value: unknown): boolean {
  if (!isObject(value) || !Number.isInteger(value['version'])) return false;
  const { nodes }: { nodes?: unknown } = value;
  return Array.isArray(nodes) && nodes.every((node: unknown) => isObject(node) && isText(node['host']) && PORT.allows(node['port']));
}
