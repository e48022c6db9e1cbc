import { BAD_FORMAT } from './classic-line';
import type { Exchange } from './exchange';
import { COMPATIBLE_VERSION } from './version';

const MEGABYTE = 1024 * 1024;
const SMALLEST_MEMLIMIT = 8;
const MAX_VERBOSITY = 10;

/** `flush_all [delay] [noreply]` → `OK`. */
export function flushAll(exchange: Exchange): void {
  const { line, store, context } = exchange;
  store.stats.cmdFlush++;
  if (!context.flushEnabled) {
    exchange.reply('CLIENT_ERROR flush_all not allowed');
    return;
  }
  const delay = line.count === (exchange.silent ? 2 : 1) ? 0 : line.int32(1);
  if (delay === undefined) {
    exchange.reply('CLIENT_ERROR invalid exptime argument');
    return;
  }
  store.flushAll(delay);
  exchange.reply('OK');
}

/** `version` → `VERSION 1.6.45`. */
export function version(exchange: Exchange): void {
  exchange.reply(`VERSION ${COMPATIBLE_VERSION}`);
}

/** `verbosity <level> [noreply]` → `OK`. */
export function verbosity(exchange: Exchange): void {
  const { line, context } = exchange;
  const level = line.uint32(1);
  if (level === undefined) {
    exchange.reply(BAD_FORMAT);
    return;
  }
  context.verbosity = Math.min(level, MAX_VERBOSITY);
  exchange.reply('OK');
}

/** `cache_memlimit <megabytes> [noreply]` → `OK`. */
export function cacheMemlimit(exchange: Exchange): void {
  const { line, store, context } = exchange;
  const limit = line.uint32(1);
  if (limit === undefined) exchange.reply('ERROR');
  else if (limit < SMALLEST_MEMLIMIT) exchange.reply('MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m');
  else if (limit > 1e9) exchange.reply('MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes');
  else {
    store.maxBytes = limit * MEGABYTE;
    context.log(`maxbytes adjusted to ${limit}m`, 1);
    exchange.reply('OK');
  }
}

/** `quit` ends the session, after the replies. */
export function quit(exchange: Exchange): void {
  exchange.finish();
}

/** `shutdown [graceful]` ends the server, if that is allowed. */
export function shutdown(exchange: Exchange): void {
  const { line, context } = exchange;
  if (context.shutdown === undefined) {
    exchange.reply('SERVER_ERROR: shutdown not enabled');
    return;
  }
  const graceful = line.count === 2 && line.abbreviates(1, 'graceful');
  if (line.count !== 1 && !graceful) {
    exchange.reply('CLIENT_ERROR invalid shutdown mode');
    return;
  }
  exchange.finish();
  context.shutdown(graceful);
}

/** `watch`: in memcached a stream of log lines; always refused here, as memcached does with `-W`. */
export function watch(exchange: Exchange): void {
  exchange.reply('CLIENT_ERROR watch commands not allowed');
}
