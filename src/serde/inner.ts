/** A serde that another one wraps. */
import { MemcacheIllegalInputError } from '../errors';
import { hasMethods } from '../options/rule';
import { copyOf } from '../protocol/bytes';
import type { MISS, Serde } from './serde';

/** @throws MemcacheIllegalInputError when `inner` is not a serde */
export function checkInner<Out, In>(inner: Serde<Out, In>): Serde<Out, In> {
  if (hasMethods(inner, 'serialize', 'deserialize')) return inner;
  throw new MemcacheIllegalInputError('inner must be a serde, for example new JsonSerde()');
}

/** Reads bytes that will be overwritten, by a serde that may not be able to read them in place. */
export function deserializeInner<Out>(inner: Serde<Out, never>, buffer: Buffer, start: number, end: number, flags: number, key: string): Out | typeof MISS {
  if (inner.deserializeInPlace) return inner.deserializeInPlace(buffer, start, end, flags, key);
  return inner.deserialize(copyOf(buffer, start, end), flags, key);
}
