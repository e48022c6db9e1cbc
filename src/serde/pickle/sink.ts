/** Bytes that are written one after the other into a buffer that grows. */
export class PickleSink {
  #buffer = Buffer.allocUnsafe(256);
  #length = 0;

  /** Makes room for `count` bytes, and returns where they begin. */
  #grow(count: number): number {
    const start = this.#length;
    this.#length += count;
    if (this.#length > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(2 * this.#buffer.length, this.#length));
      this.#buffer.copy(larger, 0, 0, start);
      this.#buffer = larger;
    }
    return start;
  }

  /** Characters of one byte: opcodes, and what Python writes in ASCII. */
  ascii(text: string): void {
    const start = this.#grow(text.length);
    this.#buffer.write(text, start, 'latin1');
  }

  uint8(value: number): void {
    const start = this.#grow(1);
    this.#buffer[start] = value;
  }

  uint16(value: number): void {
    const start = this.#grow(2);
    this.#buffer.writeUInt16LE(value, start);
  }

  /** A signed number, in two's complement. */
  int32(value: number): void {
    const start = this.#grow(4);
    this.#buffer.writeInt32LE(value | 0, start);
  }

  double(value: number): void {
    const start = this.#grow(8);
    this.#buffer.writeDoubleBE(value, start);
  }

  /** Text as UTF-8, with its length in front; it must not hold a lone half of a surrogate pair. */
  text(text: string): void {
    const start = this.#grow(4 + text.length * 3);
    const length = this.#buffer.write(text, start + 4);
    this.#buffer.writeUInt32LE(length, start);
    this.#length = start + 4 + length;
  }

  bytes(bytes: Uint8Array): void {
    const start = this.#grow(bytes.length);
    this.#buffer.set(bytes, start);
  }

  end(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }
}
