/**
 * Keys. The rules hold for the bytes that travel: encoded, after the prefix. A length counted in characters, or a
 * check made before the encoding, would let a value be read as commands (memcached up to 1.6.18 executes the data block
 * of a line whose key is too long).
 */
import { MemcacheIllegalInputError } from '../errors';
import { isIterable } from '../options/rule';
import { asBuffer, isBytes, latin1Slice } from './bytes';
import { MAX_KEY_LENGTH } from './limits';

/** One part of a key. A string is sent as UTF-8. */
export type KeyPart = string | Uint8Array;

/**
 * A key: a string, bytes, or `[routingKey, key]`, placed by the first and stored under the second. Bytes and pairs must stay as they are
 * until the promise of the call settles.
 */
export type Key = KeyPart | readonly [routingKey: KeyPart, key: KeyPart];

/** How the keys of one client are made into bytes. */
export interface KeyRules {
  /** Already encoded, one character per byte; see {@link encodePrefix}. */
  readonly prefix: string;
  /** Whether bytes from 0x80 on are allowed. */
  readonly allowUnicode: boolean;
}

/** ASCII's printable characters, less the space, are those from `!` to `~`. */
const NOT_PRINTABLE_ASCII = /[^!-~]/;
const NOT_PRINTABLE = /[^!-~\x80-\xff]/;

/**
 * The key as it travels, one character per byte.
 *
 * @throws MemcacheIllegalInputError naming the rule that is broken; the key itself is not in the message.
 */
export function encodeKey(key: Key, rules: KeyRules): string {
  // The common case: in printable ASCII, characters are bytes.
  if (typeof key === 'string' && key !== '' && !NOT_PRINTABLE_ASCII.test(key) && key.length + rules.prefix.length <= MAX_KEY_LENGTH) {
    return rules.prefix + key;
  }
  if (isPair(key)) toBytes(key[0], 'routing key');
  const encoded = rules.prefix + encodeBytes(storedPart(key), 'key', rules.allowUnicode);
  return checkLength(encoded, `${MAX_KEY_LENGTH} bytes long, prefix included`, encoded.length);
}

/**
 * The key in base64, for meta commands with the flag `b`: it may hold any bytes. The server's limit holds for the base64.
 *
 * @throws MemcacheIllegalInputError
 */
export function encodeBase64Key(key: Key, rules: KeyRules): string {
  const bytes = Buffer.concat([Buffer.from(rules.prefix, 'latin1'), toBytes(storedPart(key), 'key')]);
  return checkLength(bytes.toString('base64'), '186 bytes long in base64', bytes.length);
}

function checkLength(encoded: string, atMost: string, length: number): string {
  if (length === 0) throw new MemcacheIllegalInputError('key must not be empty');
  if (encoded.length > MAX_KEY_LENGTH) throw new MemcacheIllegalInputError(`key must be at most ${atMost}; this one has ${length}`);
  return encoded;
}

/**
 * The bytes of `prefix`, one character per byte.
 *
 * @throws MemcacheIllegalInputError
 */
export function encodePrefix(prefix: unknown, allowUnicode: boolean): string {
  const encoded = encodeBytes(prefix, 'keyPrefix', allowUnicode);
  if (encoded.length >= MAX_KEY_LENGTH) {
    throw new MemcacheIllegalInputError(`keyPrefix must be shorter than ${MAX_KEY_LENGTH} bytes`);
  }
  return encoded;
}

/** The part of `key` that it is stored under. */
export function storedPart(key: Key): KeyPart {
  return isPair(key) ? key[1] : key;
}

/** The part that chooses the server: the routing part if `key` has one, else the key; never prefixed. */
export function routingPart(key: Key): KeyPart {
  return isPair(key) ? key[0] : key;
}

/**
 * The stored part as a string, as serdes see it.
 *
 * @throws MemcacheIllegalInputError when it is neither a string nor bytes
 */
export function keyText(key: Key): string {
  const part = storedPart(key);
  return typeof part === 'string' ? part : toBytes(part, 'key').toString();
}

/**
 * A copy of a list of keys: the caller may fill its array with others before the answer has come.
 *
 * @throws MemcacheIllegalInputError when it is no list, such as a single key
 */
export function keyList(keys: unknown): readonly Key[] {
  if (isKeyList(keys)) return [...keys];
  throw new MemcacheIllegalInputError('keys must be an array or another iterable of keys');
}

/** Whether it is several keys; the keys themselves are not looked at. Bytes are one key. */
export function isKeyList(keys: unknown): keys is Iterable<Key> {
  return isIterable(keys) && !isBytes(keys);
}

function isPair(key: Key): key is readonly [KeyPart, KeyPart] {
  return Array.isArray(key) && key.length === 2;
}

function encodeBytes(part: unknown, name: string, allowUnicode: boolean): string {
  const bytes = toBytes(part, name);
  const encoded = latin1Slice(bytes, 0, bytes.length);
  const index = encoded.search(allowUnicode ? NOT_PRINTABLE : NOT_PRINTABLE_ASCII);
  if (index < 0) return encoded;
  const byte = encoded.charCodeAt(index);
  const hex = `0x${byte.toString(16).padStart(2, '0')}`;
  throw new MemcacheIllegalInputError(
    byte >= 0x80
      ? `${name} must be ASCII: byte ${index} is ${hex}; allowUnicodeKeys: true permits it`
      : `${name} must not hold whitespace or control characters: byte ${index} is ${hex}`,
  );
}

function toBytes(part: unknown, name: string): Buffer {
  if (isBytes(part)) return asBuffer(part);
  if (typeof part !== 'string') {
    throw new MemcacheIllegalInputError(
      `${name} must be a string, a Uint8Array${name === 'key' ? ' or a pair [routingKey, key] of these' : ''}${Array.isArray(part) ? '; several keys are for getMany' : ''}`,
    );
  }
  // Every lone surrogate would become the same three bytes: two different keys would be one.
  if (!part.isWellFormed()) throw new MemcacheIllegalInputError(`${name} must be a well-formed string: it holds a lone surrogate`);
  return Buffer.from(part);
}
