import {
  MemcacheConnectError,
  MemcacheError,
  MemcacheServerError,
  MemcacheTimeoutError,
  MemcacheUnexpectedCloseError,
  MemcacheUnknownError,
  type Certainty,
} from '../../errors';
import { latin1Slice } from '../../protocol/bytes';
import { FrameError, FrameReader, type Frame } from '../../protocol/frame';
import { NO_PLACE, replyRules, TOO_MANY_CONNECTIONS } from '../../protocol/reply';
import { RequestWriter } from '../../protocol/request';
import { nextTick } from '../../runtime/clock';
import { withoutStacks } from '../../runtime/without-stacks';
import type { Call, Carrier } from '../call';
import { CallQueue } from './call-queue';
import type { ConnectionSettings } from '../client-options';
import type { ServerMeter } from '../meter';
import type { Timed } from '../timed';
import { batches, connectionsClosed, connectionsReady, connects, observed, timeouts, type ConnectMessage } from '../observe';
import { CallDeadlines, fairTimeout, OneDeadline, type DeadlineKeeper, type Verdict } from './call-deadlines';
import { dial, NO_TRANSPORT } from './dial';
import { Handshake } from './handshake';
import { Inbox, RepeatSeparately, SpoilingReply, unasked } from './inbox';
import { Outbox } from './outbox';
import { RawReader } from './raw-reader';
import { REFUSED_CERTIFICATE, whatToCheck, whyClosed, whyUnreadable } from './reasons';
import { ReplyTimes } from './reply-times';
import type { SilentConnections } from './silent';
import type { Transport } from './transport';

/** While the socket holds more than this, calls wait in the queue, where they can still be withdrawn. */
const MAX_BACKLOG = 64 * 1024;
/** A connection unused for this long is looked at once more before it is written to: the server may have said goodbye. */
const IDLE = 1000;

/** With at least this many replies under way, calls may wait for the next of them. */
const IN_FLIGHT = 4;

/**
 * Makes the connections of a cluster write the calls of a whole turn of the event loop together, not those of one tick. Every
 * reply that is read makes calls for all servers, so this halves the writes. When the loop has no time to spare, a connection
 * that awaits replies writes again when the next of them has come.
 */
export interface Gathering {
  /** Whether the event loop has no time to spare; `now` is the time of the monotonic clock. */
  isBusy(now: number): boolean;
}

/** What is still to be waited for. */
type Closing = Promise<unknown> | false | undefined;

/** What becomes of a connection: numbers, as they are asked for everywhere. */
const enum State {
  Opening,
  Authenticating,
  Ready,
  Ended,
}

/** Is told of what happens to a connection. */
export interface WireOwner {
  /** Undefined when the calls of each tick are written at its end. */
  readonly gathering: Gathering | undefined;
  readonly meter: ServerMeter;
  readonly silent: SilentConnections;
  /** Whether each key must have a line of its own at present. */
  readonly separately: boolean;
  /** A reply for several keys was broken by an error. */
  onBrokenReply(): void;
  /**
   * These were certainly not executed, since the connection never worked; whether they will be sent over another one.
   *
   * @param noPlace whether the server has said that it is one too many
   */
  takeBack(calls: readonly Call<unknown>[], noPlace: boolean): boolean | undefined;
  /** Nothing is awaited any more. */
  onIdle(): void;
  /**
   * No more calls can be taken; `unsent` were never written. `failure` tells what went wrong, if something was awaited
   * or the connection could not be made; it is undefined after a farewell.
   *
   * @returns what {@link Wire.retire} waits for besides: the end of the connection that has taken the calls
   */
  onEnd(wire: Wire, unsent: Call<unknown>[], failure: MemcacheError | undefined): Closing;
}

/**
 * One connection from its opening to its end, and everything that must not outlive it: the parser's state and the
 * replies awaited. It never heals; a {@link Connection} replaces it.
 */
