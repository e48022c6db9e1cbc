import { Ascii } from '../../protocol/ascii';
import { latin1Slice } from '../../protocol/bytes';
import { FrameReader, NO_BLOCK, type FrameRules } from '../../protocol/frame';
import type { SessionOutput, TurnLimits } from '../net/service';
import { CommandSession, UNKNOWN } from '../shared/command-session';
import type { CommandInfo } from '../shared/execution';
import { AUTHENTICATE, MAX_TOKEN, UNAUTHENTICATED } from './authentication';
import type { ServerContext } from './commands/context';
import { BAD_FORMAT } from './commands/classic-line';
import { Exchange } from './commands/exchange';
import { announcedBlock, findVerb, type Verb } from './commands/verbs';

/** memcached hangs up after this many bytes without a line end, unless they are a retrieval of a client that is authenticated. */
const MAX_LINE = 2048;

/** The longest line of a retrieval, in bytes; memcached has no limit. */
const MAX_RETRIEVAL_LINE = 1024 * 1024;

/** memcached ignores shorter lines, in bytes with their end. */
const SHORTEST_LINE = 4;

/** The first byte of every client of the binary protocol. */
const BINARY_REQUEST = 0x80;

/** A status of the binary protocol. */
const UNKNOWN_COMMAND = 0x81;

/** One client's conversation in memcached's protocol. */
export class Session extends CommandSession<Exchange> {
  protected override readonly reader: FrameReader;
  /** The command whose line was read last. */
  #verb: Verb | undefined;
  #hasBegun = false;

  /** @param id the connection's number */
  constructor(context: ServerContext, output: SessionOutput, limits: TurnLimits = {}, id = 1) {
    super(context, new Exchange(context, output, limits), id);
    const { exchange } = this;
    const rules: FrameRules = {
      blockLength: (buffer, start, end) => this.#readLine(buffer, start, end),
      maxLine: (buffer, start, end, isComplete) => (isComplete ? MAX_RETRIEVAL_LINE : maxIncomplete(buffer, start, end, exchange.authenticated)),
      maxBlock: context.store.maxItemSize,
      bareLineFeed: true,
      get ahead() {
        return context.ahead;
      },
    };
    this.reader = new FrameReader(rules, (frame) => {
      exchange.begin(frame);
      this.perform();
    });
  }

  override push(buffer: Buffer, start: number, end: number): number {
    if (!this.#hasBegun && start < end) {
      this.#hasBegun = true;
      // Such a client would wait for ever: its requests have no line ends.
      if (buffer[start] === BINARY_REQUEST) {
        this.exchange.text(binaryRefusal(buffer, start, end));
        this.fail('the client speaks the binary protocol, which is not served');
      }
    }
    const at = super.push(buffer, start, end);
    this.exchange.release();
    return at;
  }

  protected override execute(): undefined {
    const { exchange } = this;
    const { context } = exchange;
    // A line before authentication may hold a password.
    if (context.verbosity > 1 && exchange.authenticated) context.log(`< ${exchange.frame.line()}`, 2);
    const verb = this.#verb;
    const { line } = exchange;
    if (verb === undefined) {
      this.executedCommand = UNKNOWN;
      unknown(exchange);
    } else if (line.count < verb.fewest || (line.isShort && exchange.lineLength < SHORTEST_LINE && exchange.authenticated)) {
      exchange.reply(BAD_FORMAT);
    } else {
      if (verb !== UNAUTHENTICATED) this.executedCommand = verb;
      if (verb.noreply && line.noreply) exchange.silent = true;
      verb.execute(exchange);
    }
  }

  protected override describe(): CommandInfo {
    const { line, frame } = this.exchange;
    const at = findVerb(line)?.keyToken ?? 1;
    const key = at > 0 && at < line.count ? line.text(at) : undefined;
    return { verb: line.text(0), key, line: frame.line(), connection: this.id };
  }

  protected override get noreply(): boolean {
    return this.exchange.line.noreply;
  }

  #readLine(buffer: Buffer, start: number, end: number): number {
    const { line, authenticated } = this.exchange;
    line.scan(buffer, start, end);
    const verb = findVerb(line);
    if (authenticated) {
      this.#verb = verb;
      return announcedBlock(verb, line);
    }
    this.#verb = verb?.name === 'set' && line.count >= AUTHENTICATE.fewest ? AUTHENTICATE : UNAUTHENTICATED;
    const length = announcedBlock(this.#verb, line);
    // As in memcached, it is refused at once: nothing is kept for a client that may be anybody.
    return length > MAX_TOKEN ? NO_BLOCK : length;
  }
}

/** The answer to the request `buffer[start, end)` of the binary protocol: that its command is unknown. */
function binaryRefusal(buffer: Buffer, start: number, end: number): string {
  const answer = Buffer.alloc(24);
  const text = 'the binary protocol is not served';
  // Opcode and opaque are those of the request.
  buffer.copy(answer, 0, start, Math.min(end, start + 16));
  answer.fill(0, 2, 12);
  answer.writeUInt8(0x81);
  answer.writeUInt16BE(UNKNOWN_COMMAND, 6);
  answer.writeUInt32BE(text.length, 8);
  return latin1Slice(answer, 0, answer.length) + text;
}

/** An unknown command. A request that looks like HTTP is cut off, so that no browser can be made to send commands. */
function unknown(exchange: Exchange): void {
  const { line } = exchange;
  if (exchange.lineLength < SHORTEST_LINE) {
    exchange.reply(BAD_FORMAT);
    return;
  }
  exchange.silent = line.noreply;
  if (line.count > 1 && line.text(line.count - 1).startsWith('HTTP/')) exchange.finish();
  else exchange.reply('ERROR');
}

/**
 * How long a line may be that begins with `buffer[start, end)`, and whose end has not come yet. One that is complete may be longer: memcached
 * takes a long line that arrives in one piece.
 */
function maxIncomplete(buffer: Buffer, start: number, end: number, authenticated: boolean): number {
  if (!authenticated) return MAX_LINE;
  let at = start;
  while (at < end && buffer[at] === Ascii.Space) at++;
  const word = latin1Slice(buffer, at, Math.min(at + 5, end));
  return at - start <= 100 && /^gets? /.test(word) ? MAX_RETRIEVAL_LINE : MAX_LINE;
}
