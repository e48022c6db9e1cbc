import { MAX_UINT64 } from '../../protocol/limits';

/** What C's `strtoull` reads: white space of the C locale, one sign, digits; then white space, NUL or the end. */
const NUMBER = /^[\t-\r ]*([+-]?)(\d+)(?:[\t-\r \0]|$)/;

/**
 * Reads an unsigned 64-bit number as memcached's `safe_strtoull` does: white space and a sign may precede it, anything
 * may follow after white space, and a negative number wraps, but must not wrap to one above 2^63.
 */
export function parseUint64(text: string): bigint | undefined {
  const match = NUMBER.exec(text);
  if (match === null) return undefined;
  const magnitude = BigInt(match[2] ?? '');
  if (magnitude > MAX_UINT64) return undefined;
  if (match[1] !== '-') return magnitude;
  const wrapped = BigInt.asUintN(64, -magnitude);
  return wrapped >= 2n ** 63n ? undefined : wrapped;
}

/** The number in `text` changed by `delta`, as decimal text: adding wraps at 64 bits, subtracting ends at 0. */
export function changedCounter(text: string, up: boolean, delta: bigint): string | undefined {
  const number = parseUint64(text);
  if (number === undefined) return undefined;
  if (up) return BigInt.asUintN(64, number + delta).toString();
  return number > delta ? (number - delta).toString() : '0';
}
