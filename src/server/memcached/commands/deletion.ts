import { BAD_FORMAT, KEY } from './classic-line';
import type { Exchange } from './exchange';

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
