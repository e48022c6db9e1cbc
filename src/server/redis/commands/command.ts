import type { RedisExchange } from './exchange';

/** The flags of a command, as Redis's `COMMAND` lists them. */
export type CommandFlag = 'write' | 'readonly' | 'denyoom' | 'fast' | 'admin' | 'no_auth' | 'no_multi';

/** A command of the Redis protocol. */
export interface Command {
  /** In lower case; `client|setname` for a command within a command. */
  readonly name: string;
  /** Its index in the counts; 0 is for commands that do not exist. */
  readonly index: number;
  /** The number of arguments, its name included; -n for at least n. */
  readonly arity: number;
  readonly flags: readonly CommandFlag[];
  /** Whether it is executed at once within MULTI, instead of being kept until EXEC. */
  readonly atOnce: boolean;
  /** Which arguments are keys: the first, the last (-1: the last argument), and the distance between two; zeros for none. */
  readonly keys: readonly [first: number, last: number, step: number];
  /** Whether it handles an argument that is too large for an item itself. */
  readonly takesLargeValues: boolean;
  /** Commands named by the second argument. */
  readonly subcommands: ReadonlyMap<string, Command>;
  /** Executes the command. The number and length of its arguments were checked. The reply may come later. */
  readonly execute: (exchange: RedisExchange) => void | Promise<void>;
}

const NONE: ReadonlyMap<string, Command> = new Map();

const names = ['unknown'];

/** The names of all commands, subcommands included, each at its index. */
export const COMMAND_NAMES: readonly string[] = names;

/** The keys of a command on one key. */
export const ONE_KEY: Command['keys'] = [1, 1, 1];
/** The keys of a command on all its arguments. */
export const ALL_KEYS: Command['keys'] = [1, -1, 1];

/** Describes a command. */
export function command(
  name: string,
  arity: number,
  flags: readonly CommandFlag[],
  execute: Command['execute'],
  rest: Partial<Pick<Command, 'keys' | 'takesLargeValues' | 'atOnce'>> = {},
): Command {
  return { name, index: names.push(name) - 1, arity, flags, execute, keys: [0, 0, 0], takesLargeValues: false, atOnce: false, subcommands: NONE, ...rest };
}

/** Describes a command with subcommands; `execute` runs when none is named. */
export function container(
  name: string,
  arity: number,
  subcommands: readonly Command[],
  execute: Command['execute'] = () => undefined,
): Command {
  const byName = new Map(subcommands.map((sub) => [sub.name.slice(name.length + 1), sub]));
  return { ...command(name, arity, [], execute), subcommands: byName };
}

/** Whether the command takes `count` arguments. */
export function hasArity({ arity }: Command, count: number): boolean {
  return arity >= 0 ? count === arity : count >= -arity;
}
