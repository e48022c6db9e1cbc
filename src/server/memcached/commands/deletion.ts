import { KEY, hasKey } from './classic-line';
import type { Exchange } from './exchange';

/** `delete <key> [noreply]` → `DELETED` or `NOT_FOUND`. */
export function deleteItem(exchange: Exchange): void {
  const { line, store, context } = exchange;
  if (!hasKey(exchange)) return;
  const key = line.key(KEY, store);
  if (context.prefixes.enabled) context.prefixes.record(key, 'del');
  if (store.delete(key)) {
    store.stats.deleteHits++;
    exchange.reply('DELETED');
  } else {
    store.stats.deleteMisses++;
    exchange.reply('NOT_FOUND');
  }
}
