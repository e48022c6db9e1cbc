import { isDate } from 'node:util/types';
import { MemcacheIllegalInputError } from '../errors';
import { isWholeNumber } from '../options/rule';
import type { Clock } from '../runtime/clock';
import { MAX_RELATIVE_EXPTIME } from './limits';

/**
 * When an item expires: seconds from now, 0 for never, negative for at once; a number past the present Unix time, or from 10^9 on,
 * is taken as a Unix time; or a `Date`.
 */
export type Expire = number | Date;

/** What tells the time of day. */
export type WallClock = Pick<Clock, 'time'>;

/** The server keeps exptime in a signed 32-bit number. */
const LAST_UNIX_TIME = 2 ** 31 - 1;
/** From here on a number is a Unix time, of 2001 or later, be it past: as seconds from now it would lie beyond the last one. */
const FIRST_UNIX_TIME = 1e9;

/**
 * `expire` as the protocol's `exptime`, an integer.
 *
 * The server takes more than 30 days as a Unix time, so that 45 days would lie in 1970 and the item be gone at once:
 * longer relative times are turned into a Unix time here.
 *
 * @throws MemcacheIllegalInputError
 */
export function encodeExptime(expire: unknown, clock: WallClock): number {
  if (expire === undefined || expire === 0) return 0;
  if (isDate(expire)) {
    const time = expire.getTime();
    const now = clock.time();
    if (time <= now) return -1;
    if (time > now) return dateOf(Math.ceil(time / 1000), Math.floor(now / 1000));
    // What is no valid Date is neither.
  }
  if (!isWholeNumber(expire, -Infinity, Infinity)) {
    throw new MemcacheIllegalInputError('expire must be a whole number of seconds, or a valid Date');
  }
  if (expire < 0) return -1;
  if (expire <= MAX_RELATIVE_EXPTIME) return expire;
  if (expire > LAST_UNIX_TIME) {
    throw new MemcacheIllegalInputError('expire is in seconds and ends in January 2038; was this number milliseconds?');
  }
  const now = Math.floor(clock.time() / 1000);
  if (expire > now) return expire;
  return expire < FIRST_UNIX_TIME ? dateOf(now + expire, now) : -1;
}

/** A Unix time as the server has it. Past the last one it is that, or where 30 days last longer, these: a server takes no more. */
function dateOf(time: number, now: number): number {
  if (time <= LAST_UNIX_TIME) return time;
  return LAST_UNIX_TIME - now > MAX_RELATIVE_EXPTIME ? LAST_UNIX_TIME : Math.min(time - now, MAX_RELATIVE_EXPTIME);
}
