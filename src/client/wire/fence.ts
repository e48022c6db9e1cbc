import type { Frame } from '../../protocol/frame';
import { isErrorLine, isWord } from '../../protocol/reply';
import { MORE, type ReplyReader } from '../command';

/** What is written behind a run of noreply commands: `mn\r\n`, answered by `MN` by every server since 1.5.19. */
export const FENCE = 'mn\r\n';

/**
 * Reads up to the `MN` that closes a run of noreply commands. Some of these are answered although nobody asked
 * (a line the server could not parse, servers that ignore noreply): such lines end here instead of being taken
 * for the reply to the next command.
 */
export class FenceReader implements ReplyReader<undefined> {
  #refused = false;

  /**
   * Whether the fence must have been answered before this frame: the server answered `ERROR` to something, so that it
   * may not know `mn`, and this is no error.
   */
  isPast(frame: Frame): boolean {
    return this.#refused && !isWord(frame, 'MN') && !isErrorLine(frame);
  }

  read(frame: Frame): undefined | typeof MORE {
    if (isWord(frame, 'MN')) return undefined;
    if (isWord(frame, 'ERROR')) this.#refused = true;
    return MORE;
  }
}
