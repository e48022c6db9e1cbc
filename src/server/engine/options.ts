import { COUNT, SWITCH, checkOptions, objectWith, wholeNumber, type Rule, type Rules } from '../../options/rules';
import type { Clock } from '../../runtime/clock';

/** How a {@link MemoryStore} is set up. */
export interface MemoryStoreOptions {
  /** Memory limit for all items, in bytes, overhead included. @default 64 MiB */
  maxBytes?: number | undefined;
  /** Limit for one item, in bytes as memcached counts them, 60 more than those of the value. @default 1 MiB */
  maxItemSize?: number | undefined;
  /** Whether a full store makes room by removing what was unused longest; else it refuses. @default true */
  evict?: boolean | undefined;
  /** Whether items have cas numbers; else they are all 0. @default true */
  cas?: boolean | undefined;
  /** @default the machine's clock */
  clock?: Clock | undefined;
}

export const STORE_RULES: Rules<MemoryStoreOptions> = {
  maxBytes: COUNT,
  maxItemSize: wholeNumber(1, 2 ** 30),
  evict: SWITCH,
  cas: SWITCH,
  clock: objectWith('a Clock', 'now', 'time', 'setTimeout', 'setImmediate'),
};

/** What takes a store as an option. Not by its class: the caller may have loaded another copy of this package. */
export const STORE: Rule = objectWith('a MemoryStore', 'store', 'count', 'beginWalk', 'close');

/** @throws MemcacheIllegalInputError naming the option and its rule */
export function checkStoreOptions(options: MemoryStoreOptions): void {
  checkOptions(options, STORE_RULES);
}
