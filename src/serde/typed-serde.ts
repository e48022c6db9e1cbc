import { utf8Slice } from '../protocol/bytes';
import type { Serde, SerializedValue } from './serde';
export type CacheValue = string | number | bigint | boolean | null | object;
export class TypedSerde implements Serde<CacheValue> {
  serialize(value: CacheValue): SerializedValue {
    if (typeof value === 'string') return { data: value, flags: 16 };
    if (value instanceof Uint8Array) return { data: value, flags: 0 };
    return { data: JSON.stringify(value), flags: 64 };
  }
  deserialize(data: Buffer, flags: number): CacheValue { return this.deserializeInPlace(data, 0, data.length, flags); }
  deserializeInPlace(b: Buffer, s: number, e: number, flags: number): CacheValue {
    if (flags === 16) return utf8Slice(b, s, e);
    if (flags === 64) return JSON.parse(utf8Slice(b, s, e)) as CacheValue;
    return Buffer.from(b.subarray(s, e));
  }
}
