import { NOT_AN_INTEGER, type RedisExchange } from './exchange';
import { MAX_INT64, isInt64, parseInt64 } from '../../engine/counter';

/** How a time is written. */
export interface TimeForm {
  /** Milliseconds of its unit. */
  readonly unit: bigint;
  /** Whether it counts from 1970 and not from now. */
  readonly absolute: boolean;
}

export const SECONDS: TimeForm = { unit: 1000n, absolute: false };
export const MILLISECONDS: TimeForm = { unit: 1n, absolute: false };
export const UNIX_SECONDS: TimeForm = { unit: 1000n, absolute: true };
export const UNIX_MILLISECONDS: TimeForm = { unit: 1n, absolute: true };

/**
 * Reads an argument as a time, or answers why it is none. memcached's rule that from 30 days on a time counts from 1970
 * does not hold here.
 *
 * @param name the command's, for the answer
 * @param least what the number must be at least
 * @returns the deadline in the store's time; one that has passed is not above the store's now
 */
export function readDeadline(
  exchange: RedisExchange,
  index: number,
  form: TimeForm,
  name: string,
  least: bigint | undefined,
): number | undefined {
  const { store, request } = exchange;
  const number = parseInt64(request.text(index));
  if (number === undefined) {
    exchange.error(NOT_AN_INTEGER);
    return undefined;
  }
  const wallClock = Math.floor(store.clock.time());
  const milliseconds = number * form.unit;
  const tooFar = MAX_INT64 - (form.absolute ? 0n : BigInt(wallClock));
  if ((least !== undefined && number < least) || !isInt64(milliseconds) || milliseconds > tooFar) {
    exchange.error(`ERR invalid expire time in '${name}' command`);
    return undefined;
  }
  // 0 would be never.
  return Math.max(1, store.now() + Number(milliseconds) - (form.absolute ? wallClock : 0));
}
