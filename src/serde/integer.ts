import { MemcacheSerdeError } from '../errors';
import { misflagged } from './unreadable';

/** A decremented counter keeps its old length, padded with spaces. */
const INTEGER = /^-?[0-9]+ *$/;

/** Reading takes time that grows with the square of the length; this many digits take a millisecond. */
const MAX_LENGTH = 20_000;

/** @throws MemcacheSerdeError for a string that is not an integer, or has more than 20 000 characters */
export function toBigInt(text: string): bigint {
  if (text.length > MAX_LENGTH || !INTEGER.test(text)) {
    throw misflagged('an integer');
  }
  return BigInt(text.trimEnd());
}

/** Other languages' integers have no bound: a bigint when a number cannot hold it exactly. */
export function toInteger(text: string): number | bigint {
  return narrow(toBigInt(text));
}

/** @throws MemcacheSerdeError for a string that is not a number, as when something was appended to one */
export function toNumber(text: string): number {
  // Of nothing, and of spaces, `Number` makes 0.
  const value = Number(text.trim() || NaN);
  if (Number.isNaN(value) && text !== 'NaN') throw misflagged('a number');
  return value;
}

/** A number if that holds it exactly, else the bigint. */
export function narrow(exact: bigint): number | bigint {
  const number = Number(exact);
  return Number.isSafeInteger(number) ? number : exact;
}

/** @throws MemcacheSerdeError for a bigint of more than 20 000 characters, which could not be read back */
export function integerText(value: bigint): string {
  const text = String(value);
  if (text.length > MAX_LENGTH) throw new MemcacheSerdeError(`the bigint has more than ${MAX_LENGTH} digits`);
  return text;
}

/** Whether an integer carries the number exactly; it has no -0, and past 2^53 numbers stand for their neighbours too. */
export function isInteger(value: number): boolean {
  return Number.isSafeInteger(value) && !Object.is(value, -0);
}
