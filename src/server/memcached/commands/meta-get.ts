import { BINARY_KEY, FETCHED, STALE, WON, type Item } from '../../engine/item';
import type { Exchange } from './exchange';
import type { MetaFlags } from './meta-flags';
import { OPAQUE_TOO_LONG, isTooLong, keyFlag, miss, readFlags } from './meta-replies';

/** `mg <key> <flags>*` → `VA <size> <flags>*` and the value, `HD <flags>*`, or `EN`. */
export function metaGet(exchange: Exchange): void {
  const { store } = exchange;
  const flags = readFlags(exchange, 2);
  if (flags === undefined) return;
  let item = store.find(flags.key);
  const created = item === undefined && flags.vivify !== undefined;
  if (created) item = store.create(flags.key, '', 0, flags.binaryKey, flags.newCas);
  if (item === undefined) {
    store.stats.countGet(false);
    miss(exchange, flags, 'EN');
    return;
  }
  const { value } = item;
  const known = flags.cas !== undefined && flags.cas === item.cas;
  const shown = hitFlags(exchange, flags, item, created);
  if (shown === undefined) return;
  if (!flags.unused) store.use(item);
  if (flags.ttl === undefined) store.stats.countGet(true);
  else store.stats.countTouch(true);
  // A client that names the item's cas has its value already.
  if (flags.value && !known) {
    exchange.block(`VA ${value.length}${shown}\r\n`, value);
  } else {
    exchange.text(`HD${shown}\r\n`);
  }
}

/** Executes the flags of `mg` on a hit, in their order; on an error it sends the error itself, and returns undefined. */
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
          exchange.replyAlways(OPAQUE_TOO_LONG);
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
    store.win(item);
  }
  return shown;
}
