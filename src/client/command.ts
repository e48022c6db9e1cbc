import type { Frame } from '../protocol/frame';
import { routingPart, type Key, type KeyPart } from '../protocol/key';
import { isValueFor, replyError } from '../protocol/reply';
import type { RequestWriter } from '../protocol/request';
import { HIT, MISS, OK, type Outcome, type Tally } from './outcomes';

/** Returned by {@link ReplyReader.read} while the reply is not complete. */
export const MORE: unique symbol = Symbol('more');

/** Reads the frames of one reply. */
export interface ReplyReader<R> {
  /**
   * Takes the next frame of the reply.
   *
   * @returns the result with the last frame, {@link MORE} before.
   * @throws MemcacheError, which the caller gets instead of a result; the server and the command are added to it.
   */
  read(frame: Frame, server: string): R | typeof MORE;
  /** The key, as it travels, of the value that most likely comes next: its line is read faster. */
  readonly expectedKey?: string | undefined;
}

/**
 * Thrown by a reader: an error line stands inside a reply of several parts, and it cannot be known whether the rest follows.
 * memcached's proxy continues after it, memcached and twemproxy do not.
 */
export class BrokenReply extends Error {
  /** The server's error. */
  declare readonly cause: Error;

  constructor(cause: Error) {
    super(cause.message, { cause });
  }
}

/** How a fallback over several caches handles a command that reads. */
export interface Reading<R> {
  /** The command that asks for what `result` lacks; `undefined` when nothing is missing. */
  rest(result: R): Command<R> | undefined;
  /** Combines two results. */
  join(first: R, second: R): R;
  /** The keys of what `result` holds. */
  hits(result: R): readonly KeyOf[];
  /** The result with 18446744073709551615, which no server makes, in place of its tokens, for a cache that is not written to: its tokens mean nothing elsewhere. */
  withoutTokens(result: R): R;
}

/** The {@link Reading} of a command for one item: the result of the cache that was asked last counts. */
export function readingOfOne<R>(
  command: Command<R>,
  isMiss: (result: R) => boolean,
  withoutTokens: (result: R) => R,
  keys: readonly KeyOf[] = [],
): Reading<R> {
  return {
    rest: (result) => (isMiss(result) ? command : undefined),
    join: (_, second) => second,
    hits: (result) => (isMiss(result) ? [] : keys),
    withoutTokens,
  };
}

/** How a fallback over several caches handles a command that deletes. */
export interface Deleting<R> {
  /** The keys as they travel; undefined for all keys, and when they are not known. */
  readonly wireKeys: readonly string[] | undefined;
  /** The command for the older caches. */
  readonly elsewhere: Command<R>;
  /** Whether the older caches get theirs only if the first agreed: its tokens mean nothing to them. */
  onlyAfter?(result: R): boolean;
}

/** Stands for the token of an item that only an older cache has. No server makes this number. */
export const NO_CAS = '18446744073709551615';

/** A key in both of its forms. */
export interface KeyOf {
  readonly wireKey: string;
  readonly key: Key;
}

/**
 * A request as an immutable value: it knows its bytes, how its reply is read, which keys it concerns and whether it
 * may be sent twice. It holds no promise, so that it can be sent again, split, or sent to many servers.
 */
export type Command<R> = KeyCommand<R> | KeysCommand<R, unknown> | ServerCommand<R>;

/**
 * What all commands have. Constants of a class are getters: a field would take eight bytes in each call that waits. Fields are only
 * declared, and assigned in the constructor. To define them in a class with five or more subclasses is slow in V8: in a process
 * that uses many commands each call would take 1.8 times as long.
 */
abstract class BaseCommand<R> {
  /** The protocol's word, for example `get`. */
  abstract readonly verb: string;
  /** Whom it concerns: the owner of one key, the owners of several keys, or every server. */
  abstract readonly scope: 'key' | 'keys' | 'server';
  /** Whether sending it twice has the same effect as sending it once. */
  abstract readonly idempotent: boolean;
  /** Whether the server is asked not to answer. The command then settles with {@link unanswered} once it is written. */
  declare readonly noreply: boolean;

  static {
    Object.assign(this.prototype, { noreply: false });
  }

  constructor(noreply = false) {
    // Most commands have that of the prototype, and not eight bytes for it.
    if (noreply) this.noreply = true;
  }