export class Wire implements Carrier, DeadlineKeeper {
  readonly #settings: ConnectionSettings;
  readonly #owner: WireOwner;
  #transport = NO_TRANSPORT;
  readonly #reader: FrameReader;
  readonly #calls = new CallQueue();
  readonly #request = new RequestWriter();
  readonly #outbox: Outbox;
  readonly #inbox: Inbox;
  #state = State.Opening;
  readonly #handshake: Handshake | undefined;
  /** While a raw command is answered. */
  #raw: RawReader | undefined;
  #flushScheduled = false;
  /** Whether something was read, the socket has room again, or a call was aborted, since calls were written. */
  #goesOn = false;
  #lastFlush: number;
  readonly #deadlines: CallDeadlines;
  #connectTimer: { close(): void } | undefined;
  #ref = true;
  #retired = false;
  /** Whether some of its calls were aborted, so that none of them may be wanted any more. */
  #abandoned = false;
  /** Nobody waits for the calls before this position any more: they need not be looked at again, however many they are. */
  #unwantedUpTo = 0;
  /** Resolves when the socket is closed. */
  readonly #closed: Promise<unknown>;
  #tellClosed: ((closing: Closing) => void) | undefined;
  /** The end of the connection that has its unwritten calls. */
  #closing: Closing;
  readonly #times: ReplyTimes;
  /** Where the calls stand in the queue that are to be written next. */
  #writtenUpTo = 0;
  /** What is told of the connection being made, when somebody listens. */
  #dial: ConnectMessage | undefined;
  /** When it began to be made, and then when it was. */
  #since: number;
  #heard = false;

