import { MemcacheSerdeError } from '../../errors';

/** Compressed bytes that no compressor wrote. */
export function corrupt(): MemcacheSerdeError {
  return new MemcacheSerdeError('the compressed value is corrupt', { certainty: 'executed' });
}

/** Compressed bytes that end too early. */
export function truncated(): MemcacheSerdeError {
  return new MemcacheSerdeError('the compressed value is cut short', { certainty: 'executed' });
}
