import { option, type OptionTable } from '../../options/option';
import { SWITCH, objectWith, wholeNumber } from '../../options/rule';
import { DEFAULT_MAX_VALUE_SIZE } from '../../protocol/limits';
import { systemClock, type Clock } from '../../runtime/clock';

/** How a {@link MemoryStore} is set up. */
export interface MemoryStoreOptions {
  /** Memory limit for all items, in bytes, overhead included. @default 67108864: 64 MiB */
  maxBytes?: number | undefined;
  /** Limit for one item, in bytes as memcached counts them: about 60 more than the value. @default 1048576: 1 MiB */
  maxItemSize?: number | undefined;
  /** Whether a full store makes room by removing the items unused for longest; else it refuses new ones (`-M`). @default true */
  evict?: boolean | undefined;
  /** Whether items have cas numbers; else they are all 0 (`-C`). @default true */
  cas?: boolean | undefined;
  /** The source of time, for tests: `ManualClock`. @default the machine's */
  clock?: Clock | undefined;
}

/** The options of a store. */
export const STORE_OPTIONS = {
  maxBytes: option(wholeNumber(1, Number.MAX_SAFE_INTEGER, 'bytes'), 64 * 1024 * 1024),
  maxItemSize: option(wholeNumber(1, 2 ** 30, 'bytes'), DEFAULT_MAX_VALUE_SIZE),
  evict: option(SWITCH, true),
  cas: option(SWITCH, true),
  clock: option(objectWith<Clock>('a Clock', 'now', 'time', 'setTimeout', 'setImmediate'), systemClock),
} satisfies OptionTable<MemoryStoreOptions>;
