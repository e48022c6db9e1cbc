import { MemcacheSerdeError } from '../errors';
import { FLAG_BYTES } from './flags';
import type { Serde, SerializedValue } from './serde';
import { isBytes } from '../protocol/bytes';

/** Bytes as they are, with flags 0; a string is stored as its UTF-8 bytes. It reads every item as a Buffer, whatever its flags. */
export class RawSerde implements Serde<Buffer, Uint8Array | string> {
  serialize(value: Uint8Array | string): SerializedValue {
    if (typeof value !== 'string' && !isBytes(value)) {
      throw new MemcacheSerdeError(`a RawSerde stores bytes or strings, not a value of type ${typeof value}`);
    }
    return { data: value, flags: FLAG_BYTES };
  }

  deserialize(data: Buffer): Buffer {
    return data;
  }
}
