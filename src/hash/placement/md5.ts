import type * as crypto from 'node:crypto';

/** The 16 bytes of MD5 of `bytes`, one character per byte. It places keys; nothing secret rests on it. */
export function md5(bytes: string): Buffer {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- loaded on first use: only ketama needs it, and importing it takes 3 ms
  const { createHash } = require('node:crypto') as typeof crypto;
  return createHash('md5').update(bytes, 'latin1').digest();
}
