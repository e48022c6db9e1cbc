import type { Exchange } from './exchange';
import { storedValue } from '../../engine/item';
import type { StoreMode, StoreOutcome } from '../../engine/store';
import { MetaFlags } from './meta-flags';
import { BAD_FORMAT, OPAQUE_TOO_LONG, hasKey, isTooLong, keyFlag } from './meta-replies';

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
  if (!hasKey(exchange, 'CLIENT_ERROR options flags too long')) return;
  if (!frame.hasBlock) {
    exchange.replyAlways(BAD_FORMAT);
    return;
  }
  const flags = new MetaFlags(line, 3);
  const mode = SET_MODES[flags.mode];
  if (flags.error !== undefined || mode === undefined) {
    exchange.replyAlways(flags.error ?? 'CLIENT_ERROR invalid mode for ms M token');
    return;
  }
  for (let i = 3; i < line.count; i++) {
    if (line.first(i) === OPAQUE && isTooLong(line, i)) {
      exchange.replyAlways(OPAQUE_TOO_LONG);
      return;
    }
  }
  const outcome = frame.oversized ? store.rejectTooLarge(mode, flags.key) : storeBlock(exchange, flags, mode);
  const code = outcome === undefined ? undefined : SET_CODES[outcome];
  if (outcome === undefined) {
    exchange.replyAlways('CLIENT_ERROR bad data chunk');
  } else if (code === undefined) {
    // Unlike the classic commands, every mode takes the old value along when there is no room for the new one.
    store.delete(flags.key);
    exchange.replyAlways(
      outcome === 'tooLarge' ? 'SERVER_ERROR object too large for cache' : 'SERVER_ERROR out of memory storing object',
    );
  } else if (outcome !== 'stored' || !flags.quiet) {
    exchange.text(`${code}${storedFlags(exchange, flags, outcome === 'stored')}\r\n`);
  }
}

/** Stores the data block; nothing when it does not end where the line said. */
function storeBlock(exchange: Exchange, flags: MetaFlags, mode: StoreMode): StoreOutcome | undefined {
  const { frame, store } = exchange;
  store.stats.cmdSet++;
  if (!frame.terminated) return undefined;
  // With a cas, set and replace are "cas", append and prepend check it, and add does not look at it.
  const checked = flags.cas !== undefined && (mode === 'set' || mode === 'replace');
  return store.store(
    checked ? 'cas' : mode,
    flags.key,
    storedValue(frame.buffer, frame.dataStart, frame.dataEnd, frame.owned),
    flags.clientFlags,
    store.deadline(flags.ttl ?? 0),
    { cas: flags.cas ?? 0, orStale: flags.invalidate && checked, binaryKey: flags.binaryKey },
  );
}

const OPAQUE = 'O'.charCodeAt(0);

function storedFlags({ line, store }: Exchange, flags: MetaFlags, stored: boolean): string {
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
        shown += ` c${stored ? store.lastCas : 0}`;
        break;
    }
  }
  return shown;
}
