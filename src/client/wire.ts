import {
  MemcacheAuthenticationError,
  MemcacheConnectError,
  MemcacheError,
  MemcacheTimeoutError,
  MemcacheUnexpectedCloseError,
  MemcacheUnknownError,
} from '../errors';
import { FrameError, FrameReader, type Frame } from '../protocol/frame';
import { isErrorLine, isWord, replyError, replyRules } from '../protocol/reply';
import { RequestWriter, toBlock } from '../protocol/request';
import type { Timer } from '../runtime/clock';
import type { Call } from './call';
import { CallQueue } from './call-queue';
import type { ConnectionSettings } from './client-options';
import { ClosingCommand } from './commands/admin';
import { MORE } from './commands/command';
import { JoinableGet } from './commands/retrieval';
import { FENCE, FenceReader } from './fence';
import { RawReader } from './raw-reader';
import { spoils } from './spoils';
import type { Transport } from './transport';

/** No more than this is encoded before it is handed to the socket. */
const WRITE_SIZE = 256 * 1024;
/** While the socket holds more than this, calls wait in the queue, where they can still be withdrawn. */
const MAX_BACKLOG = 64 * 1024;
/** Gets that share a line: at most this many, and at most this many bytes (some managed services refuse 16 KB). */
const MAX_JOINED = 256;
const MAX_LINE = 15_000;
/** A connection unused for this long is looked at once more before it is written to: the server may have said goodbye. */
const IDLE = 1000;
/** A timer that comes later than this says that the event loop stood still. */
const STALL = 20;

/**
 * One connection from its opening to its end, and everything that must not outlive it: the parser's state and the
 * replies awaited. It never heals; a {@link Connection} replaces it.
 */
export class Wire {
  readonly #settings: ConnectionSettings;
  readonly #onEnd: (wire: Wire, unsent: Call<unknown>[]) => void;
  readonly #transport: Transport;
  readonly #reader: FrameReader;
  readonly #calls = new CallQueue();
  readonly #request = new RequestWriter();
  #state: 'opening' | 'authenticating' | 'ready' | 'ended' = 'opening';
  /** The raw command being answered. */
  #raw: { call: Call<unknown>; reader: RawReader } | undefined;
  #flushScheduled = false;
  /** When the first call of this tick was made; one look at the clock serves a tick. */
  #tick = 0;
  #lastFlush: number;
  #timer: Timer | undefined;
  #timerAt = Infinity;
  #connectTimer: Timer | undefined;
  #ref = true;
  #retired = false;
  #closed: (() => void)[] = [];
  #isClosed = false;

