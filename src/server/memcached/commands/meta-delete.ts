import type { Exchange } from './exchange';
import { MetaFlags } from './meta-flags';
import { BAD_FLAG, OPAQUE_TOO_LONG, echoedFlags, hasKey } from './meta-replies';

/** `md <key> <flags>*` → `HD`, `NF` or `EX`, with flags. */
export function metaDelete(exchange: Exchange): void {
  const { line, store } = exchange;
  if (!hasKey(exchange, 'CLIENT_ERROR options flags too long')) return;
  const flags = new MetaFlags(line, 2);
  const echo = flags.error === undefined ? echoedFlags(line, flags) : '';
  if (flags.error !== undefined || echo === undefined) {
    exchange.replyAlways(flags.error === undefined ? OPAQUE_TOO_LONG : BAD_FLAG);
    return;
  }
  const { stats } = store;
  const item = store.find(flags.key);
  if (item === undefined || (flags.cas !== undefined && flags.cas !== item.cas)) {
    stats.deleteMisses++;
    exchange.text(`${item === undefined ? 'NF' : 'EX'}${echo}\r\n`);
    return;
  }
  if (flags.invalidate) {
    if (flags.ttl !== undefined) store.setDeadline(item, store.deadline(flags.ttl));
    store.invalidate(item);
  } else {
    stats.deleteHits++;
    store.delete(flags.key);
  }
  if (!flags.quiet) exchange.text(`HD${echo}\r\n`);
}
