/** A value as it is stored: its bytes (a string stands for its UTF-8 bytes) and the 32-bit flags kept beside it. */
export interface SerializedValue {
  /** The bytes of the value; a string is sent as UTF-8. */
  readonly data: string | Uint8Array;
  /** A whole number from 0 to 2^32 - 1, kept beside the value and given back when it is read. */
  readonly flags: number;
}

/** A `T` that takes no part in inference: `NoInfer`, for TypeScript before 5.4. */
export type Fixed<T> = [T][T extends unknown ? 0 : never];

/** A serde's reading methods return it for bytes that are to count as a miss. */
export const MISS: unique symbol = Symbol('tsmemcache.miss');

/**
 * Turns values into bytes and back, synchronously. `Out` is what reading returns, `In` what storing accepts.
 *
 * `key` is the caller's own key as a string, without prefix. What a serde throws reaches the caller of that one
 * operation as `MemcacheSerdeError` with the thrown value as `cause`.
 */
export interface Serde<Out, In = Out> {
  /**
   * The bytes and flags to store; the bytes must not change afterwards. `verb` is the command, of a meta command the mode:
   * with `append` and `prepend` the bytes are put beside those that are stored, whose flags stay.
   */
  serialize(value: In, key: string, verb?: string): SerializedValue;
  /** The value, or {@link MISS}. `data` belongs to the serde, which may keep it. */
  deserialize(data: Buffer, flags: number, key: string): Out | typeof MISS;
  /**
   * Optional, for speed: the same as `deserialize` for the bytes `buffer[start, end)`, which are overwritten
   * afterwards and so must not be kept. Used instead of `deserialize` when present: it saves a copy per value.
   */
  deserializeInPlace?(buffer: Buffer, start: number, end: number, flags: number, key: string): Out | typeof MISS;
}
