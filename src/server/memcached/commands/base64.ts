/** Binary keys travel as base64. */

import { latin1Slice } from '../../../protocol/bytes';

/** `key`, one character per byte, in base64. */
export function encodeBase64(key: string): string {
  return Buffer.from(key, 'latin1').toString('base64');
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/**
 * Decodes base64 as memcached does: other characters are skipped, what is left must be whole groups of four, and
 * the first padded group is the last.
 *
 * @returns the bytes, one character each; an empty string when it cannot be decoded
 */
export function decodeBase64(text: string): string {
  const digits = Array.from(text).filter((digit) => digit === '=' || ALPHABET.includes(digit));
  if (digits.length === 0 || digits.length % 4 !== 0) return '';
  const bytes: number[] = [];
  for (let i = 0; i < digits.length; i += 4) {
    const group = digits.slice(i, i + 4);
    const bits = group.reduce((sum, digit) => sum * 64 + Math.max(0, ALPHABET.indexOf(digit)), 0);
    const padding = group.filter((digit) => digit === '=').length;
    if (padding > 2) return '';
    bytes.push(...[(bits >> 16) & 255, (bits >> 8) & 255, bits & 255].slice(0, 3 - padding));
    if (padding > 0) break;
  }
  const decoded = Buffer.from(bytes);
  return latin1Slice(decoded, 0, decoded.length);
}
