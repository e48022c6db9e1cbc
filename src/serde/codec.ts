/** A way to compress: two synchronous functions, which must not keep the bytes they are given. */
export interface Codec {
  compress(data: Uint8Array): Uint8Array;
  /**
   * The bytes that `compress` was given. It throws for bytes that `compress` never returned, and before it has put out
   * more than `maxOutput` bytes: what it is given may come from anywhere.
   */
  decompress(data: Uint8Array, maxOutput: number): Uint8Array;
}
