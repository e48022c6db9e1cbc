import { MemcacheSerdeError } from '../../errors';

/** A pickle that cannot be read; `why` says nothing of what is in it. */
export function malformed(why: string): MemcacheSerdeError {
  return new MemcacheSerdeError(`the pickle cannot be read: ${why}`, { certainty: 'executed' });
}
