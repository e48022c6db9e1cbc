import { MemcacheAuthenticationError } from '../../errors';
import type { Frame } from '../../protocol/frame';
import { isErrorLine, isWord, serverWords } from '../../protocol/reply';
import { toBlock, type RequestWriter } from '../../protocol/request';
import type { Credentials } from '../server-address';

/** Logs in on a connection that has just been opened, before anything else is written. */
export class Handshake {
  readonly #server: string;
  readonly #credentials: Credentials;

  constructor(server: string, credentials: Credentials) {
    this.#server = server;
    this.#credentials = credentials;
  }

  /**
   * Any `set` logs in. A server that asks for no password stores it as an ordinary item, expired already, in place of the one that had
   * that key: so it is one that nobody uses.
   */
  write(request: RequestWriter): void {
    const { username, password } = this.#credentials;
    const secret = toBlock(`${username} ${password}`);
    request.text(`set tsmemcache-login 0 -1 ${secret.length}\r\n`);
    request.block(secret);
  }

  /** Takes the answer: undefined when we are logged in, else a function that makes the error for a call. */
  refusal(frame: Frame): (() => MemcacheAuthenticationError) | undefined {
    if (isWord(frame, 'STORED')) return undefined;
    const server = this.#server;
    const words = isErrorLine(frame) ? `: ${serverWords(frame)}` : '';
    const message = `the server ${server} refused the credentials${words}; check the option auth`;
    return () => new MemcacheAuthenticationError(message, { server });
  }
}
