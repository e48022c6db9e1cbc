import { MemcacheSerdeError } from '../errors';
import type { MISS, Serde, SerializedValue } from './serde';
export function serializeValue<In>(serde: Serde<unknown, In>, value: In, key: string, verb: string): SerializedValue {
  try { return serde.serialize(value, key); } catch (cause) { throw new MemcacheSerdeError('ser', { cause, command: verb }); }
}
export function deserializeValue<Out>(serde: Serde<Out, never>, buffer: Buffer, start: number, end: number, owned: boolean, flags: number, key: string, verb: string): Out | typeof MISS {
  try {
    if (serde.deserializeInPlace !== undefined) return serde.deserializeInPlace(buffer, start, end, flags, key);
    const s = buffer.subarray(start, end);
    return serde.deserialize(owned ? s : Buffer.from(s), flags, key);
  } catch (cause) { throw new MemcacheSerdeError('de', { cause, command: verb, certainty: 'executed' }); }
}