  /**
   * @param onEnd is told once, when no more calls can be taken, which calls were never written
   */
  constructor(settings: ConnectionSettings, onEnd: (wire: Wire, unsent: Call<unknown>[]) => void) {
    this.#settings = settings;
    this.#onEnd = onEnd;
    this.#lastFlush = settings.clock.now();
    this.#reader = new FrameReader(replyRules(settings.maxValueSize), (frame) => {
      this.#onFrame(frame);
    });
    this.#limitConnect(settings.connectTimeout);
    this.#transport = settings.connect(settings.address, settings, {
      onOpen: () => {
        this.#onOpen();
      },
      onData: (buffer, length) => {
        this.#onData(buffer, length);
      },
      onDrain: () => {
        this.#scheduleFlush();
      },
      onClose: (cause) => {
        this.#onClose(cause);
      },
    });
  }

  /** How many calls wait for something. */
  get pending(): number {
    return this.#calls.size;
  }

  /** Takes a call; it is written at the end of this tick, or when the connection is open and the socket takes it. */
  add(call: Call<unknown>): void {
    if (!this.#flushScheduled) this.#scheduleFlush();
    if (Number.isNaN(call.deadline)) {
      const { timeout } = this.#settings;
      call.deadline = timeout === 0 ? Infinity : this.#tick + timeout;
    }
    this.#calls.push(call);
  }

  /**
   * Lets the calls that it has finish, then closes. Whoever calls this adds no more calls.
   *
   * @returns when the socket is closed
   */
  retire(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      if (this.#isClosed) resolve();
      else this.#closed.push(resolve);
    });
    if (!this.#retired) {
      this.#retired = true;
      const { clock, timeout, connectTimeout } = this.#settings;
      const limit = clock.setTimeout(() => {
        this.#end(this.#broken('the connection was closed by close()'));
      }, timeout + connectTimeout || 2000);
      limit.unref();
      this.#closed.push(() => {
        limit.close();
      });
      this.#setRef(true);
      this.#settleDown();
    }
    return closed;
  }

  // ── opening ─────────────────────────────────────────────────────────────────────────────────────────────

  #limitConnect(delay: number): void {
    if (delay === 0) return;
    const { clock, connectTimeout } = this.#settings;
    const due = clock.now() + delay;
    this.#connectTimer = clock.setTimeout(() => {
      // After a stall of the event loop the answer may be here, unread: the lost time is given back.
      const late = clock.now() - due;
      if (late > STALL) this.#limitConnect(Math.min(late, connectTimeout));
      else this.#fail(new MemcacheConnectError(...this.#cannotConnect(`no connection within ${connectTimeout} ms`)));
    }, delay);
  }

  #onOpen(): void {
    if (this.#state !== 'opening') return;
    const { auth } = this.#settings;
    if (auth === undefined) {
      this.#onReady();
      return;
    }
    this.#state = 'authenticating';
    // Any `set` logs in. A server that asks for no password stores it as an ordinary item: one that is expired already.
    const secret = toBlock(`${auth.username} ${auth.password}`);
    this.#request.text(`set auth 0 -1 ${secret.length}\r\n`);
    this.#request.block(secret);
    this.#send();
  }

  #onReady(): void {
    this.#state = 'ready';
    this.#connectTimer?.close();
    this.#flush();
  }

  #onAuthenticationReply(frame: Frame): void {
    if (isWord(frame, 'STORED')) {
      this.#onReady();
      return;
    }
    const origin = { server: this.#name, command: 'set' };
    const cause = isErrorLine(frame) ? replyError(frame, origin) : undefined;
    this.#fail(
      new MemcacheAuthenticationError(
        `the server ${this.#name} refused the credentials${cause === undefined ? '' : `: ${cause.message}`}; check the option auth`,
        { server: this.#name },
      ),
    );
  }

  /** The connection never became usable: no call was written. */
  #fail(error: MemcacheError): void {
    if (this.#state === 'ended') return;
    this.#calls.forEach((call) => {
      call.reject(error);
    });
    this.#calls.clear();
    this.#end(error);
  }

  // ── writing ─────────────────────────────────────────────────────────────────────────────────────────────

  #scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    this.#tick = this.#settings.clock.now();
    process.nextTick(() => {
      this.#onTickEnd();
    });
  }

  #onTickEnd(): void {
    if (this.#state === 'ended') return;
    const now = this.#settings.clock.now();
    const late = now - this.#tick;
    if (late > STALL) this.#forgive(late);
    const next = this.#calls.next;
    if (next !== undefined) {
      this.#setRef(true);
      this.#watch(next.deadline, now);
    }
    const idle = this.#calls.written === 0 && now - this.#lastFlush > IDLE;
    this.#lastFlush = now;
    if (idle && this.#state === 'ready') {
      this.#settings.clock.setImmediate(() => {
        this.#flush();
      });
    } else {
      this.#flush();
    }
  }

  /** The caller itself held up the event loop between a call and the end of its tick: that is not the server's time. */
  #forgive(late: number): void {
    this.#calls.forEach((call) => {
      if (call.deadline >= this.#tick) call.deadline += late;
    });
  }

  /** Writes what may be written. */
  #flush(): void {
    this.#flushScheduled = false;
    while (this.#state === 'ready' && this.#calls.next !== undefined && this.#transport.backlog <= MAX_BACKLOG) {
      if (!this.#encode()) break;
      this.#send();
    }
    this.#settleDown();
  }

  /** Encodes calls up to {@link WRITE_SIZE}; false when none may be written now. */
  #encode(): boolean {
    const calls = this.#calls;
    const request = this.#request;
    /** The last get of the line being gathered. */
    let joined: Call<unknown> | undefined;
    let joinedVerb = '';
    let joinedCount = 0;
    let joinedLength = 0;
    /** The last of a run of noreply commands. */
    let unfenced: Call<unknown> | undefined;
    let call: Call<unknown> | undefined;
    while (this.#raw === undefined && (call = calls.next) !== undefined && request.size < WRITE_SIZE) {
      if (call.settled) {
        // Withdrawn in time. Without a reader it awaits nothing and is passed over.
        call.endsReply = false;
        calls.advance();
        continue;
      }
      const { command } = call;
      if (command instanceof JoinableGet) {
        if (unfenced !== undefined) unfenced = this.#fence(unfenced);
        if (joined !== undefined && (command.verb !== joinedVerb || joinedCount === MAX_JOINED || joinedLength > MAX_LINE)) {
          joined = this.#endLine(joined);
        }
        if (joined === undefined) {
          request.text(command.verb);
          joinedVerb = command.verb;
          joinedCount = joinedLength = 0;
        }
        request.text(' ' + command.wireKey);
        joinedCount++;
        joinedLength += command.wireKey.length;
        call.endsReply = false;
        call.reader = command;
        joined = call;
        calls.advance();
        continue;
      }
      if (joined !== undefined) joined = this.#endLine(joined);
      if (command.rawUntil !== undefined) {
        this.#trim();
        if (calls.written > 0 || unfenced !== undefined) break;
        this.#raw = { call, reader: new RawReader(command.rawUntil, this.#settings.maxValueSize, this.#name) };
      }
      calls.advance();
      if (command.noreply) {
        command.write(request);
        call.resolve(command.unanswered());
        unfenced = call;
        continue;
      }
      if (unfenced !== undefined) unfenced = this.#fence(unfenced);
      call.reader = command.reader();
      command.write(request);
    }
    if (joined !== undefined) this.#endLine(joined);
    if (unfenced !== undefined) this.#fence(unfenced);
    return request.size > 0;
  }

  #endLine(last: Call<unknown>): undefined {
    last.endsReply = true;
    this.#request.text('\r\n');
  }

  #fence(last: Call<unknown>): undefined {
    last.reader = new FenceReader();
    this.#request.text(FENCE);
  }

  #send(): void {
    const transport = this.#transport;
    const inPieces = this.#request.inPieces;
    if (inPieces) transport.cork();
    this.#request.drain((piece) => {
      transport.write(piece);
    });
    if (inPieces) transport.uncork();
  }

  // ── reading ─────────────────────────────────────────────────────────────────────────────────────────────

  #onData(buffer: Buffer, length: number): void {
    if (this.#state === 'ended') return;
    try {
      if (this.#raw !== undefined) this.#readRaw(this.#raw, buffer.subarray(0, length));
      else if (this.#calls.head === undefined && this.#state === 'ready') throw this.#unasked();
      else this.#reader.push(buffer, 0, length);
    } catch (error) {
      this.#onUnreadable(error);
      return;
    }
    this.#settleDown();
    // Room in the pipeline, or the end of what a raw command had to wait for.
    if (this.#calls.next !== undefined && this.#transport.backlog <= MAX_BACKLOG) this.#scheduleFlush();
  }

  /** The stream makes no sense: the call whose turn it is learns why, the others that the connection is gone. */
  #onUnreadable(error: unknown): void {
    const call = this.#calls.head;
    if (call !== undefined && this.#state === 'ready') {
      const message = error instanceof Error ? error.message : 'the reply cannot be read';
      call.reject(
        new MemcacheUnknownError(message, {
          command: call.command.verb,
          server: this.#name,
          cause: error,
          certainty: 'maybeExecuted',
        }),
      );
    }
    this.#spoil(error);
  }

  #onFrame(frame: Frame): void {
    if (this.#state === 'ended') return;
    if (this.#state === 'authenticating') {
      this.#onAuthenticationReply(frame);
      return;
    }
    this.#trim();
    const call = this.#calls.head;
    if (call === undefined || this.#state !== 'ready') throw this.#unasked();
    if (!frame.terminated) throw new FrameError('a value does not end in CR LF');
    if (call.command instanceof JoinableGet) {
      this.#readJoined(call, call.command, frame);
      return;
    }
    const reader = call.reader;
    if (reader instanceof FenceReader && reader.isPast(frame)) {
      this.#calls.shift();
      this.#onFrame(frame);
      return;
    }
    let result: unknown;
    try {
      result = reader?.read(frame, this.#name);
    } catch (error) {
      this.#refuse(call, error);
      return;
    }
    if (result === MORE) return;
    this.#calls.shift();
    call.resolve(result);
  }

  /** A frame of the reply to `get k1 k2 …`: a value for one of the keys, in their order, or its end. */
  #readJoined(head: Call<unknown>, command: JoinableGet<unknown>, frame: Frame): void {
    if (frame.hasBlock) {
      if (!head.answered && command.answeredBy(frame)) this.#hit(head, command, frame);
      else this.#hitBehind(frame);
      return;
    }
    const error = isWord(frame, 'END') ? undefined : replyError(frame, { command: command.verb, server: this.#name });
    if (error instanceof MemcacheUnknownError) {
      this.#refuse(head, error);
      return;
    }
    let call: Call<unknown> | undefined = head;
    while (call !== undefined) {
      this.#calls.shift();
      if (error !== undefined) call.reject(error);
      else if (!call.settled && call.command instanceof JoinableGet) call.resolve(call.command.miss());
      if (call.endsReply) break;
      call = this.#calls.head;
    }
    if (error !== undefined && spoils(error, command)) this.#spoil(error);
  }

  /** The value is not for the head: those before its own key were missed. */
  #hitBehind(frame: Frame): void {
    let offset = 0;
    let call = this.#calls.head;
    while (call !== undefined && !call.endsReply) {
      call = this.#calls.behindHead(++offset);
      if (call?.reader === undefined || !(call.command instanceof JoinableGet) || !call.command.answeredBy(frame)) continue;
      for (; offset > 0; offset--) {
        const missed = this.#calls.head;
        this.#calls.shift();
        if (missed?.command instanceof JoinableGet) missed.resolve(missed.command.miss());
      }
      this.#hit(call, call.command, frame);
      return;
    }
    throw new FrameError('the reply holds a value for a key that was not asked for');
  }

  #hit(call: Call<unknown>, command: JoinableGet<unknown>, frame: Frame): void {
    call.answered = true;
    // The last one keeps its place until END has come.
    if (!call.endsReply) this.#calls.shift();
    if (call.settled) return;
    try {
      call.resolve(command.hit(frame));
    } catch (error) {
      call.reject(error);
      if (spoils(error, command)) throw error;
    }
  }

  #refuse(call: Call<unknown>, error: unknown): void {
    this.#calls.shift();
    call.reject(error);
    if (spoils(error, call.command)) this.#spoil(error);
  }

  #readRaw(raw: { call: Call<unknown>; reader: RawReader }, chunk: Buffer): void {
    let answer;
    try {
      answer = raw.reader.push(chunk);
    } catch (error) {
      this.#refuse(raw.call, error);
      return;
    }
    if (answer === undefined) return;
    this.#raw = undefined;
    this.#calls.shift();
    raw.call.resolve(answer.reply);
    if (!answer.clean) throw this.#unasked();
  }

  // ── time ────────────────────────────────────────────────────────────────────────────────────────────────

  /** One timer serves all calls: it is set for the earliest deadline known and looks at the others when it fires. */
  #watch(deadline: number, now: number): void {
    if (deadline >= this.#timerAt) return;
    this.#timer?.close();
    this.#timerAt = deadline;
    this.#timer = this.#settings.clock.setTimeout(
      () => {
        // After a stall the timer comes before the replies that wait in the kernel: the socket is read once more first.
        this.#settings.clock.setImmediate(() => {
          this.#judge();
        });
      },
      Math.max(0, deadline - now),
    );
    this.#timer.unref();
  }

  #judge(): void {
    if (this.#state === 'ended') return;
    const now = this.#settings.clock.now();
    let earliest = Infinity;
    let late: MemcacheTimeoutError | undefined;
    this.#calls.forEach((call, written) => {
      if (call.deadline > now) {
        earliest = Math.min(earliest, call.deadline);
      } else if (!written) {
        call.reject(this.#timedOut(call, 'notSent'));
      } else if (call.reader !== undefined) {
        const error = this.#timedOut(call, 'maybeExecuted');
        late ??= error;
        call.reject(error);
      }
    });
    this.#timerAt = Infinity;
    this.#timer = undefined;
    if (late !== undefined) this.#spoil(late);
    else if (earliest < Infinity) this.#watch(earliest, now);
  }

  #timedOut(call: Call<unknown>, certainty: 'notSent' | 'maybeExecuted'): MemcacheTimeoutError {
    const { command } = call;
    const what = certainty === 'notSent' ? 'could not be sent' : 'was not answered';
    return new MemcacheTimeoutError(`"${command.verb}" ${what} in time by ${this.#name}; see the option timeout`, {
      command: command.verb,
      server: this.#name,
      certainty,
    });
  }

  // ── ending ──────────────────────────────────────────────────────────────────────────────────────────────

  #onClose(cause: Error | undefined): void {
    this.#isClosed = true;
    if (this.#state === 'opening' || this.#state === 'authenticating') {
      this.#fail(new MemcacheConnectError(...this.#cannotConnect(describe(cause), cause)));
    } else if (this.#state === 'ready') {
      this.#trim();
      const head = this.#calls.head;
      if (head?.command instanceof ClosingCommand) head.resolve(undefined);
      this.#end(this.#broken(`the server closed the connection${cause === undefined ? '' : `: ${describe(cause)}`}`, cause));
    }
    const closed = this.#closed;
    this.#closed = [];
    for (const resolve of closed) resolve();
  }

  /** A doubt about the position in the stream. */
  #spoil(cause: unknown): void {
    if (this.#state === 'ended') return;
    const why = cause instanceof Error ? cause.message : 'an unknown failure';
    if (this.#state === 'ready') this.#end(this.#broken(`the connection was dropped: ${why}`, cause));
    else this.#fail(new MemcacheConnectError(...this.#cannotConnect(why, cause)));
  }

  /** Rejects what awaits a reply, hands back what was never written. */
  #end(error: MemcacheError): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#timer?.close();
    this.#connectTimer?.close();
    this.#transport.destroy();
    const unsent: Call<unknown>[] = [];
    const unanswered: Call<unknown>[] = [];
    this.#calls.forEach((call, written) => {
      if (!call.settled) (written ? unanswered : unsent).push(call);
    });
    this.#calls.clear();
    this.#onEnd(this, unsent);
    for (const call of unanswered) call.reject(this.#forCommand(error, call));
  }

  #forCommand(error: MemcacheError, call: Call<unknown>): MemcacheError {
    const { verb: command } = call.command;
    const { cause, server, certainty } = error;
    return new MemcacheUnexpectedCloseError(error.message, { cause, server, certainty, command });
  }

  #broken(message: string, cause?: unknown): MemcacheUnexpectedCloseError {
    return new MemcacheUnexpectedCloseError(message, { server: this.#name, cause, certainty: 'maybeExecuted' });
  }

  #unasked(): FrameError {
    return new FrameError('the server sent something that was not asked for');
  }

  #cannotConnect(why: string, cause?: unknown): [string, { server: string; cause: unknown; certainty: 'notSent' }] {
    const message = `cannot connect to ${this.#name}: ${why}; is a memcached running there?`;
    return [message, { server: this.#name, cause, certainty: 'notSent' }];
  }

  get #name(): string {
    return this.#settings.address.name;
  }

  // ── bookkeeping ─────────────────────────────────────────────────────────────────────────────────────────

  /** Passes over what awaits nothing. */
  #trim(): void {
    let head = this.#calls.head;
    while (head !== undefined && head.reader === undefined) {
      this.#calls.shift();
      head = this.#calls.head;
    }
  }

  /** When nothing is awaited any more, the process may end, or the connection if it was asked to. */
  #settleDown(): void {
    if (this.#state === 'ready') this.#trim();
    if (this.#calls.size > 0) return;
    if (!this.#retired) this.#setRef(false);
    else if (this.#state === 'ready') this.#transport.end();
    else if (this.#state === 'opening') this.#end(this.#broken('the connection was closed by close()'));
  }

  /** Only a connection on which something is awaited keeps the process alive. */
  #setRef(ref: boolean): void {
    if (this.#ref === ref) return;
    this.#ref = ref;
    if (ref) this.#transport.ref();
    else this.#transport.unref();
  }
}

/** One line for an error of the system; trying several addresses gives one without a message of its own. */
function describe(cause: Error | undefined): string {
  if (cause === undefined) return 'the server closed the connection';
  if (cause instanceof AggregateError) {
    return cause.errors.map((error: unknown) => (error instanceof Error ? error.message : String(error))).join(', ');
  }
  return cause.message;
}
