import { oneOf } from '../../options/rule';
import { asBuffer, latin1Slice } from '../../protocol/bytes';
import { crc32 } from '../../runtime/crc32';
import { md5 } from './md5';
import { oneAtATime } from './one-at-a-time';

/**
 * One of libmemcached's hashes of keys: `one-at-a-time` is its default, `crc` 15 bits of CRC-32, `md5` the first four bytes
 * of the digest.
 */
export type KeyHashName = 'one-at-a-time' | 'crc' | 'md5';

/** An unsigned integer of at most 32 bits made of a key's bytes, one character per byte. */
export type KeyHash = (bytes: string) => number;

const KEY_HASHES: Readonly<Record<KeyHashName, KeyHash>> = {
  'one-at-a-time': oneAtATime,
  crc: crc15,
  md5: (bytes) => md5(bytes).readUInt32LE(),
};

/** The hash called `name`. */
export function keyHash(name: KeyHashName): KeyHash {
  return KEY_HASHES[name];
}

/** The rule for the name of a hash. */
export const KEY_HASH = oneOf<KeyHashName>('one-at-a-time', 'crc', 'md5');

/** Bits 16 to 30 of CRC-32, the only part that the C clients and python-memcached use. */
export function crc15(bytes: string): number {
  return (crc32(bytes) >>> 16) & 0x7fff;
}

/** The bytes of a key, one character per byte: those that it was given as, or those of the string in UTF-8. */
export function keyBytes(key: string, bytes: Uint8Array | undefined): string {
  return bytes === undefined ? utf8Bytes(key) : latin1Slice(asBuffer(bytes), 0, bytes.length);
}

/** The UTF-8 bytes of `text`, one character per byte. */
export function utf8Bytes(text: string): string {
  if (!/[\u0080-\uffff]/.test(text)) return text;
  const bytes = Buffer.from(text);
  return latin1Slice(bytes, 0, bytes.length);
}
