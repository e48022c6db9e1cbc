import { itemSize, type StoredValue } from '../../engine/item';
import { ALL_KEYS, ONE_KEY, command, type Command } from './command';
import { MAX_REPLY, REPLY_TOO_LARGE, TOO_LARGE, type RedisExchange } from './exchange';
import { readOptions } from './value-options';
import { MILLISECONDS, SECONDS, readDeadline, type TimeForm } from './time';
import { isStored, put, read } from './values';

const SET_OPTIONS = new Set(['ex', 'px', 'exat', 'pxat', 'keepttl', 'nx', 'xx', 'get']);
const GETEX_OPTIONS = new Set(['ex', 'px', 'exat', 'pxat', 'persist']);

/** `GET key` → the value. */
function get(exchange: RedisExchange): void {
  exchange.bulk(read(exchange, 1));
}

/** `SET key value [NX | XX] [GET] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL]` → OK, or with GET the old value. */
function set(exchange: RedisExchange): void {
  const { request, store } = exchange;
  const key = exchange.key(1);
  if (request.count === 3) {
    if (put(exchange, key, 2, 0)) exchange.ok();
    return;
  }
  const options = readOptions(exchange, 3, SET_OPTIONS);
  if (options === undefined) return;
  const { words, time } = options;
  let deadline: number | undefined = 0;
  if (time !== undefined) deadline = readDeadline(exchange, time.index, time.form, 'set', 1n);
  if (deadline === undefined) return;
  const old = words.has('get') ? read(exchange, 1) : undefined;
  const item = store.find(key);
  if (words.has(item === undefined ? 'xx' : 'nx')) {
    exchange.bulk(old);
    return;
  }
  if (words.has('keepttl') && item !== undefined) deadline = item.deadline;
  if (!put(exchange, key, 2, deadline)) return;
  if (words.has('get')) exchange.bulk(old);
  else exchange.ok();
}

/** `SETNX key value` → 1 when there was none. */
function setnx(exchange: RedisExchange): void {
  const key = exchange.key(1);
  if (exchange.store.find(key) !== undefined) exchange.flag(false);
  else if (put(exchange, key, 2, 0)) exchange.flag(true);
}

/** `SETEX key seconds value` → OK; PSETEX the same in milliseconds. */
function setting(name: string, form: TimeForm): (exchange: RedisExchange) => void {
  return (exchange) => {
    const deadline = readDeadline(exchange, 2, form, name, 1n);
    if (deadline !== undefined && put(exchange, exchange.key(1), 3, deadline)) exchange.ok();
  };
}

/** `GETSET key value` → the old value. */
function getset(exchange: RedisExchange): void {
  const old = read(exchange, 1);
  if (put(exchange, exchange.key(1), 2, 0)) exchange.bulk(old);
}

/** `GETDEL key` → the value, which is deleted. */
function getdel(exchange: RedisExchange): void {
  const old = read(exchange, 1);
  exchange.store.delete(exchange.key(1));
  exchange.bulk(old);
}

/** `GETEX key [EX s | PX ms | EXAT s | PXAT ms | PERSIST]` → the value. */
function getex(exchange: RedisExchange): void {
  const { store } = exchange;
  const options = readOptions(exchange, 2, GETEX_OPTIONS);
  if (options === undefined) return;
  const { words, time } = options;
  const item = store.find(exchange.key(1));
  let deadline: number | undefined = 0;
  // As in Redis, the time is not even parsed when there is no such key.
  if (item !== undefined && time !== undefined) {
    deadline = readDeadline(exchange, time.index, time.form, 'getex', 1n);
  }
  if (deadline === undefined) return;
  exchange.bulk(read(exchange, 1));
  // A life that it does not have is not taken from it: nobody who watches it need know.
  const isUnchanged = words.size === 0 || (words.has('persist') && item?.deadline === 0);
  if (item !== undefined && !isUnchanged) store.setDeadline(item, deadline);
}

/** `MGET key …` → an array of values. */
function mget(exchange: RedisExchange): void {
  const { count } = exchange.request;
  const values: (StoredValue | undefined)[] = [];
  let size = 0;
  for (let index = 1; index < count; index++) {
    const value = read(exchange, index);
    size += value?.length ?? 0;
    values.push(value);
  }
  if (size > MAX_REPLY) {
    exchange.error(REPLY_TOO_LARGE);
    return;
  }
  exchange.list(values);
}

/** `MSET key value …` → OK. The pairs before one that is refused are stored. */
function mset(exchange: RedisExchange): void {
  const { request } = exchange;
  if (request.count % 2 === 0) {
    exchange.error("ERR wrong number of arguments for 'mset' command");
    return;
  }
  for (let index = 1; index < request.count; index += 2) {
    if (!put(exchange, exchange.key(index), index + 1, 0)) return;
  }
  exchange.ok();
}

/** `APPEND key value` → the new length. An existing value keeps its flags and its deadline. */
function append(exchange: RedisExchange): void {
  const { request, store } = exchange;
  const key = exchange.key(1);
  const item = store.find(key);
  if (item === undefined) {
    if (put(exchange, key, 2, 0)) exchange.integer(request.length(2));
  } else if (request.isOversized(2) || itemSize(key.length, item.value.length + request.length(2), item.flags, store.cas) > store.maxItemSize) {
    exchange.error(TOO_LARGE);
  } else {
    store.stats.cmdSet++;
    const stored = isStored(exchange, store.store('append', key, request.value(2), 0, 0));
    exchange.turn.weigh(item);
    if (stored) exchange.integer(item.value.length);
  }
}

/** `STRLEN key` → the length in bytes. */
function strlen(exchange: RedisExchange): void {
  exchange.integer(read(exchange, 1)?.length ?? 0);
}

const STORES = { keys: ONE_KEY, takesLargeValues: true } as const;
const READS = { keys: ONE_KEY } as const;

export const STRING_COMMANDS: readonly Command[] = [
  command('get', 2, ['readonly', 'fast'], get, READS),
  command('set', -3, ['write', 'denyoom'], set, STORES),
  command('setnx', 3, ['write', 'denyoom', 'fast'], setnx, STORES),
  command('setex', 4, ['write', 'denyoom'], setting('setex', SECONDS), STORES),
  command('psetex', 4, ['write', 'denyoom'], setting('psetex', MILLISECONDS), STORES),
  command('getset', 3, ['write', 'denyoom', 'fast'], getset, STORES),
  command('getdel', 2, ['write', 'fast'], getdel, READS),
  command('getex', -2, ['write', 'fast'], getex, READS),
  command('mget', -2, ['readonly', 'fast'], mget, { keys: ALL_KEYS }),
  command('mset', -3, ['write', 'denyoom'], mset, { keys: [1, -1, 2], takesLargeValues: true }),
  command('append', 3, ['write', 'denyoom', 'fast'], append, STORES),
  command('strlen', 2, ['readonly', 'fast'], strlen, READS),
];
