/**
 *     set|add|replace|append|prepend <key> <flags> <exptime> <bytes> [noreply]\r\n<data>\r\n
 *     cas <key> <flags> <exptime> <bytes> <cas unique> [noreply]\r\n<data>\r\n
 *
 * Replies: STORED, NOT_STORED, and for cas EXISTS (changed since) and NOT_FOUND.
 */
import { MemcachePartialError } from '../../errors';
import type { Frame } from '../../protocol/frame';
import { routingPart, type Key } from '../../protocol/key';
import { MAX_RELATIVE_EXPTIME } from '../../protocol/limits';
import { isWord } from '../../protocol/reply';
import type { RequestWriter } from '../../protocol/request';
import { EXISTS, NOT_FOUND, NOT_STORED, STORED, type Outcome, type Tally } from '../outcomes';
import { BatchReader } from './batch-reader';
import { pickAt } from './pick';
import { KeyCommand, KeysCommand, lineEnd, NO_CAS, type Command, type ReplyReader } from '../command';

/** The unconditional storage words. */
export type StorageVerb = 'set' | 'add' | 'replace' | 'append' | 'prepend';

/** What is stored: a block as {@link toBlock} makes it, its flags and exptime. */
export interface Item {
  readonly block: string | Uint8Array;
  readonly flags: number;
  readonly exptime: number;
}

/**
 * Blocks from this size on are answered even with `noreply`. When memcached before 1.6 refuses a block (`object too large for
 * cache`, `out of memory storing object`) and may not say so, it takes the block for commands. A long line among them ends the
 * connection, and what looks like a command is executed. Which values it refuses depends on its `-I` and its memory, which are
 * not known here. At this size the answer costs the client less than can be measured, and the server 3 µs of 17.
 */
export const ANSWERED_FROM = 16_384;

function isLarge({ block }: Item): boolean {
  return block.length >= ANSWERED_FROM;
}

let lastFlags = 0;
let lastExptime = 0;
let lastWords = ' 0 0 ';

/**
 * What has expired long ago, as a date: twemproxy closes the connection when a time is negative. Not for everybody, since to a server
 * whose clock a test has put to 1970 it lies ahead.
 */
const LONG_AGO = MAX_RELATIVE_EXPTIME + 1;

/** Flags and exptime as they stand in a line. Most items have those of the one before: making them anew is a tenth of a set. */
function flagsAndExptime({ flags, exptime }: Item, proxied: boolean): string {
  if (proxied && exptime < 0) exptime = LONG_AGO;
  if (flags !== lastFlags || exptime !== lastExptime) {
    lastFlags = flags;
    lastExptime = exptime;
    lastWords = ` ${flags} ${exptime} `;
  }
  return lastWords;
}

function head(verb: string, wireKey: string, item: Item, { proxied }: RequestWriter): string {
  return `${verb} ${wireKey}${flagsAndExptime(item, proxied)}${item.block.length}`;
}

function endOf(command: Command<unknown>): string {
  return lineEnd(command.noreply && !command.answeredUnasked);
}

/** `true` stored, `false` not stored. */
export class StoreCommand extends KeyCommand<boolean> implements Item {
  declare readonly verb: StorageVerb;

  override get hasBlock(): boolean {
    return true;
  }

  override get ordinary(): boolean {
    return true;
  }

  override get answeredUnasked(): boolean {
    return isLarge(this);
  }

  declare readonly block: string | Uint8Array;
  declare readonly flags: number;
  declare readonly exptime: number;

  constructor(verb: StorageVerb, wireKey: string, key: Key, item: Item, noreply: boolean) {
    super(wireKey, key, noreply);
    this.verb = verb;
    this.block = item.block;
    this.flags = item.flags;
    this.exptime = item.exptime;
  }

  /** Storing the same value twice is storing it once; adding to a value twice is not, and the others answer differently. */
  get idempotent(): boolean {
    return this.verb === 'set';
  }

  write(request: RequestWriter): void {
    request.text(head(this.verb, this.wireKey, this, request) + endOf(this));
    request.block(this.block);
  }

  override outcome(stored: boolean): Outcome {
    return stored ? STORED : NOT_STORED;
  }

  override unanswered(): boolean {
    return true;
  }

  read(frame: Frame, server: string): boolean {
    if (isWord(frame, 'STORED')) return true;
    if (isWord(frame, 'NOT_STORED')) return false;
    throw this.refuse(frame, server);
  }
}

/** `true` stored, `false` changed since, `undefined` no such key. */
export class CasCommand extends KeyCommand<boolean | undefined> {
  get verb(): 'cas' {
    return 'cas';
  }

  get idempotent(): boolean {
    return false;
  }

