import { open, stat, type FileHandle } from 'node:fs/promises';
import { MemcacheIllegalInputError } from '../../errors';
import { latin1Slice } from '../../protocol/bytes';
import { crc32Bytes } from '../../runtime/crc32';
import { Item, storedValue, type Cas } from '../engine/item';
import { MAGIC, OLDER_VERSION, SAVED_MARKS, SIZE, SnapshotError, VERSION, type SnapshotHeader } from './format';

/** A snapshot as it was read: complete, every checksum right. */
export interface Snapshot {
  readonly header: SnapshotHeader;
  /** In the order of the file. Deadline and last access are in milliseconds since 1970. */
  readonly items: Item[];
}

/**
 * Reads a snapshot.
 *
 * @throws SnapshotError when anything in it is wrong; the system's error when the file cannot be read;
 *   MemcacheIllegalInputError when it is not a file, but a pipe, a device or a folder; the reason of `signal` when that was aborted
 */
export async function readSnapshot(path: string, signal?: AbortSignal): Promise<Snapshot> {
  // Looked at first: a pipe without a writer would block one of Node's few threads for ever, and a socket cannot be opened at all.
  if (!(await stat(path)).isFile()) throw new MemcacheIllegalInputError(`file must be a regular file, or not be there yet; ${path} is something else`);
  const file = await open(path);
  try {
    const { size } = await file.stat();
    return await new SnapshotReader(path, file, size, signal).read();
  } finally {
    await file.close();
  }
}

/** A record whose rest is in later blocks. */
interface Unfinished {
  readonly record: Buffer;
  used: number;
}

class SnapshotReader {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #size: number;
  readonly #signal: AbortSignal | undefined;
  /** One block at a time. */
  readonly #buffer: Buffer;
  readonly #items: Item[] = [];
  #version = VERSION;
  /** Where the part that is being read begins. */
  #partAt = 0;
  #offset = 0;
  #crc = 0;
  #unfinished: Unfinished | undefined;

  constructor(path: string, file: FileHandle, size: number, signal: AbortSignal | undefined) {
    this.#path = path;
    this.#file = file;
    this.#size = size;
    this.#signal = signal;
    this.#buffer = Buffer.allocUnsafeSlow(Math.min(size, SIZE.fullBlock + SIZE.checksum));
  }

  async read(): Promise<Snapshot> {
    const header = await this.#readHeader();
    for (;;) {
      this.#signal?.throwIfAborted();
      this.#partAt = this.#offset;
      const length = (await this.#next(SIZE.length)).readUInt32LE();
      if (length === 0) break;
      if (length > SIZE.fullBlock) this.#refuse(`a block of ${length} bytes is not possible`);
      this.#readRecords(await this.#nextChecked(length));
    }
    const count = (await this.#nextChecked(SIZE.count)).readDoubleLE();
    if (this.#unfinished !== undefined) this.#refuse('the last item has no end');
    if (count !== this.#items.length) this.#refuse(`${count} items are announced, ${this.#items.length} are there`);
    if (this.#offset !== this.#size) this.#refuse('something follows the end');
    return { header, items: this.#items };
  }

  async #readHeader(): Promise<SnapshotHeader> {
    const bytes = await this.#next(MAGIC.length + SIZE.version);
    if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) this.#refuse('not a snapshot');
    const version = bytes.readUInt32LE(MAGIC.length);
    if (version !== VERSION && version !== OLDER_VERSION) {
      this.#refuse(`version ${version} of the format is not known, only ${OLDER_VERSION} and ${VERSION}`);
    }
    this.#version = version;
    const rest = await this.#nextChecked(SIZE.header - MAGIC.length - SIZE.version - SIZE.checksum);
    return {
      savedAt: this.#wholeNumber(rest, 0),
      lastCas: this.#wholeNumber(rest, 8),
      flushAt: this.#wholeNumber(rest, 16),
    };
  }

  #readRecords(block: Buffer): void {
    let at = this.#unfinished === undefined ? 0 : this.#complete(this.#unfinished, block);
    while (at < block.length) {
      if (block.length - at < SIZE.recordHead) this.#refuse('the head of an item is divided');
      const length = SIZE.recordHead + block.readUInt32LE(at) + block.readUInt32LE(at + 4);
      if (length > block.length - at) {
        // No memory is allocated for more bytes than the file has.
        if (length > this.#size - this.#partAt) this.#refuse('an item is longer than the file');
        const record = Buffer.allocUnsafeSlow(length);
        this.#unfinished = { record, used: block.copy(record, 0, at) };
        return;
      }
      this.#add(block, at, false);
      at += length;
    }
  }

  /** Takes what an unfinished record still needs, and returns where in the block it ends. */
  #complete(unfinished: Unfinished, block: Buffer): number {
    const copied = block.copy(unfinished.record, unfinished.used);
    unfinished.used += copied;
    if (unfinished.used === unfinished.record.length) {
      this.#unfinished = undefined;
      this.#add(unfinished.record, 0, true);
    }
    return copied;
  }

  /** @param own whether the bytes belong to this record alone, and may be kept */
  #add(bytes: Buffer, at: number, own: boolean): void {
    const keyAt = at + SIZE.recordHead;
    const valueAt = keyAt + bytes.readUInt32LE(at);
    const end = valueAt + bytes.readUInt32LE(at + 4);
    const item = new Item(
      latin1Slice(bytes, keyAt, valueAt),
      storedValue(bytes, valueAt, end, own),
      bytes.readUInt32LE(at + 8),
      this.#wholeNumber(bytes, at + 21),
      bytes.readUInt8(at + 12) & SAVED_MARKS,
    );
    item.cas = this.#version === OLDER_VERSION ? this.#wholeNumber(bytes, at + 13) : readCas(bytes, at + 13);
    item.accessed = this.#wholeNumber(bytes, at + 29);
    this.#items.push(item);
  }

  #wholeNumber(bytes: Buffer, at: number): number {
    const number = bytes.readDoubleLE(at);
    if (!Number.isSafeInteger(number) || number < 0) this.#refuse(`${number} is not a whole number`);
    return number;
  }

  /** The next bytes, which are followed by their checksum; throws when that is wrong. */
  async #nextChecked(length: number): Promise<Buffer> {
    const bytes = await this.#next(length + SIZE.checksum, length);
    if (bytes.readUInt32LE(length) !== this.#crc) this.#refuse('wrong checksum');
    return bytes.subarray(0, length);
  }

  /** The next bytes, valid until the next call; the first `covered` of them go into the checksum. */
  async #next(length: number, covered = length): Promise<Buffer> {
    if (length > this.#size - this.#offset) this.#refuse(`cut short, the file has ${this.#size} bytes`);
    const bytes = this.#buffer.subarray(0, length);
    for (let done = 0; done < length; ) {
      const { bytesRead } = await this.#file.read(bytes, done, length - done, this.#offset + done);
      if (bytesRead === 0) this.#refuse('cut short while it was read');
      done += bytesRead;
    }
    this.#offset += length;
    this.#crc = crc32Bytes(bytes, 0, covered, this.#crc);
    return bytes;
  }

  #refuse(problem: string): never {
    throw new SnapshotError(this.#path, problem, this.#partAt);
  }
}

function readCas(bytes: Buffer, at: number): Cas {
  const number = bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32;
  return Number.isSafeInteger(number) ? number : bytes.readBigUInt64LE(at);
}
