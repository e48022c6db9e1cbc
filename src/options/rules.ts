/**
 * What options must be. Types check them for those who write TypeScript; a mistake in plain JavaScript, such as
 * credentials in the wrong place, must not start a server that is open to all.
 */
import { MemcacheIllegalInputError } from '../errors';

/** What a value must be; `is` ends the sentence `port must be …`. */
export interface Rule {
  readonly is: string;
  readonly allows: (value: unknown) => boolean;
  /** Whether there is no default. */
  readonly required?: boolean;
}

/** One rule for each option. */
export type Rules<Options> = Readonly<Record<keyof Options, Rule>>;

/** The longest delay that Node's timers take. */
const LONGEST_TIMER = 2 ** 31 - 1;

export const SWITCH: Rule = { is: 'true or false', allows: (value) => typeof value === 'boolean' };
export const FUNCTION: Rule = { is: 'a function', allows: (value) => typeof value === 'function' };
export const STRING: Rule = { is: 'a string that is not empty', allows: isString };
export const COUNT = wholeNumber(1, Number.MAX_SAFE_INTEGER);
export const PORT = wholeNumber(0, 65_535);
export const MILLISECONDS: Rule = {
  is: `a number of milliseconds from 0 to ${LONGEST_TIMER}`,
  allows: (value) => typeof value === 'number' && value >= 0 && value <= LONGEST_TIMER,
};

export function wholeNumber(least: number, most: number): Rule {
  return {
    is: `a whole number from ${least} to ${most}`,
    allows: (value) => Number.isInteger(value) && Number(value) >= least && Number(value) <= most,
  };
}

export function objectWith(what: string, ...methods: readonly string[]): Rule {
  return {
    is: what,
    allows: (value) => isObject(value) && methods.every((name) => typeof value[name] === 'function'),
  };
}

export function required(rule: Rule): Rule {
  return { ...rule, required: true };
}

/** @throws MemcacheIllegalInputError naming the option that does not exist or is not legal, and its rule */
export function checkOptions<Options>(options: Options, rules: Rules<Options>): void {
  const given: unknown = options;
  if (!isObject(given)) throw new MemcacheIllegalInputError('options must be an object, such as { name: value }');
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(rules, name)) {
      throw new MemcacheIllegalInputError(`unknown option "${name}"; there are: ${Object.keys(rules).join(', ')}`);
    }
  }
  for (const [name, rule] of Object.entries<Rule>(rules)) checkOption(name, given[name], rule);
}

/** @throws MemcacheIllegalInputError naming the option and its rule */
export function checkOption(name: string, value: unknown, { is, allows, required: needed = false }: Rule): void {
  if (value === undefined ? needed : !allows(value)) throw new MemcacheIllegalInputError(`${name} must be ${is}`);
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isString(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}
