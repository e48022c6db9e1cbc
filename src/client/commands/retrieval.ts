/**
 *     get <key>*\r\n                  VALUE <key> <flags> <bytes> [<cas>]\r\n<data>\r\n … END\r\n
 *     gets <key>*\r\n
 *     gat <exptime> <key>*\r\n
 *     gats <exptime> <key>*\r\n
 */
import { MemcachePartialError, MemcacheServerError, MemcacheUnknownError, type MemcacheError } from '../../errors';
import type { Frame } from '../../protocol/frame';
import { keyText, type Key } from '../../protocol/key';
import { isValueFor, isWord, replyError, valueCas, valueFlags } from '../../protocol/reply';
import type { RequestWriter } from '../../protocol/request';
import { deserializeValue } from '../../serde/read';
import { MISS, type Serde } from '../../serde/serde';
import { certaintyOfParts } from '../certainty';
import * as outcomes from '../outcomes';
import { pickAt } from './pick';
import { hasRepeats } from '../repeats';
import {
  afterLastKey,
  BrokenReply,
  isStopgap,
  JoinableGet,
  KeysCommand,
  MAX_GET_LINE,
  MORE,
  NO_CAS,
  type KeyOf,
  type Reading,
  type ReplyReader,
} from '../command';

/** A value with the token that a later `cas` needs; both undefined on a miss. */
export type ValueWithCas<V> = [value: V, cas: string] | [value: undefined, cas: undefined];

/** The reading half of a serde. */
type Deserializer<V> = Serde<V, never>;

/** What is asked of each key, and what is made of the answer. */
export interface Question<R, None = unknown> {
  readonly verb: 'get' | 'gets';
  /** The verb that also sets the time to live. */
  readonly touchingVerb: 'gat' | 'gats';
  /** Makes a result of a `VALUE` frame. */
  take(frame: Frame, keyLength: number, key: Key, verb: string): R | typeof MISS;
  withoutToken(hit: R): R;
  /** The result for one key that is not there. */
  none(): None;
  isNone(result: R | None): boolean;
}

/** Asks for values. */
export function forValues<V>(serde: Deserializer<V>): Question<V, undefined> {
  return {
    verb: 'get',
    touchingVerb: 'gat',
    take: (frame, keyLength, key, verb) => deserializeValue(serde, frame, valueFlags(frame, keyLength), keyText(key), verb),
    withoutToken: (value) => value,
    none: () => undefined,
    isNone: (value) => value === undefined,
  };
}

/** Asks for values with their tokens. */
export function forPairs<V>(serde: Deserializer<V>): Question<[V, string], [undefined, undefined]> {
  const values = forValues(serde);
  return {
    verb: 'gets',
    touchingVerb: 'gats',
    take: (frame, keyLength, key, verb) => {
      const cas = valueCas(frame);
      const value = values.take(frame, keyLength, key, verb);
      return value === MISS ? MISS : [value, cas];
    },
    withoutToken: ([value]) => [value, NO_CAS],
    none: () => [undefined, undefined],
    isNone: ([, cas]) => cas === undefined,
  };
}

/** `get` or `gets` of one key. */
export class GetCommand<R, None> extends JoinableGet<R | None> {
  declare protected readonly question: Question<R, None>;

  constructor(question: Question<R, None>, wireKey: string, key: Key) {
    super(wireKey, key);
    this.question = question;
  }

  get verb(): 'get' | 'gets' | 'gat' | 'gats' {
    return this.question.verb;
  }

  hit(frame: Frame): R | None {
    const hit = this.question.take(frame, this.wireKey.length, this.key, this.verb);
    return hit === MISS ? this.miss() : hit;
  }

  miss(): None {
    return this.question.none();
  }

  override outcome(result: R | None): outcomes.Outcome {
    return this.question.isNone(result) ? outcomes.MISS : outcomes.HIT;
  }

  protected override withoutToken(hit: R): R {
    return this.question.withoutToken(hit);
  }
}

/** `gat` or `gats` of one key: reads it, and sets its time to live. */
export class GatCommand<R, None> extends GetCommand<R, None> {
  readonly #exptime: number;

  constructor(exptime: number, question: Question<R, None>, wireKey: string, key: Key) {
    super(question, wireKey, key);
    this.#exptime = exptime;
  }

  override get verb(): 'gat' | 'gats' {
    return this.question.touchingVerb;
  }

  override get since(): string {
    return '1.5.3';
  }

  override get lineStart(): string {
    return `${this.verb} ${this.#exptime}`;
  }
}

