import { BAD_FORMAT } from './classic-line';
import type { Exchange } from './exchange';
import { storedValue, type Item } from '../../engine/item';
import type { StoreMode, StoreOutcome } from '../../engine/outcomes';
import type { MetaFlags } from './meta-flags';
import { OPAQUE, OPAQUE_TOO_LONG, isTooLong, keyFlag, readFlags } from './meta-replies';

const SET_MODES: Readonly<Record<string, StoreMode>> = {
  '': 'set',
  S: 'set',
  E: 'add',
  A: 'append',
  P: 'prepend',
  R: 'replace',
};

const SET_CODES: Partial<Record<StoreOutcome, string>> = {
  stored: 'HD',
  notStored: 'NS',
  exists: 'EX',
  notFound: 'NF',
};

/** `ms <key> <bytes> <flags>*` and the data → `HD`, `NS`, `EX` or `NF`, with flags. */
export function metaSet(exchange: Exchange): void {
  const { line, frame, store } = exchange;
  if (!frame.hasBlock) {
    exchange.replyAlways(BAD_FORMAT);
    return;
  }
  const flags = readFlags(exchange, 3);
  if (flags === undefined) return;
  const mode = SET_MODES[flags.mode];
  if (mode === undefined) {
    exchange.replyAlways('CLIENT_ERROR invalid mode for ms M token');
    return;
  }
  for (let i = 3; i < line.count; i++) {
    if (line.first(i) === OPAQUE && isTooLong(line, i)) {
      store.stats.cmdSet++;
      exchange.replyAlways(OPAQUE_TOO_LONG);
      return;
    }
  }
  const outcome = frame.oversized ? store.rejectTooLarge(mode, flags.key) : storeBlock(exchange, flags, mode);
  const code = outcome === undefined ? undefined : SET_CODES[outcome];
  if (outcome === undefined) {
    exchange.replyAlways('CLIENT_ERROR bad data chunk');
  } else if (code === undefined) {
    // Unlike the classic commands, every mode deletes the old value when there is no room for the new one.
    store.delete(flags.key);
    exchange.replyAlways(
      outcome === 'tooLarge' ? 'SERVER_ERROR object too large for cache' : 'SERVER_ERROR out of memory storing object',
    );
  } else {
    const stored = outcome === 'stored' ? store.lastStored : undefined;
    if (mode === 'append' || mode === 'prepend') exchange.turn.weigh(store.find(flags.key));
    if (outcome !== 'stored' || !flags.quiet) exchange.text(`${code}${storedFlags(exchange, flags, stored)}\r\n`);
  }
}

/** Stores the data block; undefined when it does not end where the line said. */
function storeBlock(exchange: Exchange, flags: MetaFlags, mode: StoreMode): StoreOutcome | undefined {
  const { frame, store } = exchange;
  const { stats } = store;
  if (!frame.terminated) {
    stats.cmdSet++;
    return undefined;
  }
  // With a cas, set and replace are "cas", append and prepend check it, and add ignores it.
  const checked = flags.cas !== undefined && (mode === 'set' || mode === 'replace');
  const created = flags.vivify !== undefined && (mode === 'append' || mode === 'prepend') && store.find(flags.key) === undefined;
  const outcome = store.store(
    created ? 'add' : checked ? 'cas' : mode,
    flags.key,
    storedValue(frame.buffer, frame.dataStart, frame.dataEnd, frame.owned),
    flags.clientFlags,
    store.deadline((created ? flags.vivify : flags.ttl) ?? 0),
    { cas: flags.cas ?? 0, orStale: flags.invalidate, binaryKey: flags.binaryKey, newCas: flags.newCas },
  );
  stats.countStore(outcome);
  if (checked) stats.countCas(outcome);
  return outcome;
}

/** @param stored the item, when it was stored */
function storedFlags({ line, frame }: Exchange, flags: MetaFlags, stored: Item | undefined): string {
  let shown = '';
  for (let i = 3; i < line.count; i++) {
    switch (String.fromCharCode(line.first(i))) {
      case 'O':
        shown += ` ${line.text(i)}`;
        break;
      case 'k':
        shown += keyFlag(flags.key, flags.binaryKey);
        break;
      case 'c':
        shown += ` c${stored?.cas ?? 0}`;
        break;
      case 's':
        shown += ` s${stored?.value.length ?? frame.dataEnd - frame.dataStart}`;
        break;
    }
  }
  return shown;
}
