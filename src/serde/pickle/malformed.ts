import { MemcacheSerdeError } from '../../errors';
import { unreadable } from '../unreadable';

/** A pickle that cannot be read; `why` must not quote its contents. */
export function malformed(why: string): MemcacheSerdeError {
  return unreadable(`the pickle cannot be read: ${why}`);
}
