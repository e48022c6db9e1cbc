import { MemcacheIllegalInputError } from '../errors';
import { nodeCrypto } from '../runtime/crypto';
import { MAX_KEY_LENGTH } from './limits';

/** How many characters of the original key are kept in front of a digest, for the people who read it. */
const HEAD_LENGTH = 32;
/** `#` and SHA-256 in base64url: no key can do with less room. */
export const DIGEST_LENGTH = 44;

const LEGAL = /^[\x21-\x7e]+$/;
/** What this function makes. Such a key is digested too: left as it is, it could name another key's item. */
const DIGESTED = /^.{0,32}#[\w-]{43}$/;

/**
 * A legal key for any string: for programs that cannot choose their keys, such as those that cache by URL.
 *
 * A legal key that fits is unchanged. Any other becomes its first 32 characters, with `_` for those that are not legal,
 * `#`, and 43 characters of SHA-256 in base64url: 76 at the most. Two different strings never get the same key.
 *
 * @param room - how many bytes the key may have: 250 less the `keyPrefix` of the client; at least 44
 * @throws MemcacheIllegalInputError when `key` is not a string, or `room` is not from 44 to 250
 */
export function safeKey(key: string, room: number = MAX_KEY_LENGTH): string {
  if (typeof key !== 'string') throw new MemcacheIllegalInputError('key must be a string');
  if (!Number.isInteger(room) || room < DIGEST_LENGTH || room > MAX_KEY_LENGTH) {
    throw new MemcacheIllegalInputError(`room must be a whole number from ${DIGEST_LENGTH} to ${MAX_KEY_LENGTH}`);
  }
  if (key.length <= room && LEGAL.test(key) && !DIGESTED.test(key)) return key;
  const head = key.slice(0, Math.min(HEAD_LENGTH, room - DIGEST_LENGTH)).replace(/[^\x21-\x7e]/g, '_');
  // In UTF-8 every lone surrogate is the same three bytes.
  const encoding = key.isWellFormed() ? 'utf8' : 'utf16le';
  return `${head}#${nodeCrypto().createHash('sha256').update(Buffer.from(key, encoding)).digest('base64url')}`;
}
