import { NOT_AN_INTEGER, type RedisExchange } from './exchange';
import { MAX_INT64, isInt64, parseInt64 } from '../../engine/counter';

/** How a command gives a time. */
export interface TimeForm {
  /** The length of its unit in milliseconds. */
  readonly unit: bigint;
  /** Whether it counts from 1970 instead of from now. */
  readonly absolute: boolean;
}

export const SECONDS: TimeForm = { unit: 1000n, absolute: false };
export const MILLISECONDS: TimeForm = { unit: 1n, absolute: false };
export const UNIX_SECONDS: TimeForm = { unit: 1000n, absolute: true };
export const UNIX_MILLISECONDS: TimeForm = { unit: 1n, absolute: true };

/**
 * Reads an argument as a time, or sends the error. memcached's rule that a time beyond 30 days counts from 1970 does not apply
 * here.
 *
 * @param name the name of the command, for the error
 * @param least the least legal number
 * @returns the deadline in the store's time; it is in the past when not above the store's `now()`
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