  constructor(settings: ConnectionSettings, owner: WireOwner) {
    this.#settings = settings;
    this.#owner = owner;
    this.#closed = new Promise((resolve) => { this.#tellClosed = resolve; });
    this.#lastFlush = this.#since = settings.clock.now();
    this.#times = new ReplyTimes(this.#calls, owner.meter, settings.clock);
    this.#deadlines = new CallDeadlines(settings.clock, settings.timeout, this);
    this.#handshake = settings.auth && new Handshake(settings.address.name, settings.auth);
    this.#outbox = new Outbox(this.#calls, this.#request, settings.maxPending, owner.meter);
    this.#inbox = new Inbox(this.#calls, owner.meter);
    const expectedKey = (): string | undefined => this.#inbox.expectedKey;
    this.#reader = new FrameReader(replyRules(settings.maxValueSize, expectedKey), (frame) => {
      this.#onFrame(frame);
    });
  }

  /** To be called when it has its first call. Whoever listens, or whatever the option `connect` is, may add others, or close it. */
  open(): void {
    if (connects.heard) this.#dial = { ...this.#origin, tls: this.#settings.tls !== undefined };
    this.#transport = this.#dial === undefined ? this.#connect() : connects.begin(this.#dial, () => this.#connect(), undefined);
    if (this.#state === State.Ended) this.#destroy();
  }

  get meter(): ServerMeter {
    return this.#owner.meter;
  }

  /** How many calls wait for something. */
  get pending(): number {
    return this.#calls.size;
  }

  /** Whether the server has sent anything over it: before that, the connection may be beyond the server's limit. */
  get isHeard(): boolean {
    return this.#heard;
  }

  /** Takes a call; it is written at the end of this tick, or when the connection is open and the socket takes it. */
  add(call: Call<unknown>): void {
    if (!this.#flushScheduled) this.#scheduleFlush();
    this.#setRef(true);
    this.#deadlines.begin(call);
    this.#calls.push(call);
  }

  /** To be called when a call was aborted that may be one of its own. */
  onWithdrawn(): void {
    this.#abandoned = this.#goesOn = true;
    this.#scheduleFlush();
  }

  /**
   * Lets the calls that it has finish, then closes. To be called once, and no more calls are added then.
   *
   * @returns when the socket is closed, and that of the connection to which calls went that this one did not write
   */
  retire(): Promise<unknown> {
    this.#retired = true;
    this.#setRef(true);
    this.#settleDown();
    return this.#closed;
  }

  // ── opening ─────────────────────────────────────────────────────────────────────────────────────────────

  #connect(): Transport {
    const { clock, connectTimeout } = this.#settings;
    this.#connectTimer = fairTimeout(clock, new OneDeadline(clock, connectTimeout), connectTimeout, () => {
      this.#cannotConnect(`no connection within ${connectTimeout} ms`);
    });
    return dial(this.#settings, {
      onOpen: () => { this.#onOpen(); },
      onData: (buffer, length) => { this.#onData(buffer, length); },
      onDrain: () => {
        this.#goesOn = true;
        this.#scheduleFlush();
      },
      onClose: (cause) => { this.#onClose(cause); },
    });
  }

  #onOpen(): void {
    if (this.#state !== State.Opening) return;
    // Node tries each address of a name with a handle of its own, which keeps the process alive whatever the one before it did.
    if (!this.#ref) this.#transport.unref();
    if (this.#handshake === undefined) {
      this.#onReady();
      return;
    }
    this.#state = State.Authenticating;
    this.#handshake.write(this.#request);
    this.#send();
  }

  #onReady(): void {
    this.#state = State.Ready;
    this.#owner.silent.end(true);
    this.#connectTimer?.close();
    this.meter.connected();
    this.#tellOfDial(undefined);
    const now = this.#settings.clock.now();
    if (connectionsReady.hasSubscribers) connectionsReady.publish({ ...this.#origin, durationMs: now - this.#since });
    this.#since = now;
    this.#flush();
  }

  #onHandshakeReply(frame: Frame): void {
    const refusal = this.#handshake?.refusal(frame);
    if (refusal === undefined) this.#onReady();
    else this.#giveUp(refusal);
  }

  #tellOfDial(error: unknown): void {
    const dial = this.#dial;
    if (dial === undefined) return;
    this.#dial = undefined;
    if (error !== undefined) dial.error = observed(error);
    connects.finish(dial);
  }

  /** What every message has. */
  get #origin(): { clientId: number; server: string } {
    return { clientId: this.meter.clientId, server: this.#name };
  }

  // ── writing ─────────────────────────────────────────────────────────────────────────────────────────────

  #scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    this.#deadlines.startTick();
    nextTick(() => {
      this.#onTickEnd();
    });
  }

  #onTickEnd(): void {
    if (this.#state === State.Ended) return;
    const now = this.#deadlines.look();
    const { gathering } = this.#owner;
    const { written } = this.#calls;
    if (written >= IN_FLIGHT && !this.#goesOn && gathering?.isBusy(now)) {
      this.#flushScheduled = false;
      return;
    }
    const idle = !written && now - this.#lastFlush > IDLE;
    this.#lastFlush = now;
    // What is asked for while sockets are read comes after the last look at this one: hence a whole turn.
    this.#flushAfter(idle ? 2 : gathering ? 1 : 0);
  }

  /** @param turns of the event loop, ended by the look at the sockets */
  #flushAfter(turns: number): void {
    if (turns > 0 && this.#state === State.Ready) {
      this.#settings.clock.setImmediate(() => {
        this.#deadlines.look();
        this.#flushAfter(turns - 1);
      });
    } else {
      this.#flush();
    }
  }

  get #hasMore(): boolean {
    return this.#calls.next !== undefined || this.#request.size > 0;
  }

  get #hasRoom(): boolean {
    return this.#transport.backlog <= MAX_BACKLOG;
  }

  /** Writes what may be written. */
  #flush(): void {
    this.#flushScheduled = this.#goesOn = false;
    while (this.#state === State.Ready && this.#hasMore && this.#hasRoom) {
      // The bytes of a call whose server had to be asked for its version first: it is written only now.
      if (this.#request.size > 0) this.#times.startAgain();
      if (!this.#outbox.encode(this.#owner.separately)) break;
      this.#send();
    }
    if (this.#state !== State.Ended) this.#settleDown();
  }

  #send(): void {
    this.#countBatch(this.#request.size);
    // Before it is written: a transport of the user's own may pass on the reply at once.
    const until = this.#outbox.rawUntil;
    if (until !== undefined) this.#raw ??= new RawReader(until, this.#settings.maxValueSize, this.#name);
    const transport = this.#transport;
    const { hasBlocks } = this.#request;
    try {
      if (hasBlocks) transport.cork();
      // What must wait in the stream's queue would be looked at only later, and an array of the caller's may be gone by then.
      const waits = transport.backlog > 0;
      this.#request.drain((piece) => {
        transport.write(waits && typeof piece !== 'string' ? Buffer.from(piece) : piece);
      });
      if (hasBlocks) transport.uncork();
    } catch (error) {
      this.#spoil(error);
    }
  }

  #countBatch(bytes: number): void {
    this.meter.wrote(bytes);
    const { nextPosition } = this.#calls;
    const calls = nextPosition - this.#writtenUpTo;
    // Credentials are no calls.
    if (this.#state !== State.Ready) return;
    this.#writtenUpTo = nextPosition;
    this.#times.wrote();
    if (!batches.hasSubscribers) return;
    // Field by field: an object that is spread costs two microseconds.
    const { clientId, server } = this.meter;
    batches.publish({ clientId, server, calls, bytes });
  }

  // ── reading ─────────────────────────────────────────────────────────────────────────────────────────────

  #onData(buffer: Buffer, length: number): void {
    // A transport of the user's own may have read nothing.
    if (this.#state === State.Ended || length === 0) return;
    this.meter.read(length);
    this.#owner.silent.end(true);
    this.#goesOn = true;
    if (!this.#heard) {
      if (latin1Slice(buffer, 0, Math.min(length, NO_PLACE.length)) === NO_PLACE) {
        this.#onNoPlace();
        return;
      }
      this.#heard = true;
    }
    try {
      if (this.#raw !== undefined) this.#readRaw(this.#raw, buffer.subarray(0, length));
      else if (this.#calls.head === undefined && this.#state === State.Ready) throw unasked();
      else this.#reader.push(buffer, 0, length);
    } catch (error) {
      this.#times.endRead();
      this.#onUnreadable(error);
      return;
    }
    this.#times.endRead();
    this.#settleDown();
    // Room in the pipeline, or the end of what a raw command, or one that had to ask for the version, waited for.
    if (this.#hasMore && this.#hasRoom) this.#scheduleFlush();
  }

  /** The call whose turn it is learns what was wrong with its reply, unless it was told; the others that the connection is gone. */
  #onUnreadable(error: unknown): void {
    if (error instanceof SpoilingReply) this.#spoil(error.cause);
    else if (error instanceof RepeatSeparately) this.#repeatSeparately(error.cause);
    else {
      if (this.#state === State.Ready) this.#calls.head?.reject(this.#unreadable(error), this.meter);
      this.#spoil(error);
    }
  }

  /** The connection is given up, which is not the server's fault; what only reads goes on over the next one. */
  #repeatSeparately(cause: Error): void {
    this.#owner.onBrokenReply();
    this.#end(`the connection was dropped: ${cause.message}`, cause, undefined, true);
  }

  #unreadable(error: unknown): MemcacheError {
    return error instanceof MemcacheError ? error : new MemcacheUnknownError(whyUnreadable(error), this.#about('maybeExecuted', error));
  }

  #onFrame(frame: Frame): void {
    if (this.#state === State.Ready) this.#inbox.take(frame);
    else if (this.#state === State.Authenticating) this.#onHandshakeReply(frame);
  }

  #readRaw(reader: RawReader, chunk: Buffer): void {
    const answer = reader.push(chunk);
    if (answer === undefined) return;
    const call = this.#calls.head;
    this.#raw = undefined;
    this.#calls.shift();
    call?.resolve(answer.reply, this.meter);
    if (!answer.clean) throw new FrameError('bytes came after the end token of a raw command');
  }

  // ── time ────────────────────────────────────────────────────────────────────────────────────────────────

  *timed(): Generator<Timed> {
    for (const { call } of this.#calls) yield call;
  }

  /** Rejects what is late; a reply that has not come in time spoils the connection. */
  judge(verdict: Verdict): number {
    let earliest = Infinity;
    let late: MemcacheTimeoutError | undefined;
    let unsent: MemcacheTimeoutError | undefined;
    let wanted = false;
    for (const { call, written } of this.#calls) {
      if (!verdict.isDue(call)) {
        earliest = Math.min(earliest, verdict.dueAt(call));
        wanted ||= !call.settled;
      } else if (!written) {
        if (!call.settled) call.reject((unsent = this.#timedOut(call, 'notSent')), this.meter);
      } else if (call.reader !== undefined) {
        const error = this.#timedOut(call, this.#outbox.isAsking(call) ? 'notSent' : 'maybeExecuted');
        late ??= error;
        call.reject(error, this.meter);
      }
    }
    // A server that has answered all, and does not read: there would never be room again.
    if (!this.#hasRoom && this.#calls.head === undefined) late ??= unsent;
    if (late !== undefined) this.#spoil(late);
    else if (!wanted && this.#state !== State.Ready) this.#cannotConnect('no call waits for it any more');
    return earliest;
  }

  #timedOut(call: Call<unknown>, certainty: Certainty): MemcacheTimeoutError {
    const { verb: command } = call.command;
    if (timeouts.hasSubscribers && !call.settled) {
      timeouts.publish({ ...this.#origin, command, certainty, pending: this.pending, limitMs: this.#settings.timeout });
    }
    const what = certainty === 'notSent' ? 'could not be sent in time to' : 'was not answered in time by';
    return new MemcacheTimeoutError(`"${command}" ${what} ${this.#name}; see the option timeout`, this.#about(certainty));
  }

  // ── ending ──────────────────────────────────────────────────────────────────────────────────────────────

  #onClose(cause: Error | undefined): void {
    const why = whyClosed(cause);
    if (this.#state !== State.Ready || (!this.#heard && REFUSED_CERTIFICATE.test(why))) {
      this.#cannotConnect(why, cause);
    } else {
      const { head } = this.#calls;
      if (head?.command.closes) {
        head.resolve(undefined, this.meter);
        this.#calls.shift();
      }
      const message = `the connection was lost: ${why}`;
      // A server may close a connection on which nothing is awaited: that is no failure.
      this.#end(message, cause, this.#calls.head && new MemcacheUnexpectedCloseError(message, this.#about('maybeExecuted', cause)));
    }
    // Those who wait for the end are told after all callers, whose promises reject a few microtasks from now.
    this.#settings.clock.setImmediate(() => { this.#tellClosed?.(this.#closing); });
  }

  /** There is a doubt about the position in the stream. */
  #spoil(cause: unknown): void {
    const why = whyUnreadable(cause);
    if (this.#state === State.Ready) this.#end(`the connection was dropped: ${why}`, cause, this.#unreadable(cause));
    else this.#cannotConnect(why, cause);
  }

  #cannotConnect(why: string, cause?: unknown): void {
    const question = whatToCheck(why, cause, this.#settings.tls !== undefined);
    const message = `cannot connect to ${this.#name}: ${why}; ${question}`;
    this.#giveUp(() => new MemcacheConnectError(message, this.#about('notSent', cause)));
  }

  /** The server says so before it reads anything, so none of the calls was executed, written or not. */
  #onNoPlace(): void {
    this.#giveUp(() => new MemcacheServerError(TOO_MANY_CONNECTIONS, this.#about('notSent')), true);
  }

  /** The connection never became usable, so that no call was executed. */
  #giveUp(failure: () => MemcacheError, noPlace = false): void {
    if (this.#state === State.Ended) return;
    const error = failure();
    // One that a full server has taken, and then refuses, has been counted as made.
    if (this.#state !== State.Ready) this.meter.connectFailed();
    this.#tellOfDial(error);
    if (!this.#retired && this.#areTakenBack(noPlace)) {
      this.#end(error.message, error);
      return;
    }
    const errors = new Map<string, MemcacheError>();
    for (const call of this.#awaited) {
      const { verb, keyCount } = call.command;
      let own = errors.get(verb);
      // The meter notes for how many keys an error stands: those for many are not shared.
      if (keyCount > 1) own = failure();
      else if (own === undefined) errors.set(verb, (own = failure()));
      call.reject(own, this.meter);
    }
    this.#calls.clear();
    this.#end(error.message, error, error);
  }

  /** Whether the calls go on over another connection. */
  #areTakenBack(noPlace: boolean): boolean {
    const calls = this.#awaited;
    if (calls.length === 0 || !this.#owner.takeBack(calls, noPlace)) return false;
    this.#calls.clear();
    return true;
  }

  /** Rejects what awaits a reply, unless it only reads and is to be repeated, and hands back what was never written. */
  #end(message: string, cause?: unknown, failure?: MemcacheError, repeatsReads = false): void {
    if (this.#state === State.Ended) return;
    const wasReady = this.#state === State.Ready;
    this.#state = State.Ended;
    this.#deadlines.close();
    this.#connectTimer?.close();
    if (cause instanceof MemcacheTimeoutError && !this.#retired) {
      this.#setRef(false);
      this.#owner.silent.add((drops) => { this.#destroy(drops); });
    } else this.#destroy();
    // Before the calls are looked at: who listens may make more.
    if (wasReady) this.#countEnd(failure);
    else this.#tellOfDial(new MemcacheUnexpectedCloseError(message));
    const unsent: Call<unknown>[] = [];
    const lost: { call: Call<unknown>; certainty: Certainty }[] = [];
    for (const { call, written } of this.#calls) {
      if (call.settled) continue;
      if (written && repeatsReads && call.command.onlyReads) {
        call.rewind();
        unsent.push(call);
      } else if (written || (this.#retired && !isWanted(call))) lost.push({ call, certainty: written && !this.#outbox.isAsking(call) ? 'maybeExecuted' : 'notSent' });
      else unsent.push(call);
    }
    this.#calls.clear();
    withoutStacks(() => {
      for (const { call, certainty } of lost) call.reject(new MemcacheUnexpectedCloseError(message, this.#about(certainty, cause)), this.meter);
    });
    // Last: a hasher of somebody's own, whose server this may take away, may throw.
    this.#closing = this.#owner.onEnd(this, unsent, failure);
  }

  #destroy(drops = false): void {
    try {
      this.#transport.destroy(drops);
    } catch {
      // One of the user's own, which may never tell of its end; those who wait are to be told all the same.
      nextTick(() => { this.#onClose(undefined); });
    }
  }

  #countEnd(failure: MemcacheError | undefined): void {
    this.meter.disconnected(failure !== undefined);
    if (!connectionsClosed.hasSubscribers) return;
    connectionsClosed.publish({ ...this.#origin, code: failure?.code, pending: this.#awaited.length, ageMs: this.#settings.clock.now() - this.#since });
  }

  #about(certainty: Certainty, cause?: unknown): { server: string; certainty: Certainty; cause: unknown } {
    return { server: this.#name, certainty, cause };
  }

  get #name(): string {
    return this.#settings.address.name;
  }

  // ── bookkeeping ─────────────────────────────────────────────────────────────────────────────────────────

  /** The calls that somebody waits for. */
  get #awaited(): Call<unknown>[] {
    return Array.from(this.#calls, ({ call }) => call).filter(({ settled }) => !settled);
  }

  /** When nothing is awaited any more, the process may end, or the connection if it was asked to. */
  #settleDown(): void {
    const isIdle = this.#calls.size === 0;
    if (!isIdle && !((this.#retired || this.#abandoned) && this.#isUnwanted())) return;
    if (this.#retired) {
      this.#end('the connection was closed by close()');
      return;
    }
    this.#setRef(false);
    if (isIdle) this.#owner.onIdle();
  }

  /** Whether all that is still to come was aborted. */
  #isUnwanted(): boolean {
    const { headPosition, size } = this.#calls;
    let at = Math.max(this.#unwantedUpTo, headPosition);
    while (at < headPosition + size && !isWanted(this.#calls.at(at))) at++;
    return (this.#unwantedUpTo = at) === headPosition + size;
  }

  /** Only a connection on which something is awaited keeps the process alive. */
  #setRef(ref: boolean): void {
    if (this.#ref === ref) return;
    this.#ref = ref;
    if (ref) this.#transport.ref();
    else this.#transport.unref();
  }
}

/** Whether somebody waits for it. Commands that ask for no answer are to arrive before the end. */
function isWanted(call: Call<unknown> | undefined): boolean {
  return call?.command.ofCaller === true && (!call.settled || call.command.noreply);
}
