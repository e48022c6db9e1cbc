import { MemcacheIllegalInputError } from '../errors';
import { valueThat, type Rule } from '../options/rule';

/** Milliseconds or seconds to live, without a limit. */
export const LIFETIME: Rule<number> = valueThat('a number, 0 or more', (value) => typeof value === 'number' && value >= 0);

/** More seconds than these would be taken for a date. */
export const LONGEST_LIFETIME = 999_999_999;

/**
 * Seconds for `expire` out of milliseconds to live: rounded up, since 0 seconds would be for ever; -1 when no time is left,
 * 0 (for ever) beyond thirty years.
 */
export function secondsOf(milliseconds: number): number {
  if (Number.isNaN(milliseconds)) throw new MemcacheIllegalInputError('a time to live must be a number');
  if (milliseconds <= 0) return -1;
  const seconds = Math.ceil(milliseconds / 1000);
  return seconds > LONGEST_LIFETIME ? 0 : seconds;
}
