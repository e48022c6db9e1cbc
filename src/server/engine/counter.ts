import { MAX_UINT64 } from '../../protocol/limits';

/** The most digits of a number of 64 bits. */
const MAX_DIGITS = 20;

const ZERO = 48;

/**
 * What C's `strtoull` and `strtol` read: whitespace of the C locale, one sign, digits; then whitespace, NUL or the end. `undefined` when
 * it is not that, or has too many digits. Not by a regular expression: that would go over a megabyte of zeros twenty times.
 */
export function readNumber(text: string): bigint | undefined {
  let at = 0;
  while (isSpace(text.charCodeAt(at))) at++;
  const minus = text[at] === '-';
  if (minus || text[at] === '+') at++;
  const first = at;
  while (text.charCodeAt(at) === ZERO) at++;
  const significant = at;
  while (at - significant <= MAX_DIGITS && isDigit(text.charCodeAt(at))) at++;
  const end = at === text.length || text[at] === '\0' || isSpace(text.charCodeAt(at));
  if (at === first || at - significant > MAX_DIGITS || !end) return undefined;
  const magnitude = BigInt(text.slice(significant, at));
  return minus ? -magnitude : magnitude;
}

function isSpace(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13);
}

function isDigit(code: number): boolean {
  return code >= ZERO && code < ZERO + 10;
}

/**
 * Reads an unsigned 64-bit number as memcached's `safe_strtoull` does: whitespace and a sign may precede it, anything
 * may follow after whitespace, and a negative number wraps, but must not wrap to one above 2^63.
 */
export function parseUint64(text: string): bigint | undefined {
  const number = readNumber(text);
  if (number === undefined || number > MAX_UINT64 || -number > MAX_UINT64) return undefined;
  if (number >= 0n) return number;
  const wrapped = BigInt.asUintN(64, number);
  return wrapped > MAX_INT64 ? undefined : wrapped;
}

/** How counters are read and changed. */
export interface Arithmetic {
  /**
   * The number in `text` changed by `delta`.
   *
   * @param padded whether whitespace at the end was added by the store
   */
  change(text: string, up: boolean, delta: bigint, padded: boolean): bigint | 'notANumber' | 'overflow';
  /** Whether a number that became shorter is padded with whitespace, so that the value keeps its length. */
  readonly pads: boolean;
}

/** memcached's: 64 bits without a sign; adding wraps around, subtracting stops at 0. */
export const UNSIGNED: Arithmetic = {
  change(text, up, delta) {
    const number = parseUint64(text);
    if (number === undefined) return 'notANumber';
    if (up) return BigInt.asUintN(64, number + delta);
    return number > delta ? number - delta : 0n;
  },
  pads: true,
};

/** Redis's: 64 bits with a sign, and a result that does not fit is refused. */
export const SIGNED: Arithmetic = {
  change(text, up, delta, padded) {
    const number = parseInt64(padded ? text.replace(/ +$/, '') : text);
    if (number === undefined) return 'notANumber';
    const changed = up ? number + delta : number - delta;
    return isInt64(changed) ? changed : 'overflow';
  },
  pads: false,
};

/** What Redis accepts as an integer: no whitespace, no plus, no leading zero. */
const INTEGER = /^(?:0|-?[1-9][0-9]{0,18})$/;

// Compilers to old targets make Math.pow of `**`, which takes no bigint.
export const MAX_INT64 = (1n << 63n) - 1n;
export const MIN_INT64 = -(1n << 63n);

/** Reads a signed 64-bit integer as Redis does; `undefined` when it is not one. */
export function parseInt64(text: string): bigint | undefined {
  if (!INTEGER.test(text)) return undefined;
  const integer = BigInt(text);
  return isInt64(integer) ? integer : undefined;
}

/** Whether it fits signed 64 bits. */
export function isInt64(integer: bigint): boolean {
  return integer <= MAX_INT64 && integer >= MIN_INT64;
}
