/** What a read told, whatever protocol it went over. */
export class Reply {
  /** Whether an item was there. */
  found = false;
  /** Whether it is a place-holder: somebody loads, nothing is there yet. */
  cold = false;
  /** This caller, and no other, is to load. (`W`) */
  won = false;
  /** Somebody else loads. (`Z`) */
  held = false;
  /** A token in other hands ends by itself. */
  timed = false;
  /** It was invalidated. (`X`) */
  marked = false;
  /** Seconds to live; -1 for ever. */
  ttl = -1;
  /** Empty unless it is needed: with `won`, `held`, `marked`, or when the value cannot be read. */
  cas = '';
  /** The value stands for "no such thing". */
  negative = false;
  value: unknown = undefined;
  /** The value once more for each further caller, so that no two share an object. */
  copies: unknown[] | undefined = undefined;
  /** The versions of its tags at the time of its load: `name=version …`. */
  tags = '';
  /** The value stands in pieces, which have not been read yet. */
  inPieces = false;
  /** The value is there and cannot be read. */
  unreadable: unknown = undefined;
  /** Whether the near cache shall keep it. */
  wanted = false;
  /** Its bytes in memory of their own, where the near cache shall keep them; and their flags. */
  bytes: Buffer | undefined = undefined;
  flags = 0;
}

/** What became of a store. */
export type Stored = 'stored' | 'exists' | 'notFound' | 'notStored';

/** What a read asks. */
export interface Ask {
  /** Seconds that a place-holder lives; 0 to make none. */
  readonly lease: number;
  /** Below this many seconds to live the reader may be told to refresh; 0 for never. */
  readonly refresh: number;
  /** For how many callers the value is read. */
  readonly copies: number;
  /** Seconds for which an item stays after it is no longer fresh. */
  readonly keep: number;
  /** Whether it is to be told how often the item is read. */
  readonly use: boolean;
  /** Of several caches only the one in use is asked: what an older one has is of no use. */
  readonly onlyFirst: boolean;
  /** Whether the near cache wants the item. @param hot whether it is read often */
  wantsBytes(hot: boolean): boolean;
}
