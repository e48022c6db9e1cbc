/** A way to compress: two synchronous functions, which must not keep the bytes they are given. */
export interface Codec {
  /** The bytes to be stored. */
  compress(data: Uint8Array): Uint8Array;
  /**
   * The bytes that `compress` was given. It must throw for bytes that `compress` never returned, and before it has produced
   * more than `maxOutput` bytes: the input may come from anywhere.
   */
  decompress(data: Uint8Array, maxOutput: number): Uint8Array;
}
