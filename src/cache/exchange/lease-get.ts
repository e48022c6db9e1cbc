/**
 *     mg <key> v f c t [h l] [N<lease>] [R<refresh>] [E<cas>] O<opaque>\r\n      VA <size> f<flags> c<cas> t<ttl> [h<0|1> l<idle>] [W] [Z] [X]\r\n<data>\r\n | EN
 */
import { Ascii } from '../../protocol/ascii';
import { KeyCommand, NO_CAS, type Reading } from '../../client/command';
import { HIT, MISS, type Outcome } from '../../client/outcomes';
import { latin1Slice, tokenEnd } from '../../protocol/bytes';
import type { Frame } from '../../protocol/frame';
import type { Key } from '../../protocol/key';
import type { RequestWriter } from '../../protocol/request';
import type { EntryReader } from '../format/entry-reader';
import { Reply, type Ask } from './reply';
import { checkOpaque, checkReply, codeOf, LAST_OPAQUE, nextOpaque } from './tokens';

/**
 * The one read of this layer. It is `metaGet` without its arrays: the tokens are read as bytes, and the value is made in
 * place, so that a hit costs about as much as one by `get`.
 */
export class LeaseGet extends KeyCommand<Reply> {
  readonly #ask: Ask;
  readonly #tokens: string;
  readonly #reader: EntryReader;
  readonly #opaque: number;

  /**
   * @param tokens as {@link leaseTokens} makes them
   * @param casLow with `tokens` that end with the first half of a CAS number: its second half
   */
  constructor(wireKey: string, key: Key, ask: Ask, tokens: string, reader: EntryReader, casLow = 0) {
    super(wireKey, key);
    this.#ask = ask;
    this.#tokens = tokens;
    this.#reader = reader;
    this.#opaque = casLow === 0 ? nextOpaque() : casLow;
  }

  get verb(): 'mg' {
    return 'mg';
  }

  override get throughProxies(): boolean {
    return false;
  }

  /** Sent twice, it could take a token that nobody uses. */
  get idempotent(): boolean {
    return this.#ask.lease === 0 && this.#ask.refresh === 0;
  }

  /** During a migration, a missing item may be in an older cache. Only a read that takes no token is sent there. */
  override get reading(): Reading<Reply> | undefined {
    if (!this.idempotent) return undefined;
    return {
      rest: (reply) => (reply.found && !reply.cold ? undefined : this),
      join: (first, second) => {
        if (!second.found) return first;
        // A place-holder that was invalidated has given its token, unasked: to this reader and to no other.
        if (first.won) {
          second.won = true;
          second.cas = first.cas;
        }
        return second;
      },
      hits: (reply) => (reply.found && !reply.cold ? [this] : []),
      withoutTokens: (reply) => {
        reply.cas = NO_CAS;
        reply.won = reply.held = false;
        return reply;
      },
    };
  }

  override outcome(reply: Reply): Outcome {
    return reply.found && !reply.cold ? HIT : MISS;
  }

  write(request: RequestWriter): void {
    const number = this.#opaque;
    // One number is made into text once, though it stands for two things.
    request.text(`mg ${this.wireKey} ${this.#tokens}${number > LAST_OPAQUE ? number : ''} O${number}\r\n`);
  }

  read(frame: Frame, server: string): Reply {
    const reply = new Reply();
    if (!frame.hasBlock) {
      if (codeOf(frame) !== 'EN') throw this.refuse(frame, server);
      checkReply(frame, this.#opaque, true);
      return reply;
    }
    const { buffer, end, dataStart, dataEnd } = frame;
    if (buffer[frame.start + 2] !== Ascii.Space) throw this.refuse(frame, server);
    let at = tokenEnd(buffer, frame.start + 3, end) + 1;
    let casStart = 0;
    let casEnd = 0;
    let flags = 0;
    let proven = false;
    let hot = false;
    let idle = 0;
    while (at < end) {
      const stop = tokenEnd(buffer, at, end);
      switch (buffer[at]) {
        case Ascii.f:
          for (let i = at + 1; i < stop; i++) flags = flags * 10 + (buffer[i] ?? 0) - Ascii.Zero;
          break;
        case Ascii.c:
          casStart = at + 1;
          casEnd = stop;
          break;
        case Ascii.t:
          reply.ttl = ttlOf(buffer, at + 1, stop);
          break;
        case Ascii.O:
          checkOpaque(buffer, at, stop, this.#opaque);
          proven = true;
          break;
        case Ascii.h:
          hot = buffer[at + 1] === Ascii.One;
          break;
        case Ascii.l:
          idle = ttlOf(buffer, at + 1, stop);
          break;
        case Ascii.W:
          reply.won = true;
          break;
        case Ascii.Z:
          reply.held = true;
          break;
        case Ascii.X:
          reply.marked = true;
          break;
      }
      at = stop + 1;
    }
    if (!proven) checkReply(frame, this.#opaque, false);
    reply.found = true;
    reply.flags = flags;
    const size = dataEnd - dataStart;
    reply.cold = size === 0 && flags === 0 && (reply.won || reply.held);
    if (!reply.cold) {
      if (this.#reader.read(reply, this.key, frame, flags, this.#ask.copies) === 'l') {
        // Of a process that sends no meta commands.
        reply.cold = reply.held = true;
        reply.tags = '';
      }
      if (!reply.cold && reply.unreadable === undefined && this.#ask.wantsBytes(hot && idle <= 1)) {
        reply.wanted = true;
        if (typeof reply.value === 'object') reply.bytes = Buffer.from(buffer.subarray(dataStart, dataEnd));
      }
    }
    if (reply.won || reply.held || reply.marked || reply.unreadable !== undefined || reply.inPieces || reply.tags !== '' || reply.wanted) {
      reply.cas = latin1Slice(buffer, casStart, casEnd);
    }
    return reply;
  }
}

/** The tokens of a read. */
export function leaseTokens(lease: number, refresh: number, use: boolean): string {
  return `v f c t${use ? ' h l' : ''}${lease > 0 ? ` N${lease}` : ''}${refresh > 0 ? ` R${refresh}` : ''}`;
}

function ttlOf(buffer: Buffer, start: number, end: number): number {
  if (buffer[start] === Ascii.Minus) return -1;
  let value = 0;
  for (let i = start; i < end; i++) value = value * 10 + (buffer[i] ?? 0) - Ascii.Zero;
  return value;
}
