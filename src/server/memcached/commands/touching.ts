import { KEY, hasKey } from './classic-line';
import type { Exchange } from './exchange';

/** `touch <key> <exptime> [noreply]` → `TOUCHED` or `NOT_FOUND`. */
export function touch(exchange: Exchange): void {
  const { line, store } = exchange;
  if (!hasKey(exchange)) return;
  const exptime = line.int32(2);
  if (exptime === undefined) {
    exchange.reply('CLIENT_ERROR invalid exptime argument');
    return;
  }
  const { stats } = store;
  stats.cmdTouch++;
  const item = store.fetch(line.key(KEY, store));
  if (item === undefined) {
    stats.touchMisses++;
    exchange.reply('NOT_FOUND');
    return;
  }
  stats.touchHits++;
  store.setDeadline(item, store.deadline(exptime));
  exchange.reply('TOUCHED');
}