/** What the lines of a command ask for: each key once. */
interface Lines {
  readonly wireKeys: readonly string[];
  /** Where each stands among the caller's keys, if one stands there twice as it travels: a string, and its bytes. */
  readonly places: readonly (readonly number[])[] | undefined;
  /** For each line, the index of the first key after it. */
  readonly ends: readonly number[];
}

function linesOf(wireKeys: readonly string[], lineStart: number, separate: boolean): Lines {
  let places: Map<string, number[]> | undefined;
  // A proxy may answer a key once however often the line holds it, so it stands there once.
  if (hasRepeats(wireKeys)) {
    places = new Map(wireKeys.map((wireKey) => [wireKey, []]));
    for (const [index, wireKey] of wireKeys.entries()) places.get(wireKey)?.push(index);
    wireKeys = [...places.keys()];
  }
  const ends: number[] = [];
  let length = lineStart;
  let index = 0;
  for (const { length: keyLength } of wireKeys) {
    if (index > 0 && (separate || length + keyLength > MAX_GET_LINE)) {
      ends.push(index);
      length = lineStart;
    }
    length += keyLength + 1;
    index++;
  }
  ends.push(index);
  return { wireKeys, places: places && [...places.values()], ends };
}

/** What was found of each key, in the order of the keys. */
type Found<R> = readonly (R | typeof MISS)[];

/** `get` and `gets` of many keys, whatever is made of what is found. */
abstract class RetrievalOfMany<R, Result> extends KeysCommand<Result, Found<R>> {
  get idempotent(): boolean {
    return true;
  }

  declare protected readonly question: Question<R>;
  declare protected readonly wireKeys: readonly string[];
  declare readonly keys: readonly Key[];
  /** Whether each key has a line of its own. */
  declare protected readonly separate: boolean;
  /** Made when it is first written. */
  #lines: Lines | undefined;

  constructor(question: Question<R>, wireKeys: readonly string[], keys: readonly Key[], separate = false) {
    super();
    this.question = question;
    this.wireKeys = wireKeys;
    this.keys = keys;
    this.separate = separate;
  }

  get verb(): 'get' | 'gets' {
    return this.question.verb;
  }

  /** The keys of one server: what is found of them is put in its place by {@link merge}, and only then made a result. */
  pick(indices: readonly number[]): KeysCommand<Found<R>> {
    return new PartOfMany(this.question, pickAt(this.wireKeys, indices), pickAt(this.keys, indices), this.separate);
  }

  merge(parts: readonly Found<R>[], owners: readonly number[]): Result {
    const next: number[] = [];
    return this.resultOf(
      owners.map((owner) => {
        const part = parts[owner];
        if (part === undefined) return MISS;
        const index = next[owner] ?? 0;
        next[owner] = index + 1;
        return part[index] as R | typeof MISS;
      }),
    );
  }

  /** Reads the value of the key at `index`. */
  take(frame: Frame, index: number): R | typeof MISS {
    return this.question.take(frame, (this.wireKeys[index] ?? '').length, this.keys[index] ?? '', this.verb);
  }

  abstract resultOf(found: Found<R>): Result;

  /** How many of the keys were found; one that was given twice counts twice. */
  protected abstract hitsIn(result: Result): number;

  override tally(result: Result, tally: outcomes.Tally): void {
    const hits = this.hitsIn(result);
    tally.add(outcomes.HIT, hits);
    tally.add(outcomes.MISS, this.keys.length - hits);
  }

  get #asked(): Lines {
    return (this.#lines ??= linesOf(this.wireKeys, this.verb.length, this.separate));
  }

  write(request: RequestWriter): void {
    const { wireKeys, ends } = this.#asked;
    let index = 0;
    for (const end of ends) {
      let line: string = this.verb;
      let key = '';
      for (; index < end; index++) line += ' ' + (key = wireKeys[index] ?? '');
      request.text(line + afterLastKey(key) + '\r\n');
    }
  }

  reader(): ReplyReader<Result> {
    return new ManyReader(this, this.#asked);
  }
}

/** The part of a `getMany` that is for one of several servers. */
class PartOfMany<R> extends RetrievalOfMany<R, Found<R>> {
  override get onlyReads(): boolean {
    return true;
  }

  override get separated(): PartOfMany<R> {
    return new PartOfMany(this.question, this.wireKeys, this.keys, true);
  }

  resultOf(found: Found<R>): Found<R> {
    return found;
  }

  protected hitsIn(found: Found<R>): number {
    return found.filter((each) => each !== MISS).length;
  }
}

/** `get` and `gets` of many keys: a `Map` of the hits, keyed by the caller's own keys. */
export class GetManyCommand<R> extends RetrievalOfMany<R, Map<Key, R>> {
  override get separated(): GetManyCommand<R> {
    return new GetManyCommand(this.question, this.wireKeys, this.keys, true);
  }

