import { MemcacheSerdeError } from '../errors';

/** The error for a value that the server has sent and that cannot be read. The message must not quote it. */
export function unreadable(message: string, cause?: unknown): MemcacheSerdeError {
  return new MemcacheSerdeError(message, { certainty: 'executed', cause });
}

/** The error for bytes that are not what the flags beside them say; `kind` follows "as". */
export function misflagged(kind: string): MemcacheSerdeError {
  return unreadable(`the item is flagged as ${kind}, but is not`);
}
