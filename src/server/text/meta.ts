import type { Exchange } from '../exchange';
import { BINARY_KEY, FETCHED, STALE, WON, itemSize, type Item } from '../storage/item';
import { slabClass } from '../storage/slab-class';
import { decodeBase64, encodeBase64 } from './base64';
import { MetaFlags } from './meta-flags';
import { BAD_FLAG, BAD_FORMAT, OPAQUE_TOO_LONG, echoedFlags, hasKey, isTooLong, keyFlag, miss } from './meta-replies';

/** `mg <key> <flags>*` → `VA <size> <flags>*` and the value, `HD <flags>*`, or `EN`. */
export function metaGet(exchange: Exchange): void {
  const { line, store } = exchange;
  if (!hasKey(exchange, 'CLIENT_ERROR options flags are too long')) return;
  const flags = new MetaFlags(line, 2);
  if (flags.error !== undefined) {
    exchange.refuse(flags.error);
    return;
  }
  const { stats } = store;
  let item = store.find(flags.key);
  const created = item === undefined && flags.vivify !== undefined;
  if (created) item = store.create(flags.key, '', 0, flags.binaryKey);
  if (item === undefined) {
    stats.cmdGet++;
    stats.getMisses++;
    miss(exchange, flags, 'EN');
    return;
  }
  const { value } = item;
  const shown = hitFlags(exchange, flags, item, created);
  if (shown === undefined) return;
  if (!flags.unused) store.use(item);
  if (flags.ttl === undefined) {
    stats.cmdGet++;
    stats.getHits++;
  } else {
    stats.cmdTouch++;
    stats.touchHits++;
  }
  if (flags.value) {
    exchange.text(`VA ${value.length}${shown}\r\n`);
    exchange.block(value);
  } else {
    exchange.text(`HD${shown}\r\n`);
  }
}

/** Executes the flags of `mg` on a hit, in their order; answers an error itself and returns nothing then. */
function hitFlags(exchange: Exchange, flags: MetaFlags, item: Item, created: boolean): string | undefined {
  const { line, store } = exchange;
  let shown = '';
  let won = false;
  for (let i = 2; i < line.count; i++) {
    switch (String.fromCharCode(line.first(i))) {
      case 'T':
        store.setDeadline(item, store.deadline(flags.ttl ?? 0));
        break;
      case 'N':
        if (created) {
          store.setDeadline(item, store.deadline(flags.vivify ?? 0));
          won = true;
        }
        break;
      case 'R':
        won ||=
          (item.marks & WON) === 0 && !created && store.expiresBefore(item, store.deadline(flags.recache ?? 0));
        break;
      case 's':
        shown += ` s${item.value.length}`;
        break;
      case 't':
        shown += ` t${store.secondsLeft(item)}`;
        break;
      case 'c':
        shown += ` c${item.cas}`;
        break;
      case 'f':
        shown += ` f${item.flags}`;
        break;
      case 'l':
        shown += ` l${store.secondsIdle(item)}`;
        break;
      case 'h':
        shown += (item.marks & FETCHED) === 0 ? ' h0' : ' h1';
        break;
      case 'O':
        if (isTooLong(line, i)) {
          exchange.refuse(OPAQUE_TOO_LONG);
          return undefined;
        }
        shown += ` ${line.text(i)}`;
        break;
      case 'k':
        shown += keyFlag(item.key, (item.marks & BINARY_KEY) !== 0);
        break;
    }
  }
  if ((item.marks & WON) !== 0) shown += ' Z';
  if ((item.marks & STALE) !== 0) {
    shown += ' X';
    won ||= (item.marks & WON) === 0;
  }
  if (won) {
    shown += ' W';
    item.marks |= WON;
  }
  return shown;
}

/** `md <key> <flags>*` → `HD`, `NF` or `EX`, with flags. */
export function metaDelete(exchange: Exchange): void {
  const { line, store } = exchange;
  if (!hasKey(exchange, 'CLIENT_ERROR options flags too long')) return;
  const flags = new MetaFlags(line, 2);
  const echo = flags.error === undefined ? echoedFlags(line, flags) : '';
  if (flags.error !== undefined || echo === undefined) {
    exchange.refuse(flags.error === undefined ? OPAQUE_TOO_LONG : BAD_FLAG);
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

/** `mn` → `MN`: the mark behind a row of quiet commands. */
export function metaNoop(exchange: Exchange): void {
  exchange.text('MN\r\n');
}

/** `me <key> [b]` → `ME <key> exp=… la=… cas=… fetch=… cls=… size=…`, or `EN`. */
export function metaDebug(exchange: Exchange): void {
  const { line, store } = exchange;
  if (line.count < 2 || !line.isKey(1)) {
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
  // memcached counts down: seconds until the item expires, negated.
  const expires = item.deadline === 0 ? -1 : -store.secondsLeft(item) | 0;
  const fetched = (item.marks & FETCHED) === 0 ? 'no' : 'yes';
  const size = itemSize(key.length, item.value.length, item.flags, store.cas);
  exchange.reply(
    `ME ${shownKey} exp=${expires} la=${store.secondsIdle(item)} cas=${item.cas} fetch=${fetched}` +
      ` cls=${slabClass(size)} size=${size}`,
  );
}
