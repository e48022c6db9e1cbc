import type { Exchange } from '../exchange';
import { BINARY_KEY, FETCHED, STALE, WON, itemSize, storedValue, type Item } from '../storage/item';
import { slabClass } from '../storage/slab-class';
import type { StoreMode, StoreOutcome } from '../storage/store';
import {
  MAX_META_TOKENS,
  MetaFlags,
  OPAQUE_TOO_LONG,
  decodeBase64,
  echoedFlags,
  encodeBase64,
  isTooLong,
  keyFlag,
} from './meta-flags';

const BAD_FORMAT = 'CLIENT_ERROR bad command line format';
const BAD_FLAG = 'CLIENT_ERROR invalid or duplicate flag';

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
    miss(exchange, flags, 'EN', 2);
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
    exchange.refuse(BAD_FORMAT);
    return;
  }
  const flags = new MetaFlags(line, 3);
  const mode = SET_MODES[flags.mode];
  if (flags.error !== undefined || mode === undefined) {
    exchange.refuse(flags.error ?? 'CLIENT_ERROR invalid mode for ms M token');
    return;
  }
  for (let i = 3; i < line.count; i++) {
    if (line.first(i) === OPAQUE && isTooLong(line, i)) {
      exchange.refuse(OPAQUE_TOO_LONG);
      return;
    }
  }
  const outcome = frame.oversized ? store.refuse(mode, flags.key) : storeBlock(exchange, flags, mode);
  const code = outcome === undefined ? undefined : SET_CODES[outcome];
  if (outcome === undefined) {
    exchange.refuse('CLIENT_ERROR bad data chunk');
  } else if (code === undefined) {
    // Unlike the classic commands, every mode takes the old value along when there is no room for the new one.
    store.delete(flags.key);
    exchange.refuse(
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

/** `md <key> <flags>*` → `HD`, `NF` or `EX`, with flags. */
export function metaDelete(exchange: Exchange): void {
  const { line, store } = exchange;
  if (!hasKey(exchange, 'CLIENT_ERROR options flags too long')) return;
  const flags = new MetaFlags(line, 2);
  const echo = flags.error === undefined ? echoedFlags(line, 2, flags) : '';
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

const UP = new Set(['', 'I', '+']);
const DOWN = new Set(['D', '-']);

/** `ma <key> <flags>*` → `HD <flags>*`, `VA <size> <flags>*` and the number, `NF`, `NS` or `EX`. */
export function metaArithmetic(exchange: Exchange): void {
  const { line, store } = exchange;
  if (!hasKey(exchange, 'CLIENT_ERROR options flags too long')) return;
  const flags = new MetaFlags(line, 2);
  const up = UP.has(flags.mode);
  if (flags.error !== undefined || (!up && !DOWN.has(flags.mode))) {
    exchange.refuse(flags.error === undefined ? 'CLIENT_ERROR invalid mode for ma M token' : BAD_FLAG);
    return;
  }
  const { stats } = store;
  const result = store.count(flags.key, up, flags.delta, flags.cas ?? 0);
  switch (result.outcome) {
    case 'counted':
      if (up) stats.incrHits++;
      else stats.decrHits++;
      counted(exchange, flags, result.item, result.number, false);
      break;
    case 'notFound':
      if (flags.vivify !== undefined) {
        vivify(exchange, flags);
        break;
      }
      if (up) stats.incrMisses++;
      else stats.decrMisses++;
      miss(exchange, flags, 'NF', 2);
      break;
    case 'exists':
      miss(exchange, flags, 'EX', 2);
      break;
    case 'noMemory':
      exchange.refuse('SERVER_ERROR out of memory');
      break;
    default:
      exchange.refuse('CLIENT_ERROR cannot increment or decrement non-numeric value');
  }
}

function vivify(exchange: Exchange, flags: MetaFlags): void {
  const number = flags.initial.toString();
  const item = exchange.store.create(flags.key, number, 0, flags.binaryKey);
  if (item === undefined) exchange.refuse('SERVER_ERROR Out of memory allocating new item');
  else counted(exchange, flags, item, number, true);
}

/** Answers an arithmetic that succeeded, executing its flags in their order. */
function counted(exchange: Exchange, flags: MetaFlags, item: Item, number: string, created: boolean): void {
  const { line, store } = exchange;
  let shown = '';
  for (let i = 2; i < line.count; i++) {
    switch (String.fromCharCode(line.first(i))) {
      case 'c':
        shown += ` c${item.cas}`;
        break;
      case 't':
        shown += ` t${store.secondsLeft(item)}`;
        break;
      case 'T':
        store.setDeadline(item, store.deadline(flags.ttl ?? 0));
        break;
      case 'N':
        if (created) store.setDeadline(item, store.deadline(flags.vivify ?? 0));
        break;
      case 'O':
        if (isTooLong(line, i)) {
          exchange.refuse(OPAQUE_TOO_LONG);
          return;
        }
        shown += ` ${line.text(i)}`;
        break;
      case 'k':
        shown += keyFlag(flags.key, flags.binaryKey);
        break;
    }
  }
  // memcached does not silence the answer of a counter that it has just created.
  if (flags.quiet && !created) return;
  exchange.text(flags.value ? `VA ${number.length}${shown}\r\n${number}\r\n` : `HD${shown}\r\n`);
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

/** Whether the line has a key that is short enough, and not too many tokens; answers when it has not. */
function hasKey(exchange: Exchange, tooMany: string): boolean {
  const { line } = exchange;
  if (line.count < 2) exchange.refuse('ERROR');
  else if (!line.isKey(1)) exchange.refuse(BAD_FORMAT);
  else if (line.count > MAX_META_TOKENS) exchange.refuse(tooMany);
  else return true;
  return false;
}

/** Answers a code without success; `EN` stays unsaid when the client wants silence. */
function miss(exchange: Exchange, flags: MetaFlags, code: 'EN' | 'NF' | 'EX', from: number): void {
  const echo = echoedFlags(exchange.line, from, flags);
  if (echo === undefined) exchange.refuse(OPAQUE_TOO_LONG);
  else if (code !== 'EN' || !flags.quiet) exchange.text(`${code}${echo}\r\n`);
}
