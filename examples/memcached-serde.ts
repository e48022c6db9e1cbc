/**
 * A serde for the time of a migration from the npm package `memcached`: it reads what that package has stored, and writes what
 * that package reads, so that processes with the one and with the other share a cache.
 *
 * It puts a backslash before CR and LF as that package does, which reads no value with CR LF in it: the call gets no answer, and
 * neither do those after it.
 */
import { Client, type CacheValue, type Serde } from 'tsmemcache';
import { MemcachedServer } from 'tsmemcache/server';

const STRING = 0;
const JSON_TEXT = 2;
const BYTES = 4;
const NUMBER = 8;

export const memcachedSerde: Serde<CacheValue> = {
  serialize(value) {
    if (typeof value === 'number') return { data: String(value), flags: NUMBER };
    const [text, flags] = written(value);
    return { data: text.replace(/[\r\n]/g, '\\$&'), flags };
  },
  deserialize(data, flags) {
    const text = data.toString().replace(/\\([\r\n])/g, '$1');
    switch (flags) {
      case STRING:
        return text;
      case JSON_TEXT:
        return JSON.parse(text) as CacheValue;
      case BYTES:
        return Buffer.from(text, 'latin1');
      case NUMBER:
        return Number(text);
      default:
        throw new TypeError(`memcached stores nothing with flags ${flags}`);
    }
  },
};

function written(value: CacheValue): [text: string, flags: number] {
  if (typeof value === 'string') return [value, STRING];
  if (value instanceof Uint8Array) return [Buffer.from(value).toString('latin1'), BYTES];
  return [JSON.stringify(value), JSON_TEXT];
}

export async function main(print: (line: string) => void = console.log): Promise<void> {
  const server = await MemcachedServer.start();
  const client = new Client(server.address, { serde: memcachedSerde });
  for (const value of ['two\r\nlines', 1.5, true, { name: 'Ada' }, Buffer.of(0, 10, 255)]) {
    await client.set('k', value);
    const item = await client.metaGet('k', { flags: true });
    print(`flags ${item?.flags}: ${JSON.stringify(item?.value)}`);
  }
  await client.close();
  await server.close();
}

if (process.argv[1]?.endsWith('memcached-serde.ts')) void main();
