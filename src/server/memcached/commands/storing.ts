import { BAD_FORMAT, KEY } from './classic-line';
import type { Exchange } from './exchange';
import { storedValue } from '../../engine/item';
import type { StoreMode, StoreOutcome } from '../../engine/outcomes';

const WORDS: Record<StoreOutcome, string> = {
  stored: 'STORED',
  notStored: 'NOT_STORED',
  exists: 'EXISTS',
  notFound: 'NOT_FOUND',
  tooLarge: 'SERVER_ERROR object too large for cache',
  noMemory: 'SERVER_ERROR out of memory storing object',
};

const FLAGS = 2;
const EXPTIME = 3;
const CAS = 5;

/** `set <key> <flags> <exptime> <bytes> [noreply]` and the data → `STORED`. */
export const set = storing('set');
/** `add …`: `NOT_STORED` when the key is there. */
export const add = storing('add');
/** `replace …`: `NOT_STORED` when the key is not there. */
export const replace = storing('replace');
/** `append …`: adds after the value; flags and exptime are read and ignored. */
export const append = storing('append');
/** `prepend …`: adds before the value. */
export const prepend = storing('prepend');
/** `cas <key> <flags> <exptime> <bytes> <cas> [noreply]`: `EXISTS` when it has changed, `NOT_FOUND` when it is gone. */
export const cas = storing('cas');

function storing(mode: StoreMode): (exchange: Exchange) => void {
  return (exchange) => {
    const { line, frame, store } = exchange;
    const { stats } = store;
    const { prefixes } = exchange.context;
    if (!frame.hasBlock) {
      exchange.replyAlways(BAD_FORMAT);
      return;
    }
    // A line is refused only after its block has been read.
    const flags = line.clientFlags(FLAGS);
    const exptime = line.exptime(EXPTIME);
    const unique = mode === 'cas' ? line.uint64(CAS) : 0;
    if (!line.isKey(KEY) || flags === undefined || exptime === undefined || unique === undefined) {
      exchange.reply(BAD_FORMAT);
      return;
    }
    const key = line.key(KEY, store);
    if (prefixes.enabled) prefixes.record(key, 'set');
    if (frame.oversized) {
      exchange.reply(WORDS[store.rejectTooLarge(mode, key)]);
      return;
    }
    if (!frame.terminated) {
      stats.cmdSet++;
      exchange.reply('CLIENT_ERROR bad data chunk');
      return;
    }
    const value = storedValue(frame.buffer, frame.dataStart, frame.dataEnd, frame.owned);
    const deadline = exptime === 0 ? 0 : store.deadline(exptime);
    const outcome =
      mode === 'cas'
        ? store.store(mode, key, value, flags, deadline, { cas: unique, orStale: false, binaryKey: false })
        : store.store(mode, key, value, flags, deadline);
    stats.countStore(outcome);
    if (mode === 'cas') stats.countCas(outcome);
    else if (mode === 'append' || mode === 'prepend') exchange.turn.weigh(store.find(key));
    exchange.reply(WORDS[outcome]);
  };
}
