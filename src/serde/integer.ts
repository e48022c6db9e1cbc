import { MemcacheSerdeError } from '../errors';

/** A decremented counter keeps its old length, filled up with blanks. */
const INTEGER = /^-?[0-9]+ *$/;

/** Reading takes time that grows with the square of the length; this many digits take a millisecond. */
const MAX_LENGTH = 20_000;

/** @throws MemcacheSerdeError for text that is no integer, or one of more than 20 000 characters */
export function toBigInt(text: string): bigint {
  if (text.length > MAX_LENGTH || !INTEGER.test(text)) {
    throw new MemcacheSerdeError('what should be an integer is none', { certainty: 'executed' });
  }
  return BigInt(text.trimEnd());
}

/** Other languages' integers have no bound; those that a number cannot hold come as bigint. */
export function toInteger(text: string): number | bigint {
  return narrow(toBigInt(text));
}

/** As a number where a number holds it exactly. */
export function narrow(exact: bigint): number | bigint {
  const number = Number(exact);
  return Number.isSafeInteger(number) ? number : exact;
}

/** @throws MemcacheSerdeError for a bigint of more than 20 000 characters, which would not be read again */
export function integerText(value: bigint): string {
  const text = String(value);
  if (text.length > MAX_LENGTH) throw new MemcacheSerdeError(`the bigint has more than ${MAX_LENGTH} digits`);
  return text;
}

/** Whether an integer carries the number exactly; it has no -0, and past 2^53 numbers stand for their neighbours too. */
export function isInteger(value: number): boolean {
  return Number.isSafeInteger(value) && !Object.is(value, -0);
}
