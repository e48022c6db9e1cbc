import { MAX_UINT64 } from '../../../protocol/limits';
import { ALL_KEYS, ONE_KEY, command, type Command } from './command';
import { MAX_REPLY, NOT_AN_INTEGER, REPLY_TOO_LARGE, SYNTAX_ERROR, type RedisExchange } from './exchange';
import { Glob } from './glob';
import { parseInt64 } from '../../engine/counter';

/** The longest pattern, in bytes; keys are far shorter. */
const MAX_PATTERN = 1024;

/** How many comparisons a key may take, on average: only a pattern that is made to take long needs more. */
const MAX_STEPS = 1000;

/** How many all keys may take together, however few they are: 10 ms. */
const FREE_STEPS = 1_000_000;

/** This many comparisons take as long as it takes to look at an item. */
const STEPS_PER_ITEM = 32;

/** `DEL key …` → how many there were. UNLINK does the same here. */
function del(exchange: RedisExchange): void {
  const { request, store } = exchange;
  let deleted = 0;
  for (let index = 1; index < request.count; index++) {
    if (store.delete(exchange.key(index))) deleted++;
  }
  store.stats.deleteHits += deleted;
  store.stats.deleteMisses += request.count - 1 - deleted;
  exchange.integer(deleted);
}

/** `EXISTS key …` → how many there are; a key given twice counts twice. */
function exists(exchange: RedisExchange): void {
  const { request, store } = exchange;
  let found = 0;
  for (let index = 1; index < request.count; index++) {
    if (store.find(exchange.key(index)) !== undefined) found++;
  }
  exchange.integer(found);
}

/** `TYPE key` → `string` or `none`. */
function type(exchange: RedisExchange): void {
  exchange.status(exchange.store.find(exchange.key(1)) === undefined ? 'none' : 'string');
}

/** `KEYS pattern` → an array of keys. */
function keys(exchange: RedisExchange): void {
  const found = matching(exchange, exchange.request.text(1));
  if (found !== undefined) exchange.list(found);
}

/** `SCAN cursor [MATCH pattern] [COUNT n] [TYPE type]` → all keys at once, with the cursor 0 that ends the scan. */
function scan(exchange: RedisExchange): void {
  const { request } = exchange;
  const cursor = request.shown(1);
  // As C's strtoul reads it, which allows a sign, and takes nothing for 0.
  if (!/^(?:[+-]?[0-9]+)?$/.test(cursor) || BigInt(cursor.replace(/^[+-]/, '').slice(0, 30)) > MAX_UINT64) {
    exchange.error('ERR invalid cursor');
    return;
  }
  let pattern = '*';
  // No other cursor was ever returned, so for any other nothing is left to list.
  const isFirst = /^(?:[+-]?0+)?$/.test(cursor);
  let kind = 'string';
  for (let index = 2; index < request.count; index += 2) {
    const option = request.word(index);
    const value = request.text(index + 1);
    const known = index + 1 < request.count && ['match', 'count', 'type'].includes(option);
    const count = known && option === 'count' ? parseInt64(value) : 1n;
    if (count === undefined) {
      exchange.error(NOT_AN_INTEGER);
      return;
    }
    if (!known || count < 1n) {
      exchange.error(SYNTAX_ERROR);
      return;
    }
    if (option === 'match') pattern = value;
    else if (option === 'type') kind = value.toLowerCase();
  }
  const found = isFirst && kind === 'string' ? matching(exchange, pattern) : [];
  if (found === undefined) return;
  exchange.array(2);
  exchange.bulk('0');
  exchange.list(found);
}

/** The keys that match; sends the error when they cannot be listed. */
function matching(exchange: RedisExchange, pattern: string): string[] | undefined {
  const { store, context } = exchange;
  if (!context.dumpEnabled) {
    exchange.error('ERR listing keys is not allowed');
    return undefined;
  }
  if (pattern.length > MAX_PATTERN) {
    exchange.error('ERR pattern is too long');
    return undefined;
  }
  const glob = new Glob(pattern);
  const mostSteps = Math.max(FREE_STEPS, MAX_STEPS * store.size);
  const found: string[] = [];
  let size = 0;
  for (const { key } of store.items()) {
    if (glob.steps > mostSteps) break;
    if (!glob.matches(key)) continue;
    found.push(key);
    size += key.length;
  }
  exchange.turn.looked += Math.max(store.size, Math.ceil(glob.steps / STEPS_PER_ITEM));
  if (size <= MAX_REPLY && glob.steps <= mostSteps) return found;
  exchange.error(size > MAX_REPLY ? REPLY_TOO_LARGE : 'ERR pattern takes too long');
  return undefined;
}

export const KEY_COMMANDS: readonly Command[] = [
  command('del', -2, ['write'], del, { keys: ALL_KEYS }),
  command('unlink', -2, ['write', 'fast'], del, { keys: ALL_KEYS }),
  command('exists', -2, ['readonly', 'fast'], exists, { keys: ALL_KEYS }),
  command('type', 2, ['readonly', 'fast'], type, { keys: ONE_KEY }),
  command('keys', 2, ['readonly'], keys),
  command('scan', -2, ['readonly'], scan),
];
