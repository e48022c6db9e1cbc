/**
 * Another codec for a `CompressedSerde`: an object of two synchronous functions. Brotli packs text more tightly than zlib's
 * format does and takes longer for it; node:zlib also stops by itself at the most bytes it may put out.
 *
 * Whoever reads these values needs the same codec: Python reads those of the default codec only.
 */
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';
import { Client, CompressedSerde, TypedSerde, type Codec } from 'tsmemcache';
import { MemcachedServer } from 'tsmemcache/server';

export const brotli: Codec = {
  compress: (data) => brotliCompressSync(data, { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } }),
  decompress: (data, maxOutput) => brotliDecompressSync(data, { maxOutputLength: maxOutput }),
};

export async function main(print: (line: string) => void = console.log): Promise<void> {
  const server = await MemcachedServer.start();
  const orders = Array.from({ length: 500 }, (_, id) => ({ id, customer: `customer ${id % 37}`, items: ['apples', 'pears'], paid: id % 3 > 0 }));

  const serdes = {
    plain: new TypedSerde(),
    zlib: new CompressedSerde(new TypedSerde()),
    brotli: new CompressedSerde(new TypedSerde(), { codec: brotli }),
  };
  for (const [name, serde] of Object.entries(serdes)) {
    const client = new Client(server.address, { serde });
    const key = `orders:${name}`;
    await client.set(key, orders);
    const item = await client.metaGet(key, { value: false, size: true });
    const read = await client.get(key);
    const same = JSON.stringify(read) === JSON.stringify(orders);
    print(`${name.padEnd(6)} ${String(item?.size).padStart(6)} bytes, ${same ? 'read back as stored' : 'NOT the same'}`);
    await client.close();
  }
  await server.close();
}

if (process.argv[1]?.endsWith('custom-codec.ts')) void main();
