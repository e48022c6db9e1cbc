import {
  MemcacheClientError,
  MemcacheInexactNumberError,
  MemcachePartialError,
  MemcacheSerdeError,
  MemcacheServerError,
  MemcacheUnknownCommandError,
} from '../../errors';
import { isNoPlace } from '../../protocol/reply';

/**
 * Which failures spoil a connection: all that leave a doubt about the position in the stream. This is the only place
 * that decides it.
 *
 * - A serde's failure, a count too large for a number, or a part that is missing, comes after a reply that was read to its end:
 *   no doubt.
 * - `SERVER_ERROR …` stands for the whole reply and a refused block was swallowed: no doubt. Inside a reply of several
 *   parts it is a {@link BrokenReply}, which is not judged here.
 * - `CLIENT_ERROR …` or a bare `ERROR` to a line without a block (`cannot increment …`, an unknown command): no doubt.
 *   With a block, servers up to 1.6.18 go on to execute the data as commands.
 * - Anything that cannot be read, or was not asked for, and credentials that are refused: doubt.
 */
export function spoils(error: unknown, command: { readonly hasBlock: boolean; readonly rawUntil: unknown }): boolean {
  if (command.rawUntil !== undefined) return true;
  if (error instanceof MemcacheSerdeError || error instanceof MemcacheInexactNumberError || error instanceof MemcachePartialError) return false;
  if (error instanceof MemcacheServerError) return isNoPlace(error);
  if (error instanceof MemcacheUnknownCommandError && error.certainty === 'notSent') return false;
  if (error instanceof MemcacheClientError) return command.hasBlock;
  return true;
}

/** Whether an error in the reply to a line with several keys is a reason to ask for them one by one. */
export function isWorthRepeating(error: unknown): boolean {
  if (error instanceof MemcacheServerError) return !isNoPlace(error);
  return error instanceof MemcacheClientError && !(error instanceof MemcacheUnknownCommandError);
}
