import { latin1Slice, SHARE_FROM } from '../../protocol/bytes';

/**
 * A stored value. Short values are strings of one character per byte, which the garbage collector can move together; a Buffer
 * each would cost twice the memory, or pin its neighbours' pool. From {@link BUFFER_FROM} bytes on it is a Buffer in memory of
 * its own, which is never written to again: V8 frees that sooner than memory of its heap.
 */
export type StoredValue = string | Buffer;

/** The cas number of an item: a `bigint` only if a client set one beyond 2^53. */
export type Cas = number | bigint;

/** Values of at least this many bytes are kept as a Buffer. */
export const BUFFER_FROM = 1024;

/** The item has been fetched since it was stored. */
export const FETCHED = 1;
/** The item has been invalidated, but may still be served. */
export const STALE = 2;
/** A reader has been told to refill the item. */
export const WON = 4;
/** The key came in base64, and is shown in base64. */
export const BINARY_KEY = 8;
/** The value ends in whitespace that a counter was padded with when it became shorter. */
export const PADDED = 16;
/** All of these; the higher bits of {@link Item.marks} belong to the walk over the items. */
export const MARKS = FETCHED | STALE | WON | BINARY_KEY | PADDED;

/** What memcached 1.6 adds to key, value and flags: its item header, the cas number, and the ends of key and value. */
const HEADER_SIZE = 48;
const CAS_SIZE = 8;
const FLAGS_SIZE = 4;
const ENDS_SIZE = 3;

/** The size of an item in bytes by memcached's formula: `me` reports it, and the item size limit applies to it. */
export function itemSize(keyLength: number, valueLength: number, flags: number, withCas: boolean): number {
  return (
    HEADER_SIZE + ENDS_SIZE + keyLength + valueLength + (flags === 0 ? 0 : FLAGS_SIZE) + (withCas ? CAS_SIZE : 0)
  );
}

/** The size of an item of a store, as {@link itemSize} has it. */
export function sizeOf({ key, value, flags }: Item, withCas: boolean): number {
  return itemSize(key.length, value.length, flags, withCas);
}

/** `buffer[start, end)` as a value that may be kept; `owned` means that nobody else will write to the buffer. */
export function storedValue(buffer: Buffer, start: number, end: number, owned: boolean): StoredValue {
  if (end - start < BUFFER_FROM) return latin1Slice(buffer, start, end);
  if (owned && end - start >= SHARE_FROM) return buffer.subarray(start, end);
  // Not from Buffer's pool, which is freed only as a whole.
  const bytes = Buffer.allocUnsafeSlow(end - start);
  buffer.copy(bytes, 0, start, end);
  return bytes;
}

/** The bytes of a value; not to be written to. */
export function valueBytes(value: StoredValue): Buffer {
  return typeof value === 'string' ? Buffer.from(value, 'latin1') : value;
}

/** The bytes of a value as text, one character each. */
export function valueText(value: StoredValue): string {
  return typeof value === 'string' ? value : latin1Slice(value, 0, value.length);
}

/** `text`, one character per byte, as a value. */
export function textValue(text: string): StoredValue {
  if (text.length < BUFFER_FROM) return text;
  const bytes = Buffer.allocUnsafeSlow(text.length);
  bytes.write(text, 'latin1');
  return bytes;
}

/** `text`, one character per byte, filled up with spaces to this many bytes. */
export function paddedValue(text: string, length: number): StoredValue {
  if (length < BUFFER_FROM) return text.padEnd(length);
  const bytes = Buffer.allocUnsafeSlow(length).fill(' ');
  bytes.write(text, 'latin1');
  return bytes;
}

/** `first` followed by `second`, as one value. */
export function joinValues(first: StoredValue, second: StoredValue): StoredValue {
  const joined = Buffer.concat([valueBytes(first), valueBytes(second)]);
  return storedValue(joined, 0, joined.length, true);
}

/** One stored item. It belongs to its store: others may read it until they return to the event loop. */
export class Item {
  /** One character per byte. */
  readonly key: string;
  value: StoredValue;
  /** The client's 32 bits. */
  flags: number;
  /** New for every change; 0 when the store has none. */
  cas: Cas = 0;
  /** In milliseconds of the store's time; 0 for never. */
  deadline: number;
  /** Last access, in whole seconds of the store's time. */
  accessed = 0;
  /** FETCHED, STALE, WON, BINARY_KEY, PADDED, and the stamp of a walk. Only the store changes them. */
  marks: number;
  /** Place in the heap of deadlines, -1 when not there. */
  heapIndex = -1;
  newer: Item | undefined = undefined;
  older: Item | undefined = undefined;

  constructor(key: string, value: StoredValue, flags: number, deadline: number, marks: number) {
    this.key = key;
    this.value = value;
    this.flags = flags;
    this.deadline = deadline;
    this.marks = marks;
  }
}
