import { MemcacheSerdeError } from '../errors';

/** The error for a value that the server has sent and that cannot be read. The message must not quote it. */
export function unreadable(message: string, cause?: unknown): MemcacheSerdeError {
  return new MemcacheSerdeError(message, { certainty: 'executed', cause });
}
