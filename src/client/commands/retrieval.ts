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
import * as outcomes from '../meter';
import { pickAt } from './pick';
import { hasRepeats } from '../repeats';
import {
  afterLastKey,
  BrokenReply,
  isStopgap,
  JoinableGet,
  KeyCommand,
  KeysCommand,
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

/** Makes a result of a `VALUE` frame. */
type Take<V, R> = (frame: Frame, keyLength: number, serde: Deserializer<V>, key: Key, verb: string) => R | typeof MISS;

function takeValue<V>(frame: Frame, keyLength: number, serde: Deserializer<V>, key: Key, verb: string): V | typeof MISS {
  const { buffer, dataStart, dataEnd, owned } = frame;
  const flags = valueFlags(frame, keyLength);
  return deserializeValue(serde, buffer, dataStart, dataEnd, owned, flags, keyText(key), verb);
}

function takeValueWithCas<V>(
  frame: Frame,
  keyLength: number,
  serde: Deserializer<V>,
  key: Key,
  verb: string,
): [V, string] | typeof MISS {
  const cas = valueCas(frame);
  const value = takeValue(frame, keyLength, serde, key, verb);
  return value === MISS ? MISS : [value, cas];
}

function asItIs<R>(hit: R): R {
  return hit;
}

function pairWithoutToken<V>(pair: ValueWithCas<V>): ValueWithCas<V>;
function pairWithoutToken<V>(pair: [V, string]): [V, string];
function pairWithoutToken([value]: readonly unknown[]): [unknown, string | undefined] {
  return [value, NO_CAS];
}

/** `get` of one key. */
export class GetCommand<V> extends JoinableGet<V | undefined> {
  get verb(): 'get' {
    return 'get';
  }

  readonly #serde: Deserializer<V>;

  constructor(wireKey: string, key: Key, serde: Deserializer<V>) {
    super(wireKey, key);
    this.#serde = serde;
  }

  hit(frame: Frame): V | undefined {
    const value = takeValue(frame, this.wireKey.length, this.#serde, this.key, 'get');
    return value === MISS ? undefined : value;
  }

  miss(): undefined {
    return undefined;
  }
}

/** `gets` of one key. */
export class GetsCommand<V> extends JoinableGet<ValueWithCas<V>> {
  get verb(): 'gets' {
    return 'gets';
  }

  readonly #serde: Deserializer<V>;

  constructor(wireKey: string, key: Key, serde: Deserializer<V>) {
    super(wireKey, key);
    this.#serde = serde;
  }

  hit(frame: Frame): ValueWithCas<V> {
    const pair = takeValueWithCas(frame, this.wireKey.length, this.#serde, this.key, 'gets');
    return pair === MISS ? this.miss() : pair;
  }

  miss(): ValueWithCas<V> {
    return [undefined, undefined];
  }

  override outcome([, cas]: ValueWithCas<V>): outcomes.Outcome {
    return cas === undefined ? outcomes.MISS : outcomes.HIT;
  }

  protected override withoutToken(pair: ValueWithCas<V>): ValueWithCas<V> {
    return pairWithoutToken(pair);
  }
}

/** `gat` and `gats`: read and set the time to live. */
export class GetAndTouchCommand<V, R> extends JoinableGet<R> {
  declare readonly verb: 'gat' | 'gats';
  readonly #exptime: number;
  readonly #serde: Deserializer<V>;
  readonly #take: Take<V, R>;
  readonly #withoutToken: (hit: R) => R;
  /** One object for all misses, so that a result can be recognised as one. */
  readonly #miss: R;

  private constructor(
    verb: 'gat' | 'gats',
    exptime: number,
    wireKey: string,
    key: Key,
    serde: Deserializer<V>,
    take: Take<V, R>,
    withoutToken: (hit: R) => R,
    miss: R,
  ) {
    super(wireKey, key);
    this.verb = verb;
    this.#exptime = exptime;
    this.#serde = serde;
    this.#take = take;
    this.#withoutToken = withoutToken;
    this.#miss = miss;
  }

  static gat<V>(exptime: number, wireKey: string, key: Key, serde: Deserializer<V>): KeyCommand<V | undefined> {
    return new GetAndTouchCommand<V, V | undefined>('gat', exptime, wireKey, key, serde, takeValue, asItIs, undefined);
  }

  static gats<V>(exptime: number, wireKey: string, key: Key, serde: Deserializer<V>): KeyCommand<ValueWithCas<V>> {
    const miss: ValueWithCas<V> = [undefined, undefined];
    return new GetAndTouchCommand<V, ValueWithCas<V>>('gats', exptime, wireKey, key, serde, takeValueWithCas, pairWithoutToken, miss);
  }

  override get since(): string {
    return '1.5.3';
  }

  override get lineStart(): string {
    return `${this.verb} ${this.#exptime}`;
  }

  hit(frame: Frame): R {
    const taken = this.#take(frame, this.wireKey.length, this.#serde, this.key, this.verb);
    return taken === MISS ? this.#miss : taken;
  }

  miss(): R {
    return this.#miss;
  }

  override outcome(result: R): outcomes.Outcome {
    return result === this.#miss ? outcomes.MISS : outcomes.HIT;
  }

  protected override withoutToken(hit: R): R {
    return this.#withoutToken(hit);
  }
}

/** A `get` line is kept below this many bytes: some managed services refuse lines beyond 16 KB. */
const MAX_LINE = 15_000;

/** What a line asks for: each key once. */
interface Distinct {
  readonly wireKeys: readonly string[];
  readonly keys: readonly Key[];
  /** The others that are the same as they travel (a string, and its bytes), by that; undefined if there are none. */
  readonly twins: ReadonlyMap<string, readonly Key[]> | undefined;
}

/** A proxy may answer a key once however often the line holds it, so it stands there once. */
function distinct(wireKeys: readonly string[], keys: readonly Key[]): Distinct {
  if (!hasRepeats(wireKeys)) return { wireKeys, keys, twins: undefined };
  const seen = new Set<string>();
  const twins = new Map<string, Key[]>();
  const firsts: number[] = [];
  for (const [index, wireKey] of wireKeys.entries()) {
    if (seen.has(wireKey)) twins.set(wireKey, [...(twins.get(wireKey) ?? []), ...pickAt(keys, [index])]);
    else firsts.push(index);
    seen.add(wireKey);
  }
  return { wireKeys: pickAt(wireKeys, firsts), keys: pickAt(keys, firsts), twins };
}

/** `get` and `gets` of many keys: a `Map` of the hits, keyed by the caller's own keys. */
export class GetManyCommand<V, R> extends KeysCommand<Map<Key, R>> {
  declare readonly verb: 'get' | 'gets';
  get idempotent(): boolean {
    return true;
  }

  readonly #wireKeys: readonly string[];
  declare readonly keys: readonly Key[];
  readonly #serde: Deserializer<V>;
  readonly #take: Take<V, R>;
  readonly #withoutToken: (hit: R) => R;
  /** Whether each key has a line of its own. */
  readonly #separate: boolean;
  /** Made when it is first written. */
  #distinct: Distinct | undefined;

  private constructor(
    verb: 'get' | 'gets',
    wireKeys: readonly string[],
    keys: readonly Key[],
    serde: Deserializer<V>,
    take: Take<V, R>,
    withoutToken: (hit: R) => R,
    separate = false,
  ) {
    super();
    this.verb = verb;
    this.#wireKeys = wireKeys;
    this.keys = keys;
    this.#serde = serde;
    this.#take = take;
    this.#withoutToken = withoutToken;
    this.#separate = separate;
  }

  static get<V>(wireKeys: readonly string[], keys: readonly Key[], serde: Deserializer<V>): KeysCommand<Map<Key, V>> {
    return new GetManyCommand<V, V>('get', wireKeys, keys, serde, takeValue, asItIs);
  }

  static gets<V>(
    wireKeys: readonly string[],
    keys: readonly Key[],
    serde: Deserializer<V>,
  ): KeysCommand<Map<Key, [V, string]>> {
    return new GetManyCommand<V, [V, string]>('gets', wireKeys, keys, serde, takeValueWithCas, pairWithoutToken);
  }

  pick(indices: readonly number[]): GetManyCommand<V, R> {
    return this.#withKeys(pickAt(this.#wireKeys, indices), pickAt(this.keys, indices), this.#separate);
  }

  override get separated(): GetManyCommand<V, R> {
    return this.#withKeys(this.#wireKeys, this.keys, true);
  }

  #withKeys(wireKeys: readonly string[], keys: readonly Key[], separate: boolean): GetManyCommand<V, R> {
    return new GetManyCommand(this.verb, wireKeys, keys, this.#serde, this.#take, this.#withoutToken, separate);
  }

  /** In the order of the keys, not in that of the answers. */
  merge(results: readonly Map<Key, R>[], owners?: readonly number[]): Map<Key, R> {
    const merged = new Map<Key, R>();
    if (owners !== undefined) {
      // One look per key: looking through all results was a tenth of the cost of a call to three servers.
      let index = 0;
      for (const key of this.keys) {
        const result = results[owners[index++] ?? 0];
        const value = result?.get(key);
        if (value !== undefined || result?.has(key) === true) merged.set(key, value as R);
      }
      return merged;
    }
    for (const key of this.keys) {
      for (const result of results) {
        const value = result.get(key);
        // A serde may turn a hit into undefined.
        if (value === undefined && !result.has(key)) continue;
        merged.set(key, value as R);
        break;
      }
    }
    return merged;
  }

  /** A key that was given twice counts twice. */
  override tally(hits: Map<Key, R>, tally: outcomes.Tally): void {
    let found = hits.size;
    if (found > 0 && found < this.keys.length) found = this.keys.reduce((count, key) => (hits.has(key) ? count + 1 : count), 0);
    tally.add(outcomes.HIT, found);
    tally.add(outcomes.MISS, this.keys.length - found);
  }

  override get reading(): Reading<Map<Key, R>> {
    return {
      rest: (hits) => {
        const missing = [...this.keys.keys()].filter((index) => !hits.has(this.keys[index] ?? ''));
        return missing.length === 0 ? undefined : this.pick(missing);
      },
      join: (first, second) => this.merge([first, second]),
      withoutTokens: (hits) => new Map(Array.from(hits, ([key, hit]) => [key, this.#withoutToken(hit)])),
      hits: (hits) => this.keys.flatMap((key, index): KeyOf[] => (hits.has(key) ? [{ key, wireKey: this.#wireKeys[index] ?? '' }] : [])),
    };
  }

  get #asked(): Distinct {
    return (this.#distinct ??= distinct(this.#wireKeys, this.keys));
  }

  write(request: RequestWriter): void {
    const { wireKeys } = this.#asked;
    let index = 0;
    for (const end of this.#lineEnds()) {
      let line: string = this.verb;
      let key = '';
      for (; index < end; index++) line += ' ' + (key = wireKeys[index] ?? '');
      request.text(line + afterLastKey(key) + '\r\n');
    }
  }

  /** For each line, the index of the first key after it. */
  #lineEnds(): number[] {
    const ends: number[] = [];
    let length: number = this.verb.length;
    let index = 0;
    for (const { length: keyLength } of this.#asked.wireKeys) {
      if (index > 0 && (this.#separate || length + keyLength > MAX_LINE)) {
        ends.push(index);
        length = this.verb.length;
      }
      length += keyLength + 1;
      index++;
    }
    ends.push(index);
    return ends;
  }

  reader(): ReplyReader<Map<Key, R>> {
    return new ManyReader(this.verb, this.#asked, this.#lineEnds(), (frame, keyLength, key) =>
      this.#take(frame, keyLength, this.#serde, key, this.verb),
    );
  }
}

/** Servers answer the keys of a line in the order asked, so the key of a value is found by going forward only. */
class ManyReader<R> implements ReplyReader<Map<Key, R>> {
  readonly #hits = new Map<Key, R>();
  readonly #verb: string;
  readonly #wireKeys: readonly string[];
  readonly #keys: readonly Key[];
  /** For each line, the index of the first key after it. Each is answered by an `END` of its own. */
  readonly #lineEnds: readonly number[];
  readonly #take: (frame: Frame, keyLength: number, key: Key) => R | typeof MISS;
  readonly #twins: Distinct['twins'];
  /** The key that may be answered next. */
  #next = 0;
  #line = 0;
  #failure: unknown;
  /** Of each line that was refused. */
  readonly #refusals: MemcacheError[] = [];

  constructor(
    verb: string,
    { wireKeys, keys, twins }: Distinct,
    lineEnds: readonly number[],
    take: (frame: Frame, keyLength: number, key: Key) => R | typeof MISS,
  ) {
    this.#verb = verb;
    this.#wireKeys = wireKeys;
    this.#keys = keys;
    this.#twins = twins;
    this.#lineEnds = lineEnds;
    this.#take = take;
  }

  get expectedKey(): string | undefined {
    return this.#wireKeys[this.#next];
  }

  read(frame: Frame, server: string): Map<Key, R> | typeof MORE {
    const end = this.#lineEnds[this.#line] ?? 0;
    if (frame.hasBlock) {
      this.#value(frame, end, server);
      return MORE;
    }
    if (!isWord(frame, 'END')) this.#refused(frame, server);
    this.#next = end;
    if (++this.#line < this.#lineEnds.length) return MORE;
    return this.#result(server);
  }

  #value(frame: Frame, end: number, server: string): void {
    let index = this.#next;
    while (index < end && !isValueFor(frame, this.#wireKeys[index] ?? '')) index++;
    if (index === end) {
      if (isStopgap(frame, this.#wireKeys[end - 1] ?? '')) return;
      throw replyError(frame, { verb: this.#verb }, server);
    }
    this.#next = index + 1;
    const wireKey = this.#wireKeys[index] ?? '';
    this.#hit(frame, wireKey, this.#keys[index] ?? '');
    if (this.#twins === undefined) return;
    // The first may have kept the memory; each of the others needs its own.
    frame.owned = false;
    for (const twin of this.#twins.get(wireKey) ?? []) if (!this.#hits.has(twin)) this.#hit(frame, wireKey, twin);
  }

  #hit(frame: Frame, wireKey: string, key: Key): void {
    try {
      const taken = this.#take(frame, wireKey.length, key);
      if (taken !== MISS) this.#hits.set(key, taken);
    } catch (error) {
      this.#failure ??= error;
    }
  }

  /** Of a line with one key an error is the whole reply; the other lines are still answered. */
  #refused(frame: Frame, server: string): void {
    const error = replyError(frame, { verb: this.#verb }, server);
    if (error instanceof MemcacheUnknownError) throw error;
    const first = this.#line === 0 ? 0 : (this.#lineEnds[this.#line - 1] ?? 0);
    if ((this.#lineEnds[this.#line] ?? 0) - first > 1 || afterLastKey(this.#wireKeys[first] ?? '') !== '') throw new BrokenReply(error);
    this.#refusals.push(error);
    this.#failure ??= error;
  }

  #result(server: string): Map<Key, R> {
    const failure = this.#failure;
    if (failure instanceof MemcacheServerError) {
      const failures = new Map([[server, failure]]);
      const certainty = certaintyOfParts(this.#refusals, this.#lineEnds.length);
      throw new MemcachePartialError(this.#hits, failures, { server, command: this.#verb, cause: failure, certainty });
    }
    // eslint-disable-next-line @typescript-eslint/only-throw-error -- thrown on as it was caught
    if (failure !== undefined) throw failure;
    return this.#hits;
  }
}
