import { BAD_FORMAT } from './classic-line';
import type { ServerContext } from './context';
import type { Exchange } from './exchange';

/** `get <key>*` → `VALUE <key> <flags> <bytes>` and data for each hit, then `END`. */
export const get = retrieving(false);
/** `gets <key>*`: as `get`, with the cas number at the end of the line. */
export const gets = retrieving(true);
/** `gat <exptime> <key>*`: as `get`, and sets when the items expire. */
export const gat = touching(false);
/** `gats <exptime> <key>*`: `gat` with the cas number. */
export const gats = touching(true);

function retrieving(withCas: boolean): (exchange: Exchange) => void {
  return (exchange) => {
    retrieve(exchange, 1, withCas, undefined);
  };
}

function touching(withCas: boolean): (exchange: Exchange) => void {
  return (exchange) => {
    const { line, store } = exchange;
    const exptime = line.int32(1);
    if (exptime === undefined) exchange.reply('CLIENT_ERROR invalid exptime argument');
    else retrieve(exchange, 2, withCas, store.deadline(exptime));
  };
}

/** @param from the token that is the first key */
function retrieve(exchange: Exchange, from: number, withCas: boolean, deadline: number | undefined): void {
  // Keys before one that is too long count as used, but the only reply is the error.
  look(exchange, from, withCas, deadline, exchange.line.hasLongToken);
}

/** Answers the keys from the token `from` on. A line may name thousands: then it takes several turns, as other clients' commands do. */
function look(exchange: Exchange, from: number, withCas: boolean, deadline: number | undefined, refused: boolean): void {
  const { line, store, context } = exchange;
  let looked = 0;
  do {
    for (let i = from; i < line.count; i++) {
      if (exchange.turn.isOverAfter(looked++)) {
        exchange.suspend(() => {
          look(exchange, i, withCas, deadline, refused);
        });
        return;
      }
      if (refused && !line.isKey(i)) {
        exchange.reply(BAD_FORMAT);
        return;
      }
      const key = line.key(i, store);
      const item = store.fetch(key);
      if (deadline === undefined) countGet(context, key, item !== undefined);
      else countTouch(context, key, item !== undefined);
      if (item === undefined) continue;
      if (deadline !== undefined) store.setDeadline(item, deadline);
      if (refused) continue;
      const { value, flags } = item;
      const head = `VALUE ${key} ${flags} ${value.length}`;
      exchange.block(withCas ? `${head} ${item.cas}\r\n` : `${head}\r\n`, value);
    }
    from = 0;
  } while (line.next());
  exchange.text('END\r\n');
}

/** Counts that `get` or `gets` has looked for a key. */
export function countGet({ store: { stats }, prefixes }: ServerContext, key: string, found: boolean): void {
  if (prefixes.enabled) prefixes.record(key, 'get', found);
  stats.countGet(found);
}

function countTouch({ store: { stats }, prefixes }: ServerContext, key: string, found: boolean): void {
  if (prefixes.enabled) prefixes.record(key, 'get', found);
  stats.countTouch(found);
}
