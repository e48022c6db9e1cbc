/**
 *     delete <key> [noreply]\r\n               DELETED | NOT_FOUND
 *     touch <key> <exptime> [noreply]\r\n      TOUCHED | NOT_FOUND
 *     incr|decr <key> <delta> [noreply]\r\n    <the new count> | NOT_FOUND
 */
import { MemcacheInexactNumberError } from '../../errors';
import { isUint64, readDecimal } from '../../protocol/bytes';
import type { Frame } from '../../protocol/frame';
import type { Key } from '../../protocol/key';
import { isWord } from '../../protocol/reply';
import type { RequestWriter } from '../../protocol/request';
import { NOT_FOUND, OK, type Outcome, type Tally } from '../outcomes';
import { BatchReader } from './batch-reader';
import { pickAt } from './pick';
import { FLAG_KEY, KeyCommand, KeysCommand, lineEnd, type Command, type Deleting, type ReplyReader } from '../command';

/** The time to live of what expires at once. */
const EXPIRED = -1;

/**
 * A time of 0, which all versions accept, keeps {@link FLAG_KEY} from ending the line. twemproxy would close the connection: for a
 * proxy the key is made to expire at once, which is the same to everybody.
 */
function deleteLine(wireKey: string, noreply: boolean): string {
  return `delete ${wireKey}${wireKey === FLAG_KEY && !noreply ? ' 0' : ''}${lineEnd(noreply)}`;
}

/** A command for one key; resolves with whether it was there. */
abstract class PresenceCommand extends KeyCommand<boolean> {
  /** The reply when the key was there. */
  protected abstract get done(): string;

  get idempotent(): boolean {
    return true;
  }

  override outcome(found: boolean): Outcome {
    return found ? OK : NOT_FOUND;
  }

  override unanswered(): boolean {
    return true;
  }

  read(frame: Frame, server: string): boolean {
    if (isWord(frame, this.done)) return true;
    if (isWord(frame, 'NOT_FOUND')) return false;
    throw this.refuse(frame, server);
  }
}

/** Whether the key was there. */
export class DeleteCommand extends PresenceCommand {
  get verb(): 'delete' {
    return 'delete';
  }

  protected get done(): string {
    return 'DELETED';
  }

  override get separated(): Command<boolean> | undefined {
    return this.wireKey === FLAG_KEY ? new TouchCommand(FLAG_KEY, this.key, EXPIRED, false) : undefined;
  }

  override get deleting(): Deleting<boolean> {
    return { wireKeys: [this.wireKey], elsewhere: this };
  }

  write(request: RequestWriter): void {
    request.text(deleteLine(this.wireKey, this.noreply));
  }
}

/** How many of the keys were there. */
export class DeleteManyCommand extends KeysCommand<number> {
  get verb(): 'delete' {
    return 'delete';
  }

  get idempotent(): boolean {
    return true;
  }

  override get deleting(): Deleting<number> {
    return { wireKeys: this.#wireKeys, elsewhere: this };
  }

  readonly #wireKeys: readonly string[];
  declare readonly keys: readonly Key[];
  readonly #forProxy: boolean;

  constructor(wireKeys: readonly string[], keys: readonly Key[], noreply: boolean, forProxy = false) {
    super(noreply);
    this.#wireKeys = wireKeys;
    this.keys = keys;
    this.#forProxy = forProxy;
  }

  override get separated(): DeleteManyCommand | undefined {
    return this.#wireKeys.includes(FLAG_KEY) ? new DeleteManyCommand(this.#wireKeys, this.keys, this.noreply, true) : undefined;
  }

  pick(indices: readonly number[]): DeleteManyCommand {
    return new DeleteManyCommand(pickAt(this.#wireKeys, indices), pickAt(this.keys, indices), this.noreply);
  }

  merge(results: readonly number[]): number {
    return results.reduce((sum, count) => sum + count, 0);
  }

  write(request: RequestWriter): void {
    for (const key of this.#wireKeys) {
      request.text(this.#forProxy && key === FLAG_KEY ? `touch ${FLAG_KEY} ${EXPIRED}\r\n` : deleteLine(key, this.noreply));
    }
  }

  override tally(deleted: number, tally: Tally): void {
    tally.add(OK, deleted);
    tally.add(NOT_FOUND, this.keys.length - deleted);
  }

  override unanswered(): number {
    return this.keys.length;
  }

  reader(): ReplyReader<number> {
    let deleted = 0;
    return new BatchReader(this, this.#wireKeys.length, {
      reply: (frame, index) => {
        if (!isWord(frame, this.#forProxy && this.#wireKeys[index] === FLAG_KEY ? 'TOUCHED' : 'DELETED')) return isWord(frame, 'NOT_FOUND');
        deleted++;
        return true;
      },
      refused: () => false,
      result: () => deleted,
    });
  }
}

/** Whether the key was there. */
export class TouchCommand extends PresenceCommand {
  readonly #exptime: number;

  constructor(wireKey: string, key: Key, exptime: number, noreply: boolean) {
    super(wireKey, key, noreply);
    this.#exptime = exptime;
  }

  get verb(): 'touch' {
    return 'touch';
  }

  protected get done(): string {
    return 'TOUCHED';
  }

  write(request: RequestWriter): void {
    request.text(`touch ${this.wireKey} ${this.#exptime}${lineEnd(this.noreply)}`);
  }
}

/** The new count in the type of `delta`; `undefined` when there is no such key, or no reply was asked for. */
export class ArithmeticCommand<N extends number | bigint> extends KeyCommand<N | undefined> {
  declare readonly verb: 'incr' | 'decr';
  readonly #delta: N;

  constructor(verb: 'incr' | 'decr', wireKey: string, key: Key, delta: N, noreply: boolean) {
    super(wireKey, key, noreply);
    this.verb = verb;
    this.#delta = delta;
  }

  get idempotent(): boolean {
    return false;
  }

  write(request: RequestWriter): void {
    request.text(`${this.verb} ${this.wireKey} ${this.#delta}${lineEnd(this.noreply)}`);
  }

  override outcome(count: N | undefined): Outcome {
    return count === undefined ? NOT_FOUND : OK;
  }

  override unanswered(): undefined {
    return undefined;
  }

  read(frame: Frame, server: string): N | undefined {
    const exact = typeof this.#delta === 'bigint';
    // Most counts are short: these need no text.
    const count = exact ? -1 : readDecimal(frame.buffer, frame.start, frame.end);
    if (count >= 0) return count as N;
    if (isWord(frame, 'NOT_FOUND')) return undefined;
    const line = frame.line();
    if (!isUint64(line)) throw this.refuse(frame, server);
    return countOf(line, exact, this.verb) as N;
  }
}

/**
 * A count of the server's, as a bigint if `exact`.
 *
 * @throws MemcacheInexactNumberError when a number cannot hold it
 */
export function countOf(digits: string, exact: boolean, verb: string): number | bigint {
  if (exact) return BigInt(digits);
  const count = Number(digits);
  if (!Number.isSafeInteger(count)) throw new MemcacheInexactNumberError(BigInt(digits), verb);
  return count;
}
