/** Numbers as requests write them, checked. Each throws `MemcacheIllegalInputError` naming the argument. */
import { MemcacheIllegalInputError } from '../errors';
import { isWholeNumber } from '../options/rule';
import { isUint64 } from './bytes';
import { MAX_FLAGS } from './limits';

/** A count that fits the server's unsigned 64 bits, as text. */
export function encodeCount(name: string, value: unknown): string {
  if (!(typeof value === 'bigint' ? isUint64(String(value)) : isWholeNumber(value, 0, 2 ** 53 - 1))) {
    throw new MemcacheIllegalInputError(`${name} must be a whole number from 0 to 2^53 - 1, or a bigint from 0n to 2n ** 64n - 1n`);
  }
  return String(value);
}

/** A cas token: decimal text of 64 bits. */
export function encodeCas(name: string, value: unknown): string {
  if (typeof value !== 'string' || !isUint64(value)) {
    throw new MemcacheIllegalInputError(`${name} must be a cas token as gets returns it: a string of decimal digits`);
  }
  return value;
}

/** Client flags: an unsigned 32-bit number. */
export function encodeClientFlags(value: unknown): number {
  if (!isWholeNumber(value, 0, MAX_FLAGS)) throw new MemcacheIllegalInputError('flags must be a whole number from 0 to 2^32 - 1');
  return value;
}
