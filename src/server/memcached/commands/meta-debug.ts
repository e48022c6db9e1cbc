import { BINARY_KEY, FETCHED, sizeOf } from '../../engine/item';
import { slabClass } from '../../engine/slab-class';
import { decodeBase64, encodeBase64 } from './base64';
import type { Exchange } from './exchange';
import { BAD_FORMAT } from './classic-line';

/** `mn` → `MN`: marks the end of a series of quiet commands. */
export function metaNoop(exchange: Exchange): void {
  exchange.text('MN\r\n');
}

/** `me <key> [b]` → `ME <key> exp=… la=… cas=… fetch=… cls=… size=…`, or `EN`. */
export function metaDebug(exchange: Exchange): void {
  const { line, store } = exchange;
  if (!line.isKey(1) || !line.hasFlagsFrom(2)) {
    exchange.reply(BAD_FORMAT);
    return;
  }
  const key = line.is(2, 'b') ? decodeBase64(line.text(1)) : line.text(1);
  if (key === '') {
    exchange.reply(BAD_FORMAT);
    return;
  }
  store.stats.cmdMeta++;
  const item = store.find(key);
  if (item === undefined) {
    exchange.reply('EN');
    return;
  }
  const shownKey = (item.marks & BINARY_KEY) === 0 ? key : encodeBase64(key);
  const expires = item.deadline === 0 ? -1 : store.secondsLeft(item) | 0;
  const fetched = (item.marks & FETCHED) === 0 ? 'no' : 'yes';
  const size = sizeOf(item, store.cas);
  exchange.reply(
    `ME ${shownKey} exp=${expires} la=${store.secondsIdle(item)} cas=${item.cas} fetch=${fetched}` +
      ` cls=${slabClass(size)} size=${size}`,
  );
}
