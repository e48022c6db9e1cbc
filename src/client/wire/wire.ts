import {
  MemcacheAuthenticationError,
  MemcacheConnectError,
  MemcacheError,
  MemcacheTimeoutError,
  MemcacheUnexpectedCloseError,
  MemcacheUnknownError,
  type Certainty,
} from '../../errors';
import { FrameError, FrameReader, type Frame } from '../../protocol/frame';
import { isErrorLine, isWord, replyError, replyRules } from '../../protocol/reply';
import { RequestWriter, toBlock } from '../../protocol/request';
import type { Timer } from '../../runtime/clock';
import type { Call } from '../call';
import { CallQueue } from './call-queue';
import type { ConnectionSettings } from '../client-options';
import { Deadlines, fairTimeout, STALL } from './call-deadlines';
import { Inbox, RepeatSeparately, SpoilingReply } from './inbox';
import { Outbox } from './outbox';
import { RawReader } from './raw-reader';
import type { Transport } from './transport';

/** While the socket holds more than this, calls wait in the queue, where they can still be withdrawn. */
const MAX_BACKLOG = 64 * 1024;
/** A connection unused for this long is looked at once more before it is written to: the server may have said goodbye. */
const IDLE = 1000;

/**
 * What is written together: the calls of one tick, or of a whole turn of the event loop. With several servers every
 * reply that is read makes calls for all of them; waiting until all replies of a turn have been read halves the writes.
 */
export type Gathering = 'tick' | 'turn';

/** Whom a connection tells of the turns of its life. */
export interface WireOwner {
  readonly gathering: Gathering;
  /** Whether each key must have a line of its own at present. */
  readonly separately: boolean;
  /** A reply for several keys was broken by an error. */
  onBrokenReply(): void;
  /** Nothing is awaited any more. */
  onIdle(): void;
  /**
   * No more calls can be taken; `unsent` were never written. `failure` tells what went wrong, if something was awaited
   * or the connection could not be made; it is undefined after a farewell.
   */
  onEnd(wire: Wire, unsent: Call<unknown>[], failure: unknown): void;
}

/**
 * One connection from its opening to its end, and everything that must not outlive it: the parser's state and the
 * replies awaited. It never heals; a {@link Connection} replaces it.
 */
export class Wire {
  readonly #settings: ConnectionSettings;
  readonly #owner: WireOwner;
  readonly #transport: Transport;
  readonly #reader: FrameReader;
  readonly #calls = new CallQueue();
  readonly #request = new RequestWriter();
  readonly #outbox: Outbox;
  readonly #inbox: Inbox;
  #state: 'opening' | 'authenticating' | 'ready' | 'ended' = 'opening';
  /** While a raw command is answered. */
  #raw: RawReader | undefined;
  #flushScheduled = false;
  /** When the first call of this tick was made; one look at the clock serves a tick. */
  #tick = 0;
  #lastFlush: number;
  readonly #deadlines: Deadlines;
  /** The earliest deadline among the calls of this tick. */
  #soonest = Infinity;
  #connectTimer: Timer | undefined;
  #ref = true;
  #retired = false;
  #closed: (() => void)[] = [];
  #isClosed = false;

