import type { FileHandle } from 'node:fs/promises';
import { crc32Bytes } from '../../runtime/crc32';
import { valueBytes, type Cas } from '../engine/item';
import { copyState, type ItemState } from '../engine/walk';
import { MAGIC, SAVED_MARKS, SIZE, VERSION, type SnapshotHeader } from './format';

const BLOCK_END = SIZE.length + SIZE.fullBlock;

/** Writes a snapshot, a block at a time; other work gets its turn whenever a block goes to the file. */
export class SnapshotWriter {
  readonly #file: FileHandle;
  readonly #epoch: number;
  /** The present block, with room for its length and checksum. */
  readonly #block = Buffer.allocUnsafeSlow(BLOCK_END + SIZE.checksum);
  #end: number = SIZE.length;
  #crc = 0;
  #records = 0;

  /** @param epoch added to a deadline it gives a time of the wall clock */
  constructor(file: FileHandle, epoch: number) {
    this.#file = file;
    this.#epoch = epoch;
  }

  async begin({ savedAt, lastCas, flushAt }: SnapshotHeader): Promise<void> {
    const header = Buffer.alloc(SIZE.header);
    MAGIC.copy(header);
    header.writeUInt32LE(VERSION, 8);
    header.writeDoubleLE(savedAt, 12);
    header.writeDoubleLE(lastCas, 20);
    header.writeDoubleLE(flushAt, 28);
    await this.#writeChecked(header);
  }

  /**
   * Puts an item into the present block.
   *
   * @returns false when it does not fit: it must then be written by {@link putAcross}
   */
  put(item: ItemState): boolean {
    const { key, value } = item;
    const keyAt = this.#end + SIZE.recordHead;
    const end = keyAt + key.length + value.length;
    if (end > BLOCK_END) return false;
    this.#putHead(item);
    this.#block.write(key, keyAt, 'latin1');
    if (typeof value === 'string') this.#block.write(value, keyAt + key.length, 'latin1');
    else value.copy(this.#block, keyAt + key.length);
    this.#end = end;
    return true;
  }

  /** Puts an item into the next block, or into as many as it needs. */
  async putAcross(item: ItemState): Promise<void> {
    const state = copyState(item);
    await this.#flush();
    if (this.put(state)) return;
    this.#putHead(state);
    this.#end += SIZE.recordHead;
    for (const bytes of [Buffer.from(state.key, 'latin1'), valueBytes(state.value)]) {
      for (let at = 0; at < bytes.length; ) {
        if (this.#end === BLOCK_END) await this.#flush();
        const copied = bytes.copy(this.#block, this.#end, at, at + BLOCK_END - this.#end);
        at += copied;
        this.#end += copied;
      }
    }
  }

  /** Writes what is left, and the footer. */
  async finish(): Promise<void> {
    await this.#flush();
    const footer = Buffer.alloc(SIZE.length + SIZE.count + SIZE.checksum);
    footer.writeDoubleLE(this.#records, SIZE.length);
    await this.#writeChecked(footer);
  }

  #putHead({ key, value, flags, cas, deadline, accessed, marks }: ItemState): void {
    const block = this.#block;
    const at = this.#end;
    block.writeUInt32LE(key.length, at);
    block.writeUInt32LE(value.length, at + 4);
    block.writeUInt32LE(flags, at + 8);
    block.writeUInt8(marks & SAVED_MARKS, at + 12);
    writeCas(block, cas, at + 13);
    // 0 would be never.
    block.writeDoubleLE(deadline === 0 ? 0 : Math.max(1, this.#wallTime(deadline)), at + 21);
    block.writeDoubleLE(Math.max(0, this.#wallTime(accessed * 1000)), at + 29);
    this.#records++;
  }

  /**
   * A time of the store as one of the wall clock. Redis clients may set a deadline that is further away than a double counts
   * exactly, and the reader refuses such numbers: the last that is exact is 285 000 years away, which is as good as theirs.
   */
  #wallTime(time: number): number {
    return Math.min(time + this.#epoch, Number.MAX_SAFE_INTEGER);
  }

  async #flush(): Promise<void> {
    const length = this.#end - SIZE.length;
    if (length === 0) return;
    this.#block.writeUInt32LE(length, 0);
    await this.#writeChecked(this.#block.subarray(0, this.#end + SIZE.checksum));
    this.#end = SIZE.length;
  }

  /** Writes bytes whose last four are to be the checksum. */
  async #writeChecked(bytes: Buffer): Promise<void> {
    const end = bytes.length - SIZE.checksum;
    this.#crc = crc32Bytes(bytes, 0, end, this.#crc);
    bytes.writeUInt32LE(this.#crc, end);
    // `writeFile` repeats short writes, and continues where the last call ended.
    await this.#file.writeFile(bytes);
  }
}

function writeCas(block: Buffer, cas: Cas, at: number): void {
  if (typeof cas === 'bigint') {
    block.writeBigUInt64LE(cas, at);
    return;
  }
  block.writeUInt32LE(cas % TWO_32, at);
  block.writeUInt32LE(Math.floor(cas / TWO_32), at + 4);
}

const TWO_32 = 2 ** 32;
