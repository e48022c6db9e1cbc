import type { CountOutcome } from '../../engine/outcomes';
import { KEY, afterKey } from './classic-line';
import type { Exchange } from './exchange';

/** `incr <key> <delta> [noreply]` → the new number, or `NOT_FOUND`. */
export const incr = counting(true);
/** `decr <key> <delta> [noreply]`: stops at 0. */
export const decr = counting(false);

function counting(up: boolean): (exchange: Exchange) => void {
  return (exchange) => {
    const { line, store } = exchange;
    const delta = afterKey(exchange, line.uint64(2), 'invalid numeric delta argument');
    if (delta === undefined) return;
    const key = line.key(KEY, store);
    const result = store.count(key, up, BigInt(delta), 0);
    exchange.turn.weigh(result.outcome === 'counted' ? result.item : store.find(key));
    if (result.outcome === 'counted') {
      store.stats.countArithmetic(up, true);
      exchange.reply(result.number);
    } else {
      if (result.outcome === 'notFound') store.stats.countArithmetic(up, false);
      exchange.reply(uncounted(result.outcome));
    }
  };
}

/** What is answered when no number was changed. */
export function uncounted(outcome: CountOutcome['outcome']): string {
  if (outcome === 'notFound') return 'NOT_FOUND';
  return outcome === 'noMemory' ? 'SERVER_ERROR out of memory' : 'CLIENT_ERROR cannot increment or decrement non-numeric value';
}
