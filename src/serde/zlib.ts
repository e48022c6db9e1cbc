/** The zlib format (RFC 1950), which Python's `zlib` module writes and reads. */
import type * as fflate from 'fflate';
import type * as zlib from 'node:zlib';
import { MemcacheSerdeError } from '../errors';
import { option } from '../options/option';
import { isObject, wholeNumber } from '../options/rule';
import { copyOf } from '../protocol/bytes';
import type { Codec } from './codec';
import { unreadable } from './unreadable';

/** How hard fflate tries, from 0 (not at all) to 9. */
export type CompressionLevel = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;

/** The option `maxOutput` of all serdes that decompress. */
export const MAX_OUTPUT = option(wholeNumber(0, 2 ** 30, 'bytes'), 64 * 1024 * 1024);

/** fflate writes, node:zlib reads: fflate takes a value that was cut short or has bytes after its end, and cannot be stopped in time. */
export function zlibCodec(level: CompressionLevel): Codec {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- loaded on first use: importing it takes 14 ms
  const { zlibSync } = require('fflate') as typeof fflate;
  return { compress: (data) => zlibSync(data, { level }), decompress: readZlib };
}

/** The option `info` adds the engine, which knows how much it has read. */
interface Inflated {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}

/** How much memory is taken at a time, at most; most values need no more than one such piece. */
const MAX_CHUNK = 65_536;

/**
 * Reads what zlib or any other compressor of its format wrote.
 *
 * @returns memory that nobody else has
 * @throws MemcacheSerdeError unless `data` is exactly one such stream, with the checksum of its contents, that holds no more than
 *   `maxOutput` bytes; it is stopped before it takes much more than that
 */
export function readZlib(data: Uint8Array, maxOutput: number): Buffer {
  const { buffer, engine } = inflate(data, maxOutput);
  if (engine.bytesWritten !== data.length) throw corrupt();
  if (buffer.length > maxOutput) throw tooLarge(maxOutput);
  return buffer.length === buffer.buffer.byteLength ? buffer : copyOf(buffer, 0, buffer.length);
}

function inflate(data: Uint8Array, maxOutput: number): Inflated {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- loaded on first use, like fflate
  const { inflateSync } = require('node:zlib') as typeof zlib;
  const chunkSize = Math.min(MAX_CHUNK, Math.max(1024, 8 * data.length));
  try {
    // It takes no limit of 0.
    const inflated: unknown = inflateSync(data, { info: true, maxOutputLength: Math.max(1, maxOutput), chunkSize });
    return inflated as Inflated;
  } catch (error) {
    switch (isObject(error) && 'code' in error && error.code) {
      case 'ERR_BUFFER_TOO_LARGE':
        throw tooLarge(maxOutput);
      case 'Z_BUF_ERROR':
        throw unreadable('the compressed value is cut short', error);
      default:
        throw corrupt(error);
    }
  }
}

function corrupt(cause?: unknown): MemcacheSerdeError {
  return unreadable('the compressed value is corrupt, or not in the format of zlib: another program may compress otherwise', cause);
}

function tooLarge(maxOutput: number): MemcacheSerdeError {
  return unreadable(`the value is larger than ${maxOutput} bytes when decompressed (maxOutput)`);
}
