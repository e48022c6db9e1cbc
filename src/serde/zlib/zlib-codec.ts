import type * as fflate from 'fflate';
import type { Codec } from '../codec';
import { corrupt, truncated } from './corrupt';
import { inflate } from './inflate';

/** How hard fflate tries, from 0 (not at all) to 9. */
export type CompressionLevel = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;

/** The zlib format, which Python's `zlib` module writes and reads. */
export function zlibCodec(level: CompressionLevel): Codec {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- loaded on first use: importing it takes 14 ms
  const { zlibSync } = require('fflate') as typeof fflate;
  return { compress: (data) => zlibSync(data, { level }), decompress: readZlib };
}

/**
 * Reads what zlib or any other compressor of its format wrote:
 * `zlib = CMF FLG deflate-stream adler32(4, big-endian)` (RFC 1950).
 *
 * @throws MemcacheSerdeError unless `data` is exactly that, with the checksum of its contents, and holds no more than `maxOutput` bytes
 */
export function readZlib(data: Uint8Array, maxOutput: number): Buffer {
  const [method, flags] = data;
  if (method === undefined || flags === undefined) throw truncated();
  const deflate = (method & 15) === 8 && method >>> 4 <= 7;
  const dictionary = (flags & 32) !== 0;
  if (!deflate || dictionary || (method * 256 + flags) % 31 !== 0) throw corrupt();
  const { output, end } = inflate(data, 2, maxOutput);
  if (data.length < end + 4) throw truncated();
  if (data.length > end + 4) throw corrupt();
  if (new DataView(data.buffer, data.byteOffset + end, 4).getUint32(0) !== adler32(output)) throw corrupt();
  return output;
}

/** This many bytes can be added up before the sums must be reduced to stay below 2^32. */
const ADLER_RUN = 5552;

function adler32(data: Uint8Array): number {
  let low = 1;
  let high = 0;
  for (let at = 0; at < data.length; ) {
    for (const end = Math.min(at + ADLER_RUN, data.length); at < end; at++) {
      low += data[at] ?? 0;
      high += low;
    }
    low %= 65_521;
    high %= 65_521;
  }
  return high * 65_536 + low;
}
