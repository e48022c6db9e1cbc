import { KEY, afterKey } from './classic-line';
import type { Exchange } from './exchange';

/** `touch <key> <exptime> [noreply]` → `TOUCHED` or `NOT_FOUND`. */
export function touch(exchange: Exchange): void {
  const { line, store } = exchange;
  const exptime = afterKey(exchange, line.int32(2), 'invalid exptime argument');
  if (exptime === undefined) return;
  const item = store.fetch(line.key(KEY, store));
  store.stats.countTouch(item !== undefined);
  if (item === undefined) {
    exchange.reply('NOT_FOUND');
    return;
  }
  store.setDeadline(item, store.deadline(exptime));
  exchange.reply('TOUCHED');
}
