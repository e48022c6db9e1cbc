import { MemcacheAuthenticationError } from '../../errors';
import type { Frame } from '../../protocol/frame';
import { replyError } from '../../protocol/reply';
import { MORE, type ReplyReader } from '../command';

/** What is written after a run of noreply commands: every server and every proxy answers it, and with a word of its own. */
export const FENCE = 'version\r\n';

/**
 * Reads up to the `VERSION` that closes a run of noreply commands. Some of these are answered although nobody asked
 * (a line the server could not parse, servers that ignore noreply): such lines end here instead of being taken
 * for the reply to the next command.
 */
export class FenceReader implements ReplyReader<undefined> {
  readonly #onVersion: (line: string) => void;

  constructor(onVersion: (line: string) => void) {
    this.#onVersion = onVersion;
  }

  read(frame: Frame, server: string): undefined | typeof MORE {
    if (frame.startsWith('VERSION')) {
      this.#onVersion(frame.line());
      return undefined;
    }
    const error = replyError(frame, { verb: 'version' }, server);
    // Who asks for credentials answers nothing else.
    if (error instanceof MemcacheAuthenticationError) throw error;
    return MORE;
  }
}
