import { MemcacheSerdeError } from '../../errors';

/** A pickle that cannot be read; `why` must not quote its contents. */
export function malformed(why: string): MemcacheSerdeError {
  return new MemcacheSerdeError(`the pickle cannot be read: ${why}`, { certainty: 'executed' });
}