  resultOf(found: Found<R>): Map<Key, R> {
    const hits = new Map<Key, R>();
    let index = 0;
    for (const key of this.keys) {
      const hit = found[index++] as R | typeof MISS;
      if (hit !== MISS) hits.set(key, hit);
    }
    return hits;
  }

  protected hitsIn(hits: Map<Key, R>): number {
    return hits.size < this.keys.length ? this.keys.filter((key) => hits.has(key)).length : hits.size;
  }

  override get reading(): Reading<Map<Key, R>> {
    return {
      rest: (hits) => {
        const missing = [...this.keys.keys()].filter((index) => !hits.has(this.keys[index] ?? ''));
        if (missing.length === 0) return undefined;
        return new GetManyCommand(this.question, pickAt(this.wireKeys, missing), pickAt(this.keys, missing), this.separate);
      },
      join: (first, second) => {
        const either = new Map([...first, ...second]);
        return this.resultOf(this.keys.map((key) => (either.has(key) ? (either.get(key) as R) : MISS)));
      },
      withoutTokens: (hits) => new Map(Array.from(hits, ([key, hit]) => [key, this.question.withoutToken(hit)])),
      hits: (hits) => this.keys.flatMap((key, index): KeyOf[] => (hits.has(key) ? [{ key, wireKey: this.wireKeys[index] ?? '' }] : [])),
    };
  }
}

/** Servers answer the keys of a line in the order asked, so the key of a value is found by going forward only. */
class ManyReader<R, Result> implements ReplyReader<Result> {
  readonly #command: RetrievalOfMany<R, Result>;
  readonly #wireKeys: readonly string[];
  readonly #places: Lines['places'];
  /** Each line is answered by an `END` of its own. */
  readonly #ends: readonly number[];
  readonly #found: (R | typeof MISS)[];
  /** The key that may be answered next. */
  #next = 0;
  #line = 0;
  #failure: unknown;
  /** Of each line that was refused. */
  readonly #refusals: MemcacheError[] = [];

  constructor(command: RetrievalOfMany<R, Result>, { wireKeys, places, ends }: Lines) {
    this.#command = command;
    this.#wireKeys = wireKeys;
    this.#places = places;
    this.#ends = ends;
    this.#found = new Array<R | typeof MISS>(command.keyCount).fill(MISS);
  }

  get expectedKey(): string | undefined {
    return this.#wireKeys[this.#next];
  }

  read(frame: Frame, server: string): Result | typeof MORE {
    const end = this.#ends[this.#line] ?? 0;
    if (frame.hasBlock) {
      this.#value(frame, end, server);
      return MORE;
    }
    if (!isWord(frame, 'END')) this.#refused(frame, server);
    this.#next = end;
    if (++this.#line < this.#ends.length) return MORE;
    return this.#result(server);
  }

  #value(frame: Frame, end: number, server: string): void {
    let index = this.#next;
    while (index < end && !isValueFor(frame, this.#wireKeys[index] ?? '')) index++;
    if (index === end) {
      if (isStopgap(frame, this.#wireKeys[end - 1] ?? '')) return;
      throw replyError(frame, this.#command, server);
    }
    this.#next = index + 1;
    try {
      if (this.#places === undefined) this.#found[index] = this.#command.take(frame, index);
      else this.#places[index]?.forEach((place) => {
        this.#found[place] = this.#command.take(frame, place);
        // This one may have kept the memory; each of the others needs its own.
        frame.owned = false;
      });
    } catch (error) {
      this.#failure ??= error;
    }
  }

  /** Of a line with one key an error is the whole reply; the other lines are still answered. */
  #refused(frame: Frame, server: string): void {
    const error = replyError(frame, this.#command, server);
    if (error instanceof MemcacheUnknownError) throw error;
    const first = this.#line === 0 ? 0 : (this.#ends[this.#line - 1] ?? 0);
    if ((this.#ends[this.#line] ?? 0) - first > 1 || afterLastKey(this.#wireKeys[first] ?? '') !== '') throw new BrokenReply(error);
    this.#refusals.push(error);
    this.#failure ??= error;
  }

  #result(server: string): Result {
    const failure = this.#failure;
    const result = this.#command.resultOf(this.#found);
    if (failure instanceof MemcacheServerError) {
      const failures = new Map([[server, failure]]);
      const certainty = certaintyOfParts(this.#refusals, this.#ends.length);
      throw new MemcachePartialError(result, failures, { cause: failure, certainty });
    }
    // eslint-disable-next-line @typescript-eslint/only-throw-error -- thrown on as it was caught
    if (failure !== undefined) throw failure;
    return result;
  }
}
