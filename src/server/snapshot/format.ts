import { BINARY_KEY, PADDED, STALE } from '../engine/item';

/*
 * The bytes of a snapshot; docs/persistence.md has them as a table. Numbers are little-endian, and numbers of 64 bits
 * are doubles that hold whole numbers, but for the cas of an item.
 *
 *     file    = header block* footer
 *     header  = magic (8) version (u32) savedAt (f64) lastCas (f64) flushAt (f64) checksum (u32)
 *     block   = length of the records in it, not 0 (u32) records checksum (u32)
 *     footer  = 0 (u32) number of records (f64) checksum (u32)
 *     record  = key length (u32) value length (u32) flags (u32) marks (u8) cas (u64) deadline (f64) accessed (f64)
 *               key value
 *
 * Each checksum is the CRC-32 of all bytes of the file before it, other checksums left out. A record that does not fit
 * a block continues in the next ones; its head is never divided.
 */

export const MAGIC = Buffer.from('TSMCSNAP', 'latin1');
export const VERSION = 2;
/** In files of this version the cas is a double too; they can still be read. */
export const OLDER_VERSION = 1;

/** The sizes of its parts, in bytes. */
export const SIZE = {
  version: 4,
  header: 40,
  length: 4,
  checksum: 4,
  recordHead: 37,
  /** The number of records in the footer, without the zero before it and the checksum. */
  count: 8,
  /** The most bytes of records in a block, so that readers need no more memory for one. */
  fullBlock: 64 * 1024,
} as const;

/** The marks that are saved. FETCHED and WON are not: they concern the clients of one run. */
export const SAVED_MARKS = STALE | BINARY_KEY | PADDED;

/** What is saved of a store besides its items. Times are in milliseconds since 1970. */
export interface SnapshotHeader {
  /** The moment that the snapshot shows. */
  readonly savedAt: number;
  /** The store's last cas number. */
  readonly lastCas: number;
  /** When everything is to be removed; 0 for never. */
  readonly flushAt: number;
}

/** A snapshot that cannot be trusted, of which nothing is used: damaged, cut short, or not a snapshot at all. */
export class SnapshotError extends Error {
  /** The file. */
  readonly path: string;
  /** Where in the file the wrong part begins, in bytes. */
  readonly offset: number;

  constructor(path: string, problem: string, offset: number) {
    super(`snapshot ${path}: ${problem} (at byte ${offset})`);
    this.name = 'SnapshotError';
    this.path = path;
    this.offset = offset;
  }
}