  /** Whether the server is to answer all the same, so that its answer can be read and dropped; asked only if `noreply` is set. */
  get answeredUnasked(): boolean {
    return false;
  }
  /** Whether a caller asked for it, or waits for what it finds out. Any other is not counted, and does not hold up `close()`. */
  get ofCaller(): boolean {
    return true;
  }
  /** Whether a data block follows the line: a refused line may then leave the block to be read as commands. */
  get hasBlock(): boolean {
    return false;
  }
  /** The token that ends a reply of unknown shape; nothing else may then be on the connection. Undefined for all other commands. */
  get rawUntil(): Buffer | undefined {
    return undefined;
  }

  /** How many keys it concerns; 0 for a command to servers. */
  abstract get keyCount(): number;

  /** The first of its keys. */
  get firstKey(): Key | undefined {
    return undefined;
  }

  /** The outcome, which is one for all its keys unless it has a {@link tally} of its own. */
  // eslint-disable-next-line @typescript-eslint/no-unused-vars -- most commands look at it
  outcome(_result: R): Outcome {
    return OK;
  }

  /** Tells `tally` the outcome of each key. */
  tally(result: R, tally: Tally): void {
    tally.add(this.outcome(result), this.keyCount || 1);
  }

  /** The first version of memcached that knows it; undefined when all versions do. */
  get since(): string | undefined {
    return undefined;
  }
  /** Whether it harms the connection to a server that does not know it, so that the version is asked for first. */
  get mustBeKnown(): boolean {
    return this.hasBlock && this.since !== undefined;
  }
  /** Whether it may be written at any time, whatever the server is, and others after it. One question in place of four, where each call is asked. */
  get ordinary(): boolean {
    return this.rawUntil === undefined && !this.mustBeKnown && !this.closes;
  }
  /** Whether twemproxy, mcrouter and memcached's proxy all know it. Those that came later to memcached they do not. */
  get throughProxies(): boolean {
    return this.since === undefined;
  }
  /** Whether the server answers by closing the connection. */
  get closes(): boolean {
    return false;
  }
  /** The same request with a line, and so a reply, for each key; undefined when each key has a line anyway. */
  get separated(): Command<R> | undefined {
    return undefined;
  }

  /** The same request when an earlier attempt may have been executed; undefined when that makes no difference. */
  get again(): Command<R> | undefined {
    return undefined;
  }

  /** Adds the request to what is being written. */
  abstract write(request: RequestWriter): void;

  /** A reader for one reply: the command itself when one frame is enough. */
  abstract reader(): ReplyReader<R>;

  /** How a fallback completes the result from another cache; `undefined` for commands that do not only read. */
  get reading(): Reading<R> | undefined {
    return undefined;
  }

  /** Whether it may be asked again whatever became of it, since it changes nothing. */
  get onlyReads(): boolean {
    return this.reading !== undefined;
  }

  /** How a fallback passes it on to older caches; `undefined` for commands that do not delete. */
  get deleting(): Deleting<R> | undefined {
    return undefined;
  }

  /** When its token is 18446744073709551615, that of an item which only an older cache has: the command that stores only if there is still no such item. */
  get ifAbsent(): Command<R> | undefined {
    return undefined;
  }

  /** The result when no reply is awaited. */
  unanswered(): R {
    throw new Error(`${this.verb} is always answered`);
  }

  /** The error that an unusable frame means. */
  protected refuse(frame: Frame, server: string): Error {
    return replyError(frame, this, server);
  }
}

/** A command for one key whose reply is one frame: its own reader. */
export abstract class KeyCommand<R> extends BaseCommand<R> implements ReplyReader<R> {
  get scope(): 'key' {
    return 'key';
  }

  /** The key as it travels, prefix included, one character per byte. */
  declare readonly wireKey: string;
  /** There only where the key does not travel as it was given. */
  declare private readonly keyGiven?: Key;

  constructor(wireKey: string, key: Key, noreply?: boolean) {
    super(noreply);
    this.wireKey = wireKey;
    if (key !== wireKey) this.keyGiven = key;
  }

  /** The caller's key. */
  get key(): Key {
    return this.keyGiven ?? this.wireKey;
  }

  /** The part of the key that a cluster places it by; never prefixed. */
  get routingPart(): KeyPart {
    return routingPart(this.key);
  }

  get keyCount(): number {
    return 1;
  }

  override get firstKey(): Key {
    return this.key;
  }

  reader(): ReplyReader<R> {
    return this;
  }

  abstract read(frame: Frame, server: string): R | typeof MORE;
}

/**
 * A retrieval of one key that may share its line with its neighbours: the connection writes the gets of one tick as
 * `get k1 k2 …`. A server of Debian's age makes one system call per `get` line, so this makes gets four times cheaper;
 * and since each `VALUE` names its key, a stream out of step is noticed at once.
 */
