import {
  MemcacheAuthenticationError,
  MemcacheClientError,
  MemcacheInexactNumberError,
  MemcacheSerdeError,
  MemcacheServerError,
  MemcacheUnknownCommandError,
} from '../../errors';

/**
 * Which failures spoil a connection: all that leave a doubt about the position in the stream. This is the only place
 * that decides it.
 *
 * - A serde's failure, or a count too large for a number, happened after a reply that was read to its end: no doubt.
 * - `SERVER_ERROR …` stands for the whole reply and a refused block was swallowed: no doubt.
 * - `CLIENT_ERROR …` to a line without a block (`cannot increment …`): no doubt. With a block, servers up to
 *   1.6.18 go on to execute the data as commands.
 * - A bare `ERROR` may answer the block of an earlier line. Anything that cannot be read, or was not asked for: doubt.
 */
export function spoils(error: unknown, command: { readonly hasBlock: boolean; readonly rawUntil: unknown }): boolean {
  if (command.rawUntil !== undefined) return true;
  if (error instanceof MemcacheSerdeError || error instanceof MemcacheInexactNumberError) return false;
  if (error instanceof MemcacheUnknownCommandError || error instanceof MemcacheAuthenticationError) return true;
  if (error instanceof MemcacheServerError) return error.message.startsWith('Too many open connections');
  if (error instanceof MemcacheClientError) return command.hasBlock;
  return true;
}
