import { MemcacheIllegalInputError } from '../../errors';
import { latin1Slice } from '../../protocol/bytes';
import { crc32 } from '../../runtime/crc32';
import { md5 } from './md5';
import { oneAtATime } from './one-at-a-time';

/**
 * A hash of keys of libmemcached's: `one-at-a-time` is its default, `crc` 15 bits of CRC-32, `md5` the first four bytes
 * of the digest.
 */
export type KeyHashName = 'one-at-a-time' | 'crc' | 'md5';

/** An unsigned integer of at most 32 bits made of a key's bytes, one character per byte. */
export type KeyHash = (bytes: string) => number;

const KEY_HASHES: ReadonlyMap<string, KeyHash> = new Map<KeyHashName, KeyHash>([
  ['one-at-a-time', oneAtATime],
  ['crc', crc15],
  ['md5', (bytes) => md5(bytes).readUInt32LE()],
]);

/**
 * The hash called `name`.
 *
 * @throws MemcacheIllegalInputError when there is none.
 */
export function keyHash(name: string): KeyHash {
  const hash = KEY_HASHES.get(name);
  if (hash === undefined) throw new MemcacheIllegalInputError(`no such hash: ${name}`);
  return hash;
}

/** Bits 16 to 30 of CRC-32, which is all that the C clients and python-memcached use of it. */
export function crc15(bytes: string): number {
  return (crc32(bytes) >>> 16) & 0x7fff;
}

/** The UTF-8 bytes of `text`, one character per byte. */
export function utf8Bytes(text: string): string {
  if (!/[\u0080-\uffff]/.test(text)) return text;
  const bytes = Buffer.from(text);
  return latin1Slice(bytes, 0, bytes.length);
}
