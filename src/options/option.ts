/**
 * Options, declared once: from a table of them come the check of what a caller gives, the message that lists the names,
 * the defaults, and the tables in the documentation.
 */
import { MemcacheIllegalInputError } from '../errors';
import { checkValue, isObject, type Rule } from './rule';

/** One option. What it is for stands in the docstring of its type. */
export interface Option<T> {
  readonly rule: Rule<T>;
  /** The value when it is not given; undefined when there is none. */
  readonly default: T | undefined;
}

/** An option that always has a value. */
export interface OptionWithDefault<T> extends Option<T> {
  readonly default: T;
}

/** An option that has none unless it is given. */
export interface OptionWithoutDefault<T> extends Option<T> {
  readonly default: undefined;
}

/** All options of `Options`, none of which can be forgotten. */
export type OptionTable<Options> = { readonly [Name in keyof Options]-?: Option<Exclude<Options[Name], undefined>> };

/** A table of any options. */
export type AnyOptionTable = Readonly<Record<string, Option<unknown>>>;

/** The options of a table, with their defaults filled in. */
export type Settings<Table> = {
  readonly [Name in keyof Table]: Table[Name] extends OptionWithoutDefault<infer T>
    ? T | undefined
    : Table[Name] extends OptionWithDefault<infer T>
      ? T
      : never;
};

/** An option with a default. */
export function option<T>(rule: Rule<T>, byDefault: T): OptionWithDefault<T>;
/** An option without a default: undefined when it is not given. */
export function option<T>(rule: Rule<T>): OptionWithoutDefault<T>;
export function option<T>(rule: Rule<T>, byDefault?: T): Option<T> {
  return { rule, default: byDefault };
}

/**
 * The values of the options of `table`, with their defaults.
 *
 * @throws MemcacheIllegalInputError naming the option that is not legal and its rule, or that is not in the table
 */
export function settingsOf<Table extends AnyOptionTable>(table: Table, options: object): Settings<Table> {
  checkOptionNames(options, table);
  return settingsAmong(table, options);
}

/**
 * The same out of options some of which may belong to other tables. Whoever takes them all checks their names
 * ({@link checkOptionNames}).
 *
 * @throws MemcacheIllegalInputError naming the option and its rule
 */
export function settingsAmong<Table extends AnyOptionTable>(table: Table, options: object): Settings<Table> {
  const settings: Record<string, unknown> = {};
  for (const [name, { rule, default: byDefault }] of Object.entries(table)) {
    // Whoever checks the names says that null is no object.
    const value = (options as Readonly<Record<string, unknown>> | null)?.[name];
    if (value !== undefined) checkValue(name, rule, value);
    settings[name] = value ?? byDefault;
  }
  return settings as Settings<Table>;
}

/** The given options that are in the table, as they were given, for whoever takes no others. */
export function optionsAmong<Table extends object, Options extends object>(table: Table, options: Options): Pick<Options, keyof Options & keyof Table> {
  return Object.fromEntries(Object.entries(options).filter(([name]) => Object.hasOwn(table, name))) as Pick<Options, keyof Options & keyof Table>;
}

/**
 * Refuses an unknown name, which would otherwise go unnoticed: an item stored with `{ ttl: 60 }` would never expire.
 *
 * @throws MemcacheIllegalInputError when `options` is not an object, or has a name that is not in `known`
 */
export function checkOptionNames(options: unknown, known: object): void {
  if (!isObject(options)) throw refusal('options must be an object', known);
  for (const name in options) if (!Object.hasOwn(known, name)) throw refusal(`there is no option ${JSON.stringify(name.slice(0, 40))}`, known);
}

function refusal(why: string, known: object): MemcacheIllegalInputError {
  return new MemcacheIllegalInputError(`${why}; the options are ${Object.keys(known).join(', ')}`);
}
