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
  const item = store.fetch(line.key(KEY, store));
  store.stats.countTouch(item !== undefined);
  if (item === undefined) {
    exchange.reply('NOT_FOUND');
    return;
  }
  store.setDeadline(item, store.deadline(exptime));
  exchange.reply('TOUCHED');
}
