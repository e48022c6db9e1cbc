import { valueText, type Item } from '../storage/item';
import { ONE_KEY, command, type Command } from './command';
import { NOT_AN_INTEGER, type RedisExchange } from './exchange';
import { MIN_INT64, isInt64, parseInteger } from './integer';
import { FLAG_INTEGER, isStored, storeRequest } from './values';

/** `INCR key` and `DECR key` → the new number. */
function step(delta: bigint): (exchange: RedisExchange) => void {
  return (exchange) => {
    change(exchange, delta);
  };
}

/** `INCRBY key delta` → the new number. */
function incrby(exchange: RedisExchange): void {
  const delta = parseInteger(exchange.request.text(2));
  if (delta === undefined) exchange.error(NOT_AN_INTEGER);
  else change(exchange, delta);
}

/** `DECRBY key delta` → the new number. */
function decrby(exchange: RedisExchange): void {
  const delta = parseInteger(exchange.request.text(2));
  if (delta === undefined) exchange.error(NOT_AN_INTEGER);
  else if (delta === MIN_INT64) exchange.error('ERR decrement would overflow');
  else change(exchange, -delta);
}

/** Adds in signed 64 bits; a number that is there keeps its flags and its deadline, another begins at 0. */
function change(exchange: RedisExchange, delta: bigint): void {
  const { request, store } = exchange;
  const key = request.text(1);
  const item = store.find(key);
  count(exchange, item, delta);
  const number = item === undefined ? 0n : numberIn(item);
  if (number === undefined) {
    exchange.error(NOT_AN_INTEGER);
    return;
  }
  const sum = number + delta;
  if (!isInt64(sum)) {
    exchange.error('ERR increment or decrement would overflow');
    return;
  }
  const { flags, deadline } = item ?? { flags: FLAG_INTEGER, deadline: 0 };
  const mode = item === undefined ? 'add' : 'replace';
  if (isStored(exchange, store.store(mode, key, String(sum), flags, deadline, storeRequest(key)))) {
    exchange.integer(sum);
  }
}

/** A number and its sign. */
const LONGEST_NUMBER = 20;

/** memcached fills up with blanks a number that has become shorter. */
function numberIn({ value }: Item): bigint | undefined {
  return value.length > LONGEST_NUMBER ? undefined : parseInteger(valueText(value).replace(/ +$/, ''));
}

function count({ store: { stats } }: RedisExchange, item: Item | undefined, delta: bigint): void {
  if (delta < 0n) {
    if (item === undefined) stats.decrMisses++;
    else stats.decrHits++;
  } else if (item === undefined) {
    stats.incrMisses++;
  } else {
    stats.incrHits++;
  }
}

const COUNTS = { keys: ONE_KEY } as const;

export const COUNTER_COMMANDS: readonly Command[] = [
  command('incr', 2, ['write', 'denyoom', 'fast'], step(1n), COUNTS),
  command('decr', 2, ['write', 'denyoom', 'fast'], step(-1n), COUNTS),
  command('incrby', 3, ['write', 'denyoom', 'fast'], incrby, COUNTS),
  command('decrby', 3, ['write', 'denyoom', 'fast'], decrby, COUNTS),
];
