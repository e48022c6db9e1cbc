/** The bits of an item's flags that say what its bytes are. Those of 1 to 16 are pymemcache's and python-memcached's. */

/** Bytes as they are. */
export const FLAG_BYTES = 0;
/** A Python pickle. */
export const FLAG_PICKLE = 1;
/** A decimal integer. */
export const FLAG_INTEGER = 2;
/** A decimal integer, Python 2's `long`; here a bigint. */
export const FLAG_LONG = 4;
/** Compressed with zlib, on top of what the other bits say. */
export const FLAG_COMPRESSED = 8;
/** UTF-8 text. */
export const FLAG_TEXT = 16;
/** JSON. */
export const FLAG_JSON = 64;
/** A number that is not an integer, as JavaScript writes it (`1.5`, `NaN`, `-Infinity`). */
export const FLAG_NUMBER = 128;
/** node:v8's structured clone format; its version stands above this bit: 256 + 512 × version. */
export const FLAG_STRUCTURED = 256;
