/** Limits of the text protocol (memcached's `doc/protocol.txt`) and the bounds that both ends enforce against a hostile peer. */

/** The longest key, in bytes as sent: after the prefix, and after base64 where that is used. */
export const MAX_KEY_LENGTH = 250;

/** memcached's default for `-I`, the largest item, in bytes. */
export const DEFAULT_MAX_VALUE_SIZE = 1024 * 1024;

/** Client flags are an unsigned 32-bit number. */
export const MAX_FLAGS = 0xffff_ffff;

/** cas tokens, counters and deltas are unsigned 64-bit numbers. */
export const MAX_UINT64 = 0xffff_ffff_ffff_ffffn;

/** Up to this many seconds (30 days) the server reads `exptime` as relative, beyond it as a Unix time. */
export const MAX_RELATIVE_EXPTIME = 60 * 60 * 24 * 30;

/** The longest opaque token of a meta command, without its letter. */
export const MAX_OPAQUE_LENGTH = 31;

/** The longest reply line a client reads, in bytes. Ordinary lines stay below 400; `stats` and `me` lines are longer. */
export const MAX_REPLY_LINE = 8192;
