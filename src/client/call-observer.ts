import { MemcacheError, MemcachePartialError } from '../errors';
import { systemRandom } from '../runtime/random';
import type { Key } from '../protocol/key';
import { rejected } from './abort';
import type { Command } from './command';
import type { ExecuteOptions, Executor } from './executor';
import { HIT, MISS, type Outcome } from './outcomes';
import { commands, observed, stringFrom, type CommandMessage, type CommandOutcome } from './observe';

/** What is published on the channels of `CHANNELS`, beyond the default. */
export interface DiagnosticsOptions {
  /** Returns what may be published of the first key of a call, for example its prefix. @default nothing is published */
  key?: ((key: Key) => string) | undefined;
  /** The share of calls that are published on `CHANNELS.command`, from 0 to 1. @default 1 */
  sample?: number | undefined;
}

/** Publishes the calls of one client, if anybody listens, and with `callerStack` notes where they were made. */
export class CallObserver {
  readonly #executor: Executor;
  readonly #clientId: number;
  readonly #server: string | undefined;
  readonly #key: ((key: Key) => string) | undefined;
  readonly #sample: number;
  readonly #callerStack: boolean;

  constructor(executor: Executor, clientId: number, { key, sample = 1 }: DiagnosticsOptions = {}, callerStack = false) {
    this.#executor = executor;
    this.#clientId = clientId;
    this.#server = executor.monitor?.server;
    this.#key = key;
    this.#sample = sample;
    this.#callerStack = callerStack;
  }

  /** Whether the next call needs no observation. */
  get idle(): boolean {
    return !this.#callerStack && !commands.heard;
  }

  /** Passes the call to the executor, observed. */
  execute<R>(command: Command<R>, options: ExecuteOptions | undefined): Promise<R> {
    const isPublished = commands.heard && (this.#sample === 1 || systemRandom() < this.#sample);
    const result = isPublished ? this.#publish(command, options) : this.#executor.execute(command, options);
    return this.#callerStack ? withCaller(result) : result;
  }

  #publish<R>(command: Command<R>, options: ExecuteOptions | undefined): Promise<R> {
    // Without what most messages do not have: each field takes eight bytes of every call that waits.
    const message: CommandMessage = {
      clientId: this.#clientId,
      command: command.verb,
      keyCount: command.keyCount,
      server: this.#server,
      outcome: undefined,
      hits: undefined,
      attempts: 1,
    };
    const { firstKey } = command;
    if (firstKey !== undefined && this.#key !== undefined) message.key = stringFrom(() => this.#key?.(firstKey));
    return commands.begin(message, this.#handOver<R>, new PublishedCall(command, options, message));
  }

  /**
   * Hands the call over, and tells of its end: in the context of the stores bound to the channel, as with Node's `tracePromise`. A
   * user's own executor may throw; the call then rejects like any other.
   */
  readonly #handOver = <R>(call: PublishedCall<R>): Promise<R> => {
    let result;
    try {
      result = this.#executor.execute(call.command, call);
    } catch (error) {
      result = rejected(error);
    }
    // Bound functions, as closures and their context would take 70 bytes more of each call that waits.
    return result.then(succeeded.bind(call) as (value: R) => R, failed.bind(call));
  };
}

/** By {@link Outcome}. */
const NAMES: readonly CommandOutcome[] = ['hit', 'miss', 'miss', 'stored', 'notStored', 'exists', 'ok'];

/** What is passed down with a published call, and what is needed to tell of its end: one object, as many may wait. */
class PublishedCall<R> implements ExecuteOptions {
  readonly signal: AbortSignal | undefined;
  readonly deadline: number | undefined;
  readonly trace: CommandMessage;
  readonly command: Command<R>;

  constructor(command: Command<R>, options: ExecuteOptions | undefined, trace: CommandMessage) {
    this.signal = options?.signal;
    this.deadline = options?.deadline;
    this.trace = trace;
    this.command = command;
  }
}

function succeeded<R>(this: PublishedCall<R>, value: R): R {
  describe(this.command, value, this.trace);
  commands.finish(this.trace);
  return value;
}

function failed(this: PublishedCall<unknown>, error: unknown): never {
  this.trace.error = observed(error, this.signal);
  commands.finish(this.trace);
  throw error;
}

function describe<R>(command: Command<R>, result: R, message: CommandMessage): void {
  seen.outcome = seen.hits = undefined;
  if (command.noreply) seen.outcome = 'ok';
  else command.tally(result, seen);
  if (message.keyCount <= 1) message.outcome = seen.outcome;
  message.hits = seen.hits;
}

/** Takes what a command says of its result; one object for all calls, as it is read at once. */
const seen = {
  outcome: undefined as CommandOutcome | undefined,
  hits: undefined as number | undefined,
  add(outcome: Outcome, keys: number): void {
    // Commands for many keys tell of each outcome that they may have.
    if (keys === 0) return;
    this.outcome = NAMES[outcome];
    if (outcome === HIT) this.hits = (this.hits ?? 0) + keys;
    else if (outcome === MISS) this.hits ??= 0;
  },
};

/** What the stack was of errors that have that of a call. */
const placed = new WeakMap<object, string | undefined>();

async function withCaller<R>(result: Promise<R>): Promise<R> {
  const here: { stack?: string } = {};
  Error.captureStackTrace(here, withCaller);
  try {
    return await result;
  } catch (error) {
    if (!(error instanceof MemcacheError)) throw error;
    // The first line is the message; the next two are frames of this class and of the client.
    const frames = String(here.stack).split('\n').slice(3);
    const known = placed.get(error);
    const stack = known ?? error.stack;
    let own = error;
    // A copy, where another call that was made elsewhere has failed with the same error. What other calls were given would not be in it.
    // It is made by `Error`, since from Node 26 on nothing else has a stack that can be set.
    if (known !== undefined && !(error instanceof MemcachePartialError)) own = Object.setPrototypeOf(Object.assign(new Error(error.message, error), error), Object.getPrototypeOf(error) as object) as MemcacheError;
    placed.set(own, stack);
    own.stack = [stack, '    --- the call ---', ...frames].join('\n');
    throw own;
  }
}