export abstract class JoinableGet<R> extends KeyCommand<R> {
  abstract override readonly verb: 'get' | 'gets' | 'gat' | 'gats';
  get idempotent(): boolean {
    return true;
  }

  /** What its line begins with; those that begin alike may share one. */
  get lineStart(): string {
    return this.verb;
  }

  write(request: RequestWriter): void {
    request.text(`${this.lineStart} ${this.wireKey}${afterLastKey(this.wireKey)}\r\n`);
  }

  get expectedKey(): string {
    return this.wireKey;
  }

  /** Whether the frame is a value for this key. */
  answeredBy(frame: Frame): boolean {
    return isValueFor(frame, this.wireKey);
  }

  abstract hit(frame: Frame): R;
  abstract miss(): R;

  /** An item is a miss too if the serde says so. */
  override outcome(result: R): Outcome {
    return result === undefined ? MISS : HIT;
  }

  /** A hit with 18446744073709551615, which no server makes, in place of its token, if it has one. */
  protected withoutToken(hit: R): R {
    return hit;
  }

  override get reading(): Reading<R> {
    const isMiss = (result: R): boolean => this.outcome(result) === MISS;
    return readingOfOne(this, isMiss, (result) => (isMiss(result) ? result : this.withoutToken(result)), [this]);
  }

  /** Never called: joined gets are read by the connection, which knows whose turn it is. */
  read(frame: Frame, server: string): never {
    throw this.refuse(frame, server);
  }
}

/** A `get` line is kept below this many bytes: some managed services refuse lines beyond 16 KB. */
export const MAX_GET_LINE = 15_000;

/**
 * The key that may be taken for the flag where it ends a line, which is then not answered: by memcached's proxy in a line of
 * `get`, and by memcached since 1.6.40 in one of `delete`.
 */
export const FLAG_KEY = 'noreply';
/** The key that is then asked for as well. */
const STOPGAP = 'noreply-';

/** What follows the last key in a line of `get` or `gets`: usually nothing. */
export function afterLastKey(wireKey: string): string {
  return wireKey === FLAG_KEY ? ` ${STOPGAP}` : '';
}

/** Whether the frame is a value that only {@link afterLastKey} asked for, so that no call gets it. */
export function isStopgap(frame: Frame, lastKey: string): boolean {
  return lastKey === FLAG_KEY && isValueFor(frame, STOPGAP);
}

/** A command for several keys that can be split among their owners, each of which gives a `Part` of the result. */
export abstract class KeysCommand<R, Part = R> extends BaseCommand<R> {
  get scope(): 'keys' {
    return 'keys';
  }

  /** The caller's keys. */
  abstract get keys(): readonly Key[];

  /** The parts of the keys that a cluster places them by, in order. */
  routingParts(): KeyPart[] {
    return this.keys.map(routingPart);
  }

  get keyCount(): number {
    return this.keys.length;
  }

  override get firstKey(): Key | undefined {
    return this.keys[0];
  }

  /** The same command for only the keys at `indices`. */
  abstract pick(indices: readonly number[]): KeysCommand<Part>;

  /**
   * Merges the results of the parts that did not fail.
   *
   * @param owners - for each key the index of its part's result; -1 when it has none
   */
  abstract merge(parts: readonly Part[], owners: readonly number[]): R;

  /** The result if it was certainly not executed; undefined if the call must fail then. */
  get whenNotSent(): R | undefined {
    return undefined;
  }
}

/** A command that every server receives: one line. Sent twice, most have the effect of once. */
export abstract class ServerCommand<R> extends BaseCommand<R> implements ReplyReader<R> {
  declare readonly verb: string;
  readonly #line: string;

  constructor(verb: string, line = verb, noreply?: boolean) {
    super(noreply);
    this.verb = verb;
    this.#line = line;
  }

  get scope(): 'server' {
    return 'server';
  }

  get idempotent(): boolean {
    return true;
  }

  get keyCount(): number {
    return 0;
  }

  write(request: RequestWriter): void {
    request.text(this.#line + '\r\n');
  }

  /** The command itself, whose {@link read} is enough for a reply of one frame. */
  reader(): ReplyReader<R> {
    return this;
  }

  /** For a command that is not answered by frames. */
  read(frame: Frame, server: string): R | typeof MORE {
    throw this.refuse(frame, server);
  }

  /** Merges the results of the servers. */
  abstract merge(results: readonly R[]): R;

  /** What one server of a cluster is sent in its place, if that is another for each. */
  to?(server: string): ServerCommand<R>;
}

/** The end of a command's line. */
export function lineEnd(noreply: boolean): string {
  return noreply ? ' noreply\r\n' : '\r\n';
}
