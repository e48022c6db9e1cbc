import { latin1Slice } from '../protocol/bytes';
import { FrameReader, type Frame, type FrameRules } from '../protocol/frame';
import { AUTHENTICATE, UNAUTHENTICATED } from './authentication';
import type { ServerContext } from './context';
import { Exchange } from './exchange';
import { executeWith, faultOf, type Faults } from './faults';
import type { SessionOutput } from './replies';
import { announcedBlock, findVerb, type Verb } from './verbs';

/** How much one `push` may do before it stops. */
export interface TurnLimits {
  /** @default Infinity */
  readonly maxCommands?: number;
  /** Bytes of replies; the command that passes it is completed. @default Infinity */
  readonly maxReplyBytes?: number;
}

/** memcached hangs up after so many bytes without a line end, unless they are a retrieval. */
const MAX_LINE = 2048;

/** A retrieval of many keys may be so long here; memcached has no bound. */
const MAX_RETRIEVAL_LINE = 1024 * 1024;

const LF = 10;

/**
 * One client's conversation: bytes in, bytes out, in order. It has no socket and no timer: a server drives it from a
 * connection, an embedded client from its own process.
 */
export class Session {
  readonly #exchange: Exchange;
  readonly #reader: FrameReader;
  readonly #maxCommands: number;
  readonly #maxReplyBytes: number;
  /** The command whose line has been read last. */
  #verb: Verb | undefined;
  readonly #id: number;
  #commands = 0;
  #pending: Promise<void> | undefined;

  /** @param id the connection's number */
  constructor(context: ServerContext, output: SessionOutput, limits: TurnLimits = {}, id = 1) {
    this.#id = id;
    this.#maxCommands = limits.maxCommands ?? Infinity;
    this.#maxReplyBytes = limits.maxReplyBytes ?? Infinity;
    const exchange = new Exchange(context, output);
    this.#exchange = exchange;
    const rules: FrameRules = {
      blockLength: (buffer, start, end) => this.#readLine(buffer, start, end),
      maxLine,
      maxBlock: context.store.maxItemSize,
      bareLineFeed: true,
    };
    this.#reader = new FrameReader(rules, (frame) => {
      this.#execute(frame);
    });
  }

  /** Whether the session is over: the client quit, or sent what cannot be read. */
  get ended(): boolean {
    return this.#exchange.ended;
  }

  /** How many commands the last {@link push} executed. */
  get executed(): number {
    return this.#commands;
  }

  /** Settles when a command that was delayed has been answered; nothing is executed before. */
  get pending(): Promise<void> | undefined {
    return this.#pending;
  }

  /**
   * Executes the commands that `buffer[start, end)` completes, and writes their replies together. Nothing of the buffer
   * is kept.
   *
   * @returns where it stopped: `end`, or less when a limit was reached; the rest must be pushed again.
   */
  push(buffer: Buffer, start: number, end: number): number {
    const exchange = this.#exchange;
    if (exchange.ended) return end;
    if (this.#pending !== undefined) return start;
    this.#commands = 0;
    exchange.produced = 0;
    let at = end;
    try {
      at = this.#reader.push(buffer, start, end);
    } catch (error) {
      // The position in the stream is lost, as memcached sees it: there is nothing to say.
      exchange.context.log(`closing a connection: ${String(error)}`, 1);
      exchange.finish();
    }
    exchange.flush();
    return this.ended ? end : at;
  }

  /** Ends the session. */
  close(): void {
    this.#exchange.finish();
  }

  #readLine(buffer: Buffer, start: number, end: number): number {
    const { line } = this.#exchange;
    line.scan(buffer, start, end);
    const verb = findVerb(line);
    if (this.#exchange.authenticated) this.#verb = verb;
    else this.#verb = verb?.name === 'set' ? AUTHENTICATE : UNAUTHENTICATED;
    return announcedBlock(this.#verb, line);
  }

  #execute(frame: Frame): void {
    const exchange = this.#exchange;
    const { line } = exchange;
    exchange.begin(frame);
    line.moveTo(frame.buffer, frame.start);
    // What is said before authentication may be a password.
    if (exchange.context.verbosity > 1 && exchange.authenticated) exchange.context.log(`< ${frame.line()}`, 2);
    const { faults } = exchange.context;
    if (faults === undefined) this.#run();
    else this.#runWith(faults);
    if (exchange.ended || ++this.#commands >= this.#maxCommands || exchange.produced >= this.#maxReplyBytes) {
      this.#reader.stop();
    }
  }

  #run(): void {
    const verb = this.#verb;
    if (verb !== undefined) verb.execute(this.#exchange);
    else unknown(this.#exchange);
  }

  #runWith(faults: Faults): void {
    const exchange = this.#exchange;
    const fault = faultOf(faults, exchange, this.#id);
    if (fault === undefined) {
      this.#run();
      return;
    }
    const answered = executeWith(fault, exchange, exchange.store.clock, () => {
      this.#run();
    });
    if (answered === undefined) return;
    this.#reader.stop();
    this.#pending = answered.then(() => {
      this.#pending = undefined;
    });
  }
}

/** An unknown command. A request that looks like HTTP is cut off, so that no browser can be made to send commands. */
function unknown(exchange: Exchange): void {
  const { line } = exchange;
  // memcached looks for HTTP only where no command begins with the same letter.
  const isOwn = line.length(0) < 2 || OWN_LETTERS.test(line.text(0));
  if (!isOwn && line.text(line.count - 1).startsWith('HTTP/')) exchange.finish();
  else exchange.reply('ERROR');
}

const OWN_LETTERS = /^(?:[gsacidt]|m.$)/s;

/**
 * How long the line `buffer[start, end)` may be. memcached takes a long line that arrives in one piece. Behind a line
 * that is not complete lies old memory: at worst it passes for complete, and the greater bound holds it.
 */
function maxLine(buffer: Buffer, start: number, end: number): number {
  if (buffer[end] === LF) return MAX_RETRIEVAL_LINE;
  let at = start;
  while (at < end && buffer[at] === 32) at++;
  const word = latin1Slice(buffer, at, Math.min(at + 5, end));
  return at - start <= 100 && /^gets? /.test(word) ? MAX_RETRIEVAL_LINE : MAX_LINE;
}
