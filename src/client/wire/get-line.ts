import type { RequestWriter } from '../../protocol/request';
import { Mark, type Call } from '../call';
import { afterLastKey, MAX_GET_LINE, type JoinableGet } from '../command';
import type { CallQueue } from './call-queue';
import { lineKeys } from './line-keys';

/** At most this many gets share a line, with those between them that were withdrawn in time. */
const MAX_JOINED = 256;

/**
 * When the keys of gats are longer than this, in bytes, no other joins them: memcached closes the connection for more than 1024 bytes
 * without a line end (2048 from 1.6 on), unless they begin with `get` or `gets`. How much it reads at once depends on the network.
 */
const MAX_GAT_KEYS = 500;

/**
 * Gathers gets in a row into one line, `get k1 k2 …`, in which no key stands twice. Only the last of them ends the reply. So it does
 * with gats of the same time to live.
 */
export class GetLine {
  readonly #calls: CallQueue;
  readonly #request: RequestWriter;
  /** The last call of the line; undefined when none is being gathered. */
  #last: Call<unknown> | undefined;
  /** What it begins with. */
  #start = '';
  /** Where its first call stands in the queue. */
  #firstPosition = 0;
  /** How many calls share it. */
  #count = 0;
  /** How many keys it holds, how many bytes these are, and the last of them. */
  #keys = 0;
  #length = 0;
  #lastKey = '';

  constructor(calls: CallQueue, request: RequestWriter) {
    this.#calls = calls;
    this.#request = request;
  }

  /** Adds the call that is next in the queue, to this line or to a new one. */
  add(call: Call<unknown>, command: JoinableGet<unknown>): void {
    const { lineStart, wireKey } = command;
    const position = this.#calls.nextPosition;
    if (position - this.#firstPosition >= MAX_JOINED || lineStart !== this.#start || this.#length > (lineStart.length > 4 ? MAX_GAT_KEYS : MAX_GET_LINE)) this.end();
    if (this.#last === undefined) {
      this.#request.text(lineStart);
      this.#start = lineStart;
      this.#firstPosition = position;
      this.#count = this.#keys = this.#length = 0;
    }
    let twin: Call<unknown> | undefined;
    // A proxy may answer a key once however often the line holds it, so a later call for it is answered with the first. What no proxy
    // sees is asked for as often as it was called: a second touch may find what the first has made expire.
    if (this.#keys > 0 && command.throughProxies) {
      // Most lines hold one key and need no table.
      if (this.#count === 1) lineKeys.start(this.#calls, this.#firstPosition, this.#lastKey, wireKey);
      twin = lineKeys.add(this.#calls, wireKey, position);
    }
    if (twin === undefined) {
      this.#request.text(' ' + wireKey);
      this.#keys++;
      this.#length += wireKey.length;
      this.#lastKey = wireKey;
    } else twin.mark(Mark.Twinned);
    this.#count++;
    this.#last?.mark(Mark.SharesReply);
    call.reader = command;
    this.#last = call;
  }

  /** Completes the line, if there is one. */
  end(): void {
    if (this.#last === undefined) return;
    const after = afterLastKey(this.#lastKey);
    if (this.#keys > 1 || after !== '') this.#last.mark(Mark.InCompany);
    this.#last = undefined;
    this.#request.text(after + '\r\n');
  }
}
