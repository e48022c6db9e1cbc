import { MemcacheSerdeError } from '../errors';
import { utf8Slice } from '../protocol/bytes';
import { FLAG_TEXT } from './flags';
import type { Serde, SerializedValue } from './serde';

/** Strings only, as UTF-8. It reads every item as a string, whatever its flags. */
export class StringSerde implements Serde<string> {
  serialize(value: string): SerializedValue {
    if (typeof value !== 'string') throw new MemcacheSerdeError(`a StringSerde stores strings, not a value of type ${typeof value}`);
    return { data: checkWellFormed(value), flags: FLAG_TEXT };
  }

  deserialize(data: Buffer): string {
    return utf8Slice(data, 0, data.length);
  }

  deserializeInPlace(buffer: Buffer, start: number, end: number): string {
    return utf8Slice(buffer, start, end);
  }
}

/** @throws MemcacheSerdeError for a string with lone surrogates, which UTF-8 cannot carry: it would come back changed */
export function checkWellFormed(text: string): string {
  if (!text.isWellFormed()) {
    throw new MemcacheSerdeError('the string holds a lone surrogate, which UTF-8 cannot carry; store it as JSON or bytes');
  }
  return text;
}
