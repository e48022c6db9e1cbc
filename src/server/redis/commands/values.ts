import { isUtf8 } from 'node:buffer';
import { BINARY_KEY, valueBytes, type Item, type StoredValue } from '../../engine/item';
import type { StoreOutcome, StoreRequest } from '../../engine/outcomes';
import { OUT_OF_MEMORY, TOO_LARGE, type RedisExchange } from './exchange';

/** The flags of values from Redis clients, as the clients of this package and pymemcache read them: UTF-8 text, … */
const FLAG_TEXT = 16;
/** … other bytes, … */
const FLAG_BYTES = 0;
/** … and a number that INCR has created. */
export const FLAG_INTEGER = 2;

const NOT_ASCII = /[\x80-\xff]/;

/** Keys that memcached clients can only name in base64. */
const UNPRINTABLE = /[\0-\x20\x7f]/;

const BINARY_REQUEST: StoreRequest = { cas: 0, orStale: false, binaryKey: true };
const PLAIN_REQUEST: StoreRequest = { cas: 0, orStale: false, binaryKey: false };

/**
 * How a key is stored, so that memcached's listings show it in a form that clients can send.
 *
 * @param item the item that has it: where that is not shown in base64, it need not be, and the key is not looked at
 */
export function storeRequest(key: string, item?: Item): StoreRequest {
  if (item !== undefined && (item.marks & BINARY_KEY) === 0) return PLAIN_REQUEST;
  return UNPRINTABLE.test(key) ? BINARY_REQUEST : PLAIN_REQUEST;
}

/** Stores an argument under a key; sends the error when it cannot. */
export function put(exchange: RedisExchange, key: string, index: number, deadline: number): boolean {
  const { request, store } = exchange;
  if (request.isOversized(index)) return isStored(exchange, store.rejectTooLarge('set', key));
  const value = request.value(index);
  const flags = request.isAscii ? FLAG_TEXT : flagsOf(value);
  const outcome = store.store('set', key, value, flags, deadline, storeRequest(key, store.find(key)));
  store.stats.countStore(outcome);
  return isStored(exchange, outcome);
}

/** Whether it was stored; sends the error when not. */
export function isStored(exchange: RedisExchange, outcome: StoreOutcome): boolean {
  if (outcome === 'stored') return true;
  // To memcached's clients an `append` for which there is no memory is just not stored.
  exchange.error(outcome === 'tooLarge' ? TOO_LARGE : OUT_OF_MEMORY);
  return false;
}

/** The value of the key at `index`; counts as a use of it. */
export function read(exchange: RedisExchange, index: number): StoredValue | undefined {
  const { store } = exchange;
  const item = store.fetch(exchange.key(index));
  store.stats.countGet(item !== undefined);
  return item?.value;
}

/** The flags of a value that may not be ASCII. */
function flagsOf(value: StoredValue): number {
  if (typeof value === 'string' && !NOT_ASCII.test(value)) return FLAG_TEXT;
  return isUtf8(valueBytes(value)) ? FLAG_TEXT : FLAG_BYTES;
}
