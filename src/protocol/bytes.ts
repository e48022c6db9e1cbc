/** Reading text and numbers out of bytes. */
import * as encodings from 'node:buffer';
import { isUint8Array } from 'node:util/types';
import { Ascii } from './ascii';

/** Three methods that every Node `Buffer` has and its type does not name; `toString` with a range, and `write`, cost 30 ns more per call. */
interface SlicingBuffer {
  latin1Slice(start: number, end: number): string;
  utf8Slice(start: number, end: number): string;
  latin1Write(text: string, start: number, length: number): number;
}

/** `buffer[start, end)` as text of one character per byte. */
export function latin1Slice(buffer: Buffer, start: number, end: number): string {
  return (buffer as Buffer & SlicingBuffer).latin1Slice(start, end);
}

/** Writes `text`, one character per byte, to the beginning of `buffer`, which must have room for it. */
export function latin1Write(buffer: Buffer, text: string): void {
  (buffer as Buffer & SlicingBuffer).latin1Write(text, 0, text.length);
}

/**
 * Node 20 and 22 take 3.5 ns for each byte of text that is not ASCII; by way of UTF-16 it is 0.25. ASCII takes a quarter less when it is known
 * as such. To look for it pays from 2 KB on: 60 KB of Cyrillic took 181 µs, and takes 13. Bun before 1.3 has no `transcode`.
 */
const SLOW_UTF8 = process.version < 'v24' && typeof encodings.transcode === 'function';
const LONG_TEXT = 2048;

/** `buffer[start, end)` as UTF-8 text. */
export function utf8Slice(buffer: Buffer, start: number, end: number): string {
  if (SLOW_UTF8 && end - start >= LONG_TEXT) {
    const text = buffer.subarray(start, end);
    if (encodings.isAscii(text)) return latin1Slice(buffer, start, end);
    if (encodings.isUtf8(text)) return encodings.transcode(text, 'utf8', 'ucs2').toString('ucs2');
  }
  return (buffer as Buffer & SlicingBuffer).utf8Slice(start, end);
}

/** Whether it is a Uint8Array of any realm: where jest gives tests a browser's globals, a Buffer is none of theirs. */
export const isBytes: (value: unknown) => value is Uint8Array = isUint8Array;

/** The same memory as a Buffer. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A copy of `buffer[start, end)`; `Buffer.from(buffer.subarray(start, end))` would make one more object, a tenth of `executeMeta`. */
export function copyOf(buffer: Buffer, start: number, end: number): Buffer {
  const copy = Buffer.allocUnsafe(end - start);
  buffer.copy(copy, 0, start, end);
  return copy;
}

/** A part of owned memory is kept as it is from this many bytes on. A smaller one is copied: it would pin all of that memory. */
export const SHARE_FROM = 4096;

/**
 * `buffer[start, end)` in memory that nobody else writes to.
 *
 * @param owned whether nobody else writes to `buffer`
 */
export function kept(buffer: Buffer, start: number, end: number, owned: boolean): Buffer {
  return owned && end - start >= SHARE_FROM ? buffer.subarray(start, end) : copyOf(buffer, start, end);
}

/**
 * How much to allocate for something of which `length` bytes have arrived.
 *
 * @param size of all of it, where it is known: what was announced is never allocated far beyond what arrived; 0 where it is not
 * @param ahead how far, in bytes
 */
export function roomFor(length: number, size: number, ahead: number): number {
  return size === 0 ? Math.max(length * 2, LEAST_ROOM) : Math.max(length, Math.min(size, Math.max(length * 2, ahead)));
}

const LEAST_ROOM = 256;

/** A buffer of `size` bytes that begins with the first `length` of `buffer`. */
export function enlarged(buffer: Buffer, length: number, size: number): Buffer {
  const larger = Buffer.allocUnsafe(size);
  buffer.copy(larger, 0, 0, length);
  return larger;
}

/**
 * Reads `buffer[start, end)` as an unsigned decimal number: digits only, no sign, no space.
 *
 * @returns -1 when it is empty, has a character that is not a digit, or has more than 15 digits (so 2^53 is never reached).
 */
export function readDecimal(buffer: Uint8Array, start: number, end: number): number {
  if (start >= end || end - start > 15) return -1;
  let value = 0;
  for (let i = start; i < end; i++) {
    const digit = (buffer[i] ?? 0) - Ascii.Zero;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/** Where the token that begins at `start` ends: at the next space, or at `end`. */
export function tokenEnd(buffer: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && buffer[at] !== Ascii.Space) at++;
  return at;
}

/** To make a string of more bytes than this is faster than to look at each: a get of a key of 100 takes a tenth less, of 240 a quarter. */
const LONG_TEXT_TO_COMPARE = 32;

/** Whether `buffer[start, end)` is `text`, one byte per character. */
export function isText(buffer: Buffer, start: number, end: number, text: string): boolean {
  if (text.length !== end - start) return false;
  if (text.length > LONG_TEXT_TO_COMPARE) return latin1Slice(buffer, start, end) === text;
  for (let i = 0; i < text.length; i++) if (buffer[start + i] !== text.charCodeAt(i)) return false;
  return true;
}

/** Whether `text` is an unsigned decimal number that fits 64 bits. */
export function isUint64(text: string): boolean {
  return /^[0-9]{1,20}$/.test(text) && (text.length < 20 || text <= '18446744073709551615');
}
