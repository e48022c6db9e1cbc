import type { Item } from '../../engine/item';
import type { Exchange } from './exchange';
import type { MetaFlags } from './meta-flags';
import { OPAQUE_TOO_LONG, echoedFlags, readFlags } from './meta-replies';

/** `md <key> <flags>*` → `HD`, `NF` or `EX`, with flags. */
export function metaDelete(exchange: Exchange): void {
  const { line, store } = exchange;
  const flags = readFlags(exchange, 2);
  if (flags === undefined) return;
  const echo = echoedFlags(line, flags);
  if (echo === undefined) {
    exchange.replyAlways(OPAQUE_TOO_LONG);
    return;
  }
  const { stats } = store;
  const item = store.find(flags.key);
  if (item === undefined || (flags.cas !== undefined && flags.cas !== item.cas)) {
    stats.deleteMisses++;
    exchange.text(`${item === undefined ? 'NF' : 'EX'}${echo}\r\n`);
    return;
  }
  if (flags.emptied && !empty(exchange, flags, item)) return;
  if (flags.invalidate) {
    if (flags.ttl !== undefined) store.setDeadline(item, store.deadline(flags.ttl));
    store.invalidate(item, flags.newCas);
  } else {
    stats.deleteHits++;
    if (!flags.emptied) store.delete(flags.key);
  }
  if (!flags.quiet) exchange.text(`HD${echo}\r\n`);
}

/** Leaves an empty value with the flags, time to live and cas of the command; sends the error when it cannot. */
function empty(exchange: Exchange, { key, clientFlags, ttl, binaryKey, newCas }: MetaFlags, item: Item): boolean {
  const { store } = exchange;
  const request = { cas: 0, orStale: false, binaryKey, newCas: newCas ?? item.cas };
  if (store.store('set', key, '', clientFlags, store.deadline(ttl ?? 0), request) === 'stored') return true;
  exchange.replyAlways('SERVER_ERROR out of memory');
  return false;
}