  constructor(settings: ConnectionSettings, owner: WireOwner) {
    this.#settings = settings;
    this.#owner = owner;
    this.#lastFlush = settings.clock.now();
    this.#deadlines = new Deadlines(settings.clock, (now) => this.#judge(now));
    this.#outbox = new Outbox(this.#calls, this.#request, settings.maxPending);
    this.#inbox = new Inbox(this.#calls, settings.address.name);
    this.#reader = new FrameReader(replyRules(settings.maxValueSize), (frame) => {
      this.#onFrame(frame);
    });
    this.#limitConnect();
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
    if (!call.hasDeadline) {
      const { timeout } = this.#settings;
      call.deadline = timeout === 0 ? Infinity : this.#tick + timeout;
    }
    this.#soonest = Math.min(this.#soonest, call.deadline);
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
        this.#end('the connection was closed by close()');
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

  #limitConnect(): void {
    const { clock, connectTimeout } = this.#settings;
    if (connectTimeout === 0) return;
    fairTimeout(
      clock,
      clock.now() + connectTimeout,
      () => {
        if (this.#state !== 'ready') this.#fail(this.#cannotConnect(`no connection within ${connectTimeout} ms`));
      },
      (timer) => (this.#connectTimer = timer),
    );
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
    const cause = isErrorLine(frame) ? replyError(frame, { verb: 'set' }, this.#name) : undefined;
    this.#fail(
      new MemcacheAuthenticationError(
        `the server ${this.#name} refused the credentials${cause === undefined ? '' : `: ${cause.message}`}; check the option auth`,
        { server: this.#name },
      ),
    );
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
    if (this.#calls.size > 0) this.#setRef(true);
    this.#deadlines.watch(this.#soonest);
    this.#soonest = Infinity;
    const idle = this.#calls.written === 0 && now - this.#lastFlush > IDLE;
    this.#lastFlush = now;
    if ((idle || this.#owner.gathering === 'turn') && this.#state === 'ready') {
      this.#settings.clock.setImmediate(() => {
        this.#flush();
      });
    } else {
      this.#flush();
    }
  }

  /** The caller itself held up the event loop between a call and the end of its tick: that is not the server's time. */
  #forgive(late: number): void {
    for (const { call } of this.#calls) {
      if (call.deadline >= this.#tick) call.deadline += late;
    }
    this.#soonest += late;
  }

  /** Writes what may be written. */
  #flush(): void {
    this.#flushScheduled = false;
    while (this.#state === 'ready' && this.#calls.next !== undefined && this.#transport.backlog <= MAX_BACKLOG) {
      if (!this.#outbox.encode(this.#owner.separately)) break;
      this.#send();
    }
    this.#settleDown();
  }

  #send(): void {
    const transport = this.#transport;
    const inPieces = this.#request.inPieces;
    if (inPieces) transport.cork();
    this.#request.drain((piece) => {
      transport.write(piece);
    });
    if (inPieces) transport.uncork();
    const until = this.#outbox.raw?.command.rawUntil;
    if (until !== undefined) this.#raw ??= new RawReader(until, this.#settings.maxValueSize, this.#name);
  }

  // ── reading ─────────────────────────────────────────────────────────────────────────────────────────────

  #onData(buffer: Buffer, length: number): void {
    if (this.#state === 'ended') return;
    try {
      if (this.#raw !== undefined) this.#readRaw(this.#raw, buffer.subarray(0, length));
      else if (this.#calls.head === undefined && this.#state === 'ready') throw new FrameError('the server sent something that was not asked for');
      else this.#reader.push(buffer, 0, length);
    } catch (error) {
      this.#onUnreadable(error);
      return;
    }
    this.#settleDown();
    // Room in the pipeline, or the end of what a raw command had to wait for.
    if (this.#calls.next !== undefined && this.#transport.backlog <= MAX_BACKLOG) this.#scheduleFlush();
  }

  /** The call whose turn it is learns what was wrong with its reply, unless it was told; the others that the connection is gone. */
  #onUnreadable(error: unknown): void {
    if (error instanceof SpoilingReply) {
      this.#spoil(error.cause);
      return;
    }
    if (error instanceof RepeatSeparately) {
      this.#repeatSeparately(error.cause);
      return;
    }
    const call = this.#calls.head;
    if (call !== undefined && this.#state === 'ready') call.reject(this.#unreadable(error, call));
    this.#spoil(error);
  }

  /** The connection is given up, which is not the server's fault; what only reads goes on over the next one. */
  #repeatSeparately(cause: Error): void {
    this.#owner.onBrokenReply();
    // After close() there is no next one: these get what the server said.
    if (this.#retired) for (const { call, written } of this.#calls) if (written && call.separate) call.reject(cause);
    this.#end(`the connection was dropped: ${cause.message}`, cause, undefined, !this.#retired);
  }

  #unreadable(error: unknown, call: Call<unknown>): MemcacheError {
    if (error instanceof MemcacheError) return error;
    const message = error instanceof Error ? error.message : 'the reply cannot be read';
    return new MemcacheUnknownError(message, { ...this.#origin('maybeExecuted', error), command: call.command.verb });
  }

  #onFrame(frame: Frame): void {
    if (this.#state === 'ready') this.#inbox.take(frame);
    else if (this.#state === 'authenticating') this.#onAuthenticationReply(frame);
  }

  #readRaw(reader: RawReader, chunk: Buffer): void {
    const answer = reader.push(chunk);
    if (answer === undefined) return;
    const call = this.#outbox.raw;
    this.#raw = undefined;
    this.#outbox.endRaw();
    this.#calls.shift();
    call?.resolve(answer.reply);
    if (!answer.clean) throw new FrameError('bytes came behind the end token of a raw command');
  }

  // ── time ────────────────────────────────────────────────────────────────────────────────────────────────

  /** Settles what is late; the earliest deadline that is still to come. */
  #judge(now: number): number {
    let earliest = Infinity;
    const late: MemcacheTimeoutError[] = [];
    let wanted = false;
    for (const { call, written } of this.#calls) {
      if (call.deadline > now) {
        earliest = Math.min(earliest, call.deadline);
        wanted ||= !call.settled;
      } else if (!written) {
        call.reject(this.#timedOut(call, 'notSent'));
      } else if (call.reader !== undefined) {
        const error = this.#timedOut(call, 'maybeExecuted');
        late.push(error);
        call.reject(error);
      }
    }
    if (late.length > 0) this.#spoil(late[0]);
    else if (!wanted && this.#state !== 'ready') this.#fail(this.#cannotConnect('nobody waits for it any more'));
    return earliest;
  }

  #timedOut(call: Call<unknown>, certainty: Certainty): MemcacheTimeoutError {
    const { verb: command } = call.command;
    const what = certainty === 'notSent' ? 'could not be sent' : 'was not answered';
    return new MemcacheTimeoutError(`"${command}" ${what} in time by ${this.#name}; see the option timeout`, {
      ...this.#origin(certainty),
      command,
    });
  }

  // ── ending ──────────────────────────────────────────────────────────────────────────────────────────────

  #onClose(cause: Error | undefined): void {
    this.#isClosed = true;
    if (this.#state === 'opening' || this.#state === 'authenticating') {
      this.#fail(this.#cannotConnect(describe(cause), cause));
    } else if (this.#state === 'ready') {
      this.#calls.trim();
      const head = this.#calls.head;
      if (head?.command.closes === true) {
        head.resolve(undefined);
        this.#calls.shift();
      }
      const message = `the connection was lost: ${describe(cause)}`;
      // A server may close a connection on which nothing is awaited: that is no failure.
      const awaited = this.#calls.head !== undefined;
      this.#end(message, cause, awaited ? new MemcacheUnexpectedCloseError(message, this.#origin('maybeExecuted', cause)) : undefined);
    }
    const closed = this.#closed;
    this.#closed = [];
    // Whoever waits for the end is told after all callers: their promises reject a few microtasks from now.
    if (closed.length > 0) this.#settings.clock.setImmediate(() => { for (const resolve of closed) resolve(); });
  }

  /** There is a doubt about the position in the stream. */
  #spoil(cause: unknown): void {
    const why = cause instanceof Error ? cause.message : 'its reply could not be read';
    if (this.#state === 'ready') this.#end(`the connection was dropped: ${why}`, cause, cause);
    else this.#fail(this.#cannotConnect(why, cause));
  }

  /** The connection never became usable, so no call was written. */
  #fail(error: MemcacheError): void {
    if (this.#state === 'ended') return;
    for (const { call } of this.#calls) {
      call.reject(error);
    }
    this.#calls.clear();
    this.#end(error.message, error, error);
  }

  /** Rejects what awaits a reply, unless it only reads and is to be repeated, and hands back what was never written. */
  #end(message: string, cause?: unknown, failure?: unknown, repeatsReads = false): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#deadlines.close();
    this.#connectTimer?.close();
    this.#transport.destroy();
    const unsent: Call<unknown>[] = [];
    const lost: { call: Call<unknown>; certainty: Certainty }[] = [];
    for (const { call, written } of this.#calls) {
      if (call.settled) continue;
      if (written && repeatsReads && call.command.reading !== undefined) {
        call.rewind();
        unsent.push(call);
      } else if (written) lost.push({ call, certainty: 'maybeExecuted' });
      else if (this.#retired) lost.push({ call, certainty: 'notSent' });
      else unsent.push(call);
    }
    this.#calls.clear();
    this.#owner.onEnd(this, unsent, failure);
    for (const { call, certainty } of lost) {
      const { verb: command } = call.command;
      call.reject(new MemcacheUnexpectedCloseError(message, { ...this.#origin(certainty, cause), command }));
    }
  }

  #cannotConnect(why: string, cause?: unknown): MemcacheConnectError {
    const message = `cannot connect to ${this.#name}: ${why}; is a memcached running there?`;
    return new MemcacheConnectError(message, this.#origin('notSent', cause));
  }

  #origin(certainty: Certainty, cause?: unknown): { server: string; certainty: Certainty; cause: unknown } {
    return { server: this.#name, certainty, cause };
  }

  get #name(): string {
    return this.#settings.address.name;
  }

  // ── bookkeeping ─────────────────────────────────────────────────────────────────────────────────────────

  /** When nothing is awaited any more, the process may end, or the connection if it was asked to. */
  #settleDown(): void {
    this.#calls.trim();
    if (this.#calls.size > 0 && !(this.#retired && this.#isUnwanted())) return;
    if (this.#retired) {
      this.#end('the connection was closed by close()');
      return;
    }
    this.#setRef(false);
    this.#owner.onIdle();
  }

  /** Whether all that is still to come was aborted. Commands that ask for no answer are to arrive before the end. */
  #isUnwanted(): boolean {
    for (const { call } of this.#calls) if (!call.settled || call.command.noreply) return false;
    return true;
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
