import { MIN_INT64, SIGNED, parseInt64 } from '../../engine/counter';
import { ONE_KEY, command, type Command } from './command';
import { NOT_AN_INTEGER, OUT_OF_MEMORY, type RedisExchange } from './exchange';
import { FLAG_INTEGER, isStored, storeRequest } from './values';

/** `INCR key` and `DECR key` → the new number. */
function step(delta: bigint): (exchange: RedisExchange) => void {
  return (exchange) => {
    change(exchange, delta);
  };
}

/** `INCRBY key delta` → the new number. */
function incrby(exchange: RedisExchange): void {
  const delta = parseInt64(exchange.request.text(2));
  if (delta === undefined) exchange.error(NOT_AN_INTEGER);
  else change(exchange, delta);
}

/** `DECRBY key delta` → the new number. */
function decrby(exchange: RedisExchange): void {
  const delta = parseInt64(exchange.request.text(2));
  if (delta === undefined) exchange.error(NOT_AN_INTEGER);
  else if (delta === MIN_INT64) exchange.error('ERR decrement would overflow');
  else change(exchange, -delta);
}

/** Adds to a number, which keeps its flags and its deadline; a missing one begins at 0. */
function change(exchange: RedisExchange, delta: bigint): void {
  const { store } = exchange;
  const key = exchange.key(1);
  const up = delta >= 0n;
  const result = store.count(key, up, up ? delta : -delta, 0, SIGNED);
  exchange.turn.weigh(result.outcome === 'counted' ? result.item : store.find(key));
  switch (result.outcome) {
    case 'counted':
      store.stats.countArithmetic(up, true);
      exchange.integer(result.number);
      break;
    case 'notFound':
      store.stats.countArithmetic(up, false);
      if (isStored(exchange, store.store('add', key, String(delta), FLAG_INTEGER, 0, storeRequest(key)))) {
        exchange.integer(delta);
      }
      break;
    case 'overflow':
      exchange.error('ERR increment or decrement would overflow');
      break;
    case 'noMemory':
      exchange.error(OUT_OF_MEMORY);
      break;
    default:
      exchange.error(NOT_AN_INTEGER);
  }
}

const COUNTS = { keys: ONE_KEY } as const;

export const COUNTER_COMMANDS: readonly Command[] = [
  command('incr', 2, ['write', 'denyoom', 'fast'], step(1n), COUNTS),
  command('decr', 2, ['write', 'denyoom', 'fast'], step(-1n), COUNTS),
  command('incrby', 3, ['write', 'denyoom', 'fast'], incrby, COUNTS),
  command('decrby', 3, ['write', 'denyoom', 'fast'], decrby, COUNTS),
];
