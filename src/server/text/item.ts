import type { Exchange } from '../exchange';
import { parseUint64 } from '../storage/counter';

const KEY = 1;
const BAD_FORMAT = 'CLIENT_ERROR bad command line format';

/** `delete <key> [0] [noreply]` → `DELETED` or `NOT_FOUND`. */
export function deleteItem(exchange: Exchange): void {
  const { line, store, context } = exchange;
  if (line.count < 2 || line.count > 4) {
    exchange.reply('ERROR');
    return;
  }
  if (line.count > 2) {
    const zero = line.is(2, '0');
    exchange.silent = line.noreply;
    const valid = line.count === 3 ? zero || exchange.silent : zero && exchange.silent;
    if (!valid) {
      exchange.reply(`${BAD_FORMAT}.  Usage: delete <key> [noreply]`);
      return;
    }
  }
  if (!line.isKey(KEY)) {
    exchange.reply(BAD_FORMAT);
    return;
  }
  const key = line.text(KEY);
  if (context.prefixes.enabled) context.prefixes.record(key, 'del');
  if (store.delete(key)) {
    store.stats.deleteHits++;
    exchange.reply('DELETED');
  } else {
    store.stats.deleteMisses++;
    exchange.reply('NOT_FOUND');
  }
}

/** `touch <key> <exptime> [noreply]` → `TOUCHED` or `NOT_FOUND`. */
export function touch(exchange: Exchange): void {
  const { line, store } = exchange;
  if (!beginTwoArguments(exchange)) return;
  const exptime = line.int32(2);
  if (exptime === undefined) {
    exchange.reply('CLIENT_ERROR invalid exptime argument');
    return;
  }
  const { stats } = store;
  stats.cmdTouch++;
  const item = store.fetch(line.text(KEY));
  if (item === undefined) {
    stats.touchMisses++;
    exchange.reply('NOT_FOUND');
    return;
  }
  stats.touchHits++;
  store.setDeadline(item, store.deadline(exptime));
  exchange.reply('TOUCHED');
}

/** `incr <key> <delta> [noreply]` → the new number, or `NOT_FOUND`. */
export function incr(exchange: Exchange): void {
  count(exchange, true);
}

/** `decr <key> <delta> [noreply]`: ends at 0. */
export function decr(exchange: Exchange): void {
  count(exchange, false);
}

function count(exchange: Exchange, up: boolean): void {
  const { line, store } = exchange;
  if (!beginTwoArguments(exchange)) return;
  const delta = parseUint64(line.text(2));
  if (delta === undefined) {
    exchange.reply('CLIENT_ERROR invalid numeric delta argument');
    return;
  }
  const { stats } = store;
  const result = store.count(line.text(KEY), up, delta, 0);
  switch (result.outcome) {
    case 'counted':
      if (up) stats.incrHits++;
      else stats.decrHits++;
      exchange.reply(result.number);
      break;
    case 'notFound':
      if (up) stats.incrMisses++;
      else stats.decrMisses++;
      exchange.reply('NOT_FOUND');
      break;
    case 'noMemory':
      exchange.reply('SERVER_ERROR out of memory');
      break;
    default:
      exchange.reply('CLIENT_ERROR cannot increment or decrement non-numeric value');
  }
}

/** Whether the line has a key and one argument; answers when it has not. */
function beginTwoArguments(exchange: Exchange): boolean {
  const { line } = exchange;
  if (line.count !== 3 && line.count !== 4) {
    exchange.reply('ERROR');
    return false;
  }
  exchange.silent = line.noreply;
  if (line.isKey(KEY)) return true;
  exchange.reply(BAD_FORMAT);
  return false;
}
