/**
 * Bob Jenkins' one-at-a-time hash of `bytes`, one character per byte, as libmemcached computes it: C's `char` is signed on the
 * platforms where it runs, so bytes from 0x80 on count as negative.
 */
export function oneAtATime(bytes: string): number {
  let hash = 0;
  for (let i = 0; i < bytes.length; i++) {
    hash = (hash + ((bytes.charCodeAt(i) << 24) >> 24)) | 0;
    hash = (hash + (hash << 10)) | 0;
    hash ^= hash >>> 6;
  }
  hash = (hash + (hash << 3)) | 0;
  hash ^= hash >>> 11;
  return (hash + (hash << 15)) >>> 0;
}
