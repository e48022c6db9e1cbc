import { KEY, hasKey } from './classic-line';
import type { Exchange } from './exchange';

/** `incr <key> <delta> [noreply]` → the new number, or `NOT_FOUND`. */
export const incr = counting(true);
/** `decr <key> <delta> [noreply]`: stops at 0. */
export const decr = counting(false);

function counting(up: boolean): (exchange: Exchange) => void {
  return (exchange) => {
    const { line, store } = exchange;
    if (!hasKey(exchange)) return;
    const delta = line.uint64(2);
    if (delta === undefined) {
      exchange.reply('CLIENT_ERROR invalid numeric delta argument');
      return;
    }
    const result = store.count(line.key(KEY, store), up, BigInt(delta), 0);
    switch (result.outcome) {
      case 'counted':
        store.stats.countArithmetic(up, true);
        exchange.reply(result.number);
        break;
      case 'notFound':
        store.stats.countArithmetic(up, false);
        exchange.reply('NOT_FOUND');
        break;
      case 'noMemory':
        exchange.reply('SERVER_ERROR out of memory');
        break;
      default:
        exchange.reply('CLIENT_ERROR cannot increment or decrement non-numeric value');
    }
  };
}