  override get hasBlock(): boolean {
    return true;
  }

  override get answeredUnasked(): boolean {
    return isLarge(this.#item);
  }

  readonly #item: Item;
  readonly #cas: string;

  constructor(wireKey: string, key: Key, item: Item, cas: string, noreply: boolean) {
    super(wireKey, key, noreply);
    this.#item = item;
    this.#cas = cas;
  }

  /** `true` stored, `false` there is one by now. */
  override get ifAbsent(): Command<boolean | undefined> | undefined {
    return this.#cas === NO_CAS ? new StoreCommand('add', this.wireKey, this.key, this.#item, this.noreply) : undefined;
  }

  write(request: RequestWriter): void {
    request.text(`${head('cas', this.wireKey, this.#item, request)} ${this.#cas}${endOf(this)}`);
    request.block(this.#item.block);
  }

  override outcome(stored: boolean | undefined): Outcome {
    return stored === undefined ? NOT_FOUND : stored ? STORED : EXISTS;
  }

  override unanswered(): boolean {
    return true;
  }

  read(frame: Frame, server: string): boolean | undefined {
    if (isWord(frame, 'STORED')) return true;
    if (isWord(frame, 'EXISTS')) return false;
    if (isWord(frame, 'NOT_FOUND')) return undefined;
    throw this.refuse(frame, server);
  }
}

/** One entry of a {@link SetManyCommand}. */
export interface Entry extends Item {
  readonly wireKey: string;
  readonly key: Key;
}

/** Of entries for the same item the last. */
export function lastOfEach(entries: readonly Entry[]): Entry[] {
  // A routing key may place the same key on another server.
  return [...new Map(entries.map((entry) => [`${entry.wireKey} ${Buffer.from(routingPart(entry.key)).toString('latin1')}`, entry])).values()];
}

/** The keys that were not stored. */
export class SetManyCommand extends KeysCommand<Key[]> {
  get verb(): 'set' {
    return 'set';
  }

  get idempotent(): boolean {
    return true;
  }

  override get hasBlock(): boolean {
    return true;
  }

  override get answeredUnasked(): boolean {
    return this.#entries.some(isLarge);
  }

  readonly #entries: readonly Entry[];
  /** Whether an earlier attempt may have stored them. */
  readonly #again: boolean;

  constructor(entries: readonly Entry[], noreply: boolean, again = false) {
    super(noreply);
    this.#entries = entries;
    this.#again = again;
  }

  get keys(): Key[] {
    return this.#entries.map(({ key }) => key);
  }

  pick(indices: readonly number[]): SetManyCommand {
    return new SetManyCommand(pickAt(this.#entries, indices), this.noreply, this.#again);
  }

  merge(results: readonly Key[][]): Key[] {
    return results.flat();
  }

  /** A key whose server cannot be reached is a key that was not stored, unless it was reached before. */
  override get whenNotSent(): Key[] | undefined {
    return this.#again ? undefined : this.#notStored([...this.#entries.keys()]);
  }

  override get again(): SetManyCommand {
    return new SetManyCommand(this.#entries, this.noreply, true);
  }

  write(request: RequestWriter): void {
    const end = endOf(this);
    for (const entry of this.#entries) {
      request.text(head('set', entry.wireKey, entry, request) + end);
      request.block(entry.block);
    }
  }

  override get keyCount(): number {
    return this.#entries.length;
  }

  override tally(failed: Key[], tally: Tally): void {
    tally.add(STORED, this.#entries.length - failed.length);
    tally.add(NOT_STORED, failed.length);
  }

  override unanswered(): Key[] {
    return [];
  }

  reader(): ReplyReader<Key[]> {
    const failed: number[] = [];
    return new BatchReader(this, this.#entries.length, {
      reply: (frame, index) => {
        const stored = isWord(frame, 'STORED');
        if (!stored && !isWord(frame, 'NOT_STORED')) return false;
        if (!stored) failed.push(index);
        return true;
      },
      refused: (index, certainty) => {
        if (this.#again && certainty === 'notSent') return false;
        failed.push(index);
        return true;
      },
      result: () => this.#notStored(failed),
      // The one server behind a proxy that failed may have stored what it was sent.
      failure: (first, certainty) => {
        const failures = new Map([[first.server ?? '', first]]);
        return new MemcachePartialError(this.#notStored(failed), failures, { cause: first, certainty });
      },
    });
  }

  /** The keys whose last entry was refused. */
  #notStored(failed: readonly number[]): Key[] {
    if (failed.length === 0) return [];
    const last = new Set(lastOfEach(this.#entries));
    return pickAt(this.#entries, failed).filter((entry) => last.has(entry)).map(({ key }) => key);
  }
}
