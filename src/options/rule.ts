/** What a value of an option must be. */
import { MemcacheIllegalInputError } from '../errors';
import { LONGEST_TIMER } from '../runtime/clock';

/** A rule for values: `is` completes the sentence `timeout must be …`. */
export interface Rule<T> {
  readonly is: string;
  readonly allows: (value: unknown) => boolean;
  /** What is wrong with a value, where `NAME must be IS` does not say enough. */
  readonly explain?: ((name: string, value: unknown) => string) | undefined;
  /** The unit of the number, unless it is a plain count. */
  readonly unit?: 'ms' | 'bytes' | undefined;
  /** Never set: it carries the type that the rule is for. */
  readonly type?: T;
}

/** A switch. */
export const SWITCH: Rule<boolean> = { is: 'true or false', allows: (value) => typeof value === 'boolean' };

/** A duration in milliseconds. */
export const MILLISECONDS: Rule<number> = {
  is: `a number of milliseconds from 0 to ${LONGEST_TIMER}`,
  allows: (value) => typeof value === 'number' && value >= 0 && value <= LONGEST_TIMER,
  unit: 'ms',
};

/** A whole number from `least` to `most`. */
export function wholeNumber(least: number, most: number, unit?: Rule<number>['unit']): Rule<number> {
  return {
    is: `a whole number from ${least} to ${most}`,
    allows: (value) => isWholeNumber(value, least, most),
    unit,
  };
}

export function isWholeNumber(value: unknown, least: number, most: number): value is number {
  return Number.isInteger(value) && Number(value) >= least && Number(value) <= most;
}

/** An object with these methods; a class given in place of an instance has none of them. */
export function objectWith<T>(what: string, ...methods: readonly (keyof T & string)[]): Rule<T> {
  return valueThat(what, (value) => hasMethods(value, ...methods));
}

/** A string that is not empty. */
export const STRING: Rule<string> = { is: 'a string that is not empty', allows: (value) => typeof value === 'string' && value !== '' };

/** One of these words. */
export function oneOf<T extends string>(...words: readonly T[]): Rule<T> {
  return valueThat(words.join(' or '), (value) => words.some((word) => word === value));
}

/** A function. */
export function functionOf<T extends (...args: never[]) => unknown>(): Rule<T> {
  return valueThat('a function', (value) => typeof value === 'function');
}

/** A value that a rule of its own describes. */
export function valueThat<T>(is: string, allows: (value: unknown) => boolean, explain?: Rule<T>['explain']): Rule<T> {
  return { is, allows, explain };
}

export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** Whether it is an array, a Map or the like; a string is not. */
export function isIterable(value: unknown): value is Iterable<unknown> & object {
  return isObject(value) && Symbol.iterator in value;
}

/** Whether it is an object with these methods. */
export function hasMethods(value: unknown, ...names: readonly string[]): boolean {
  return isObject(value) && names.every((name) => typeof (value as Readonly<Record<string, unknown>>)[name] === 'function');
}

/** @throws MemcacheIllegalInputError saying what `name` must be, when `value` is not */
export function checkValue(name: string, rule: Rule<unknown>, value: unknown): void {
  if (rule.allows(value)) return;
  throw new MemcacheIllegalInputError(rule.explain?.(name, value) ?? `${name} must be ${rule.is}`);
}
