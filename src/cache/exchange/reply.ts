/**
 * What a server without CAS numbers (`memcached -C`) says in their place. It guards nothing: some refuse every store with it, and
 * memcached before 1.6 accepts every one.
 */
export const NO_GUARD = '0';

/** The result of a read, by whichever commands it was made. */
export class Reply {
  /** Whether an item was there. */
  found = false;
  /** Whether it is a place-holder: a process is loading, and there is no value yet. */
  cold = false;
  /** Whether this caller, and no other, is to load. (`W`) */
  won = false;
  /** Whether another process is loading. (`Z`) */
  held = false;
  /** Whether the token of another process expires by itself. */
  timed = false;
  /** Whether it was invalidated. (`X`) */
  marked = false;
  /** Seconds to live; -1 for ever. */
  ttl = -1;
  /** Empty unless it is needed: of a plain value that is read as it is, nobody asks for it. */
  cas = '';
  /** Whether the entry says that there is no such value. */
  negative = false;
  value: unknown = undefined;
  /** The value once more for each further caller, and last for the loader if it is to run, so that no two share an object. */
  copies: unknown[] | undefined = undefined;
  /** The versions of its tags at the time of its load: `name=version …`. */
  tags = '';
  /** The value stands in pieces, which have not been read yet. */
  inPieces = false;
  /** The value is there and cannot be read. */
  unreadable: unknown = undefined;
  /** Whether the near cache is to keep it. */
  wanted = false;
  /** A copy of its bytes, if the near cache is to keep them; and their flags. */
  bytes: Buffer | undefined = undefined;
  flags = 0;
}

/** The outcome of a store. */
export type Stored = 'stored' | 'exists' | 'notFound' | 'notStored';

/** The parameters of a read. */
export interface Ask {
  /** Seconds that a place-holder lives; 0 to make none. */
  readonly lease: number;
  /** Below this many seconds to live the reader may be told to refresh; 0 for never. */
  readonly refresh: number;
  /** For how many callers the value is read. */
  readonly copies: number;
  /** Seconds for which an item stays after it is no longer fresh. */
  readonly keep: number;
  /** Whether the reply is to say how often the item is read. */
  readonly use: boolean;
  /** Of several caches only the one in use is asked: what an older one has is of no use. */
  readonly onlyFirst: boolean;
  /** Whether the near cache wants the item. @param hot whether it is read often */
  wantsBytes(hot: boolean): boolean;
}
