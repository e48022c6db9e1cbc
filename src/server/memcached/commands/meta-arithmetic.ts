import type { Exchange } from './exchange';
import type { Item } from '../../engine/item';
import { uncounted } from './counting';
import type { MetaFlags } from './meta-flags';
import { BAD_FLAG, OPAQUE_TOO_LONG, isTooLong, keyFlag, miss, readFlags } from './meta-replies';

const UP = new Set(['', 'I', '+']);
const DOWN = new Set(['D', '-']);

/** `ma <key> <flags>*` → `HD <flags>*`, `VA <size> <flags>*` and the number, `NF`, `NS` or `EX`. */
export function metaArithmetic(exchange: Exchange): void {
  const { store } = exchange;
  const flags = readFlags(exchange, 2, BAD_FLAG);
  if (flags === undefined) return;
  const up = UP.has(flags.mode);
  if (!up && !DOWN.has(flags.mode)) {
    exchange.replyAlways('CLIENT_ERROR invalid mode for ma M token');
    return;
  }
  const result = store.count(flags.key, up, flags.delta, flags.cas ?? 0);
  exchange.turn.weigh(result.outcome === 'counted' ? result.item : store.find(flags.key));
  switch (result.outcome) {
    case 'counted':
      store.stats.countArithmetic(up, true);
      if (flags.newCas !== undefined) store.setCas(result.item, flags.newCas);
      counted(exchange, flags, result.item, result.number, false);
      break;
    case 'notFound':
      if (flags.vivify !== undefined) {
        vivify(exchange, flags);
        break;
      }
      store.stats.countArithmetic(up, false);
      miss(exchange, flags, 'NF');
      break;
    case 'exists':
      miss(exchange, flags, 'EX');
      break;
    default:
      exchange.replyAlways(uncounted(result.outcome));
  }
}

function vivify(exchange: Exchange, flags: MetaFlags): void {
  const number = flags.initial.toString();
  const item = exchange.store.create(flags.key, number, 0, flags.binaryKey, flags.newCas);
  if (item === undefined) {
    exchange.replyAlways('SERVER_ERROR Out of memory allocating new item');
    return;
  }
  counted(exchange, flags, item, number, true);
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
          exchange.replyAlways(OPAQUE_TOO_LONG);
          return;
        }
        shown += ` ${line.text(i)}`;
        break;
      case 'k':
        shown += keyFlag(flags.key, flags.binaryKey);
        break;
    }
  }
  if (flags.quiet) return;
  exchange.text(flags.value ? `VA ${number.length}${shown}\r\n${number}\r\n` : `HD${shown}\r\n`);
}
