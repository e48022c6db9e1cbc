const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** CRC-32 (IEEE) of `bytes`, one character per byte, as an unsigned integer; Node 20 has none before 20.15. */
export function crc32(bytes: string): number {
  let crc = -1;
  for (let i = 0; i < bytes.length; i++) crc = (crc >>> 8) ^ (TABLE[(crc ^ bytes.charCodeAt(i)) & 0xff] ?? 0);
  return ~crc >>> 0;
}
