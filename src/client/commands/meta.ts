/**
 *     mg <key> <flag>*\r\n                            VA <size> <flag>*\r\n<data>\r\n | HD <flag>* | EN
 *     ms <key> <size> <flag>*\r\n<data>\r\n           HD | NS | EX | NF <flag>*
 *     md <key> <flag>*\r\n                            HD | NF | EX | NS <flag>*
 *     ma <key> <flag>*\r\n                            HD | VA … | NF | NS | EX <flag>*
 *     me <key>\r\n                                    ME <key> <name>=<value>* | EN
 *     mn\r\n                                          MN
 *
 * https://github.com/memcached/memcached/blob/master/doc/protocol.txt
 */
import { MemcacheIllegalInputError, MemcacheUnknownCommandError } from '../../errors';
import { isBytes, isText, latin1Slice, tokenEnd } from '../../protocol/bytes';
import { FrameError, type Frame } from '../../protocol/frame';
import type { Key } from '../../protocol/key';
import { MAX_OPAQUE_LENGTH } from '../../protocol/limits';
import { isErrorLine, isWord, unknownCommand } from '../../protocol/reply';
import { toBlock, type RequestWriter } from '../../protocol/request';
import * as outcomes from '../outcomes';
import { BrokenReply, KeyCommand, MORE, NO_CAS, readingOfOne, ServerCommand, type Command, type Deleting, type Reading, type ReplyReader } from '../command';

/** The words of the meta commands. */
export type MetaCode = 'mg' | 'ms' | 'md' | 'ma' | 'me' | 'mn';

/**
 * A hand-made meta command, for `client.executeMeta`.
 *
 * `flags` are the protocol's own tokens, for example `['v', 't', 'T30']`. With the flag `b` the key may hold any bytes;
 * it is sent in base64.
 */
export class MetaCommand {
  readonly code: MetaCode;
  readonly key: Key;
  readonly flags: readonly string[];
  /** The data block, which only `ms` has; it may be empty. */
  readonly value: string | Uint8Array | undefined;

  /** @throws MemcacheIllegalInputError */
  constructor(code: MetaCode, key?: Key, flags: readonly string[] = [], value?: string | Uint8Array) {
    if (!Object.hasOwn(ANSWERS, code)) throw new MemcacheIllegalInputError(`code must be one of ${Object.keys(ANSWERS).join(', ')}`);
    if (key === undefined) {
      if (code !== 'mn') throw new MemcacheIllegalInputError(`key must be given for ${code}`);
      key = '';
    }
    const tokens = checkFlags(flags);
    // The server takes 20 tokens, and one is kept for the opaque that tells replies apart.
    if (tokens.length > 17) throw new MemcacheIllegalInputError('flags must hold at most 17 tokens');
    if ((code === 'ms') !== (value !== undefined)) {
      throw new MemcacheIllegalInputError(`value must ${code === 'ms' ? '' : 'not '}be given for ${code}`);
    }
    if (value !== undefined && typeof value !== 'string' && !isBytes(value)) {
      throw new MemcacheIllegalInputError('value must be a string or a Uint8Array');
    }
    this.code = code;
    this.key = key;
    this.flags = tokens;
    this.value = value;
  }
}

function checkFlags(flags: unknown): string[] {
  if (!Array.isArray(flags)) throw new MemcacheIllegalInputError('flags must be an array of tokens such as "v" or "T30"');
  const tokens = flags.map(checkFlag);
  if (tokens.some((token, index) => tokens.findIndex((other) => other.charCodeAt(0) === token.charCodeAt(0)) < index)) {
    throw new MemcacheIllegalInputError('flags must not name the same flag twice');
  }
  return tokens;
}

function checkFlag(flag: unknown): string {
  if (typeof flag !== 'string' || !/^[A-Za-z][\x21-\x7e]{0,100}$/.test(flag)) {
    throw new MemcacheIllegalInputError('flags must be tokens of a letter and an argument without whitespace, such as "v" or "T30"');
  }
  if (flag.startsWith('O') && flag.length > MAX_OPAQUE_LENGTH + 1) {
    throw new MemcacheIllegalInputError(`the opaque must be at most ${MAX_OPAQUE_LENGTH} characters long`);
  }
  return flag;
}

/** The answer to a meta command. */
export class MetaResult {
  /** `HD` done, `VA` done with a value, `EN` miss, `NF` not found, `NS` not stored, `EX` cas differs, `MN`, `ME`. */
  readonly code: string;
  /** Size of the value in bytes; undefined without one. */
  readonly size: number | undefined;
  /** The tokens after the code, in the server's order; for `ME` the `name=value` pairs. */
  readonly flags: readonly string[];
  readonly value: Buffer | undefined;

  constructor(code: string, flags: readonly string[], value?: Buffer) {
    this.code = code;
    this.size = value?.length;
    this.flags = flags;
    this.value = value;
  }

  /** The argument of the flag `letter`: '' when it has none, undefined when the flag is not there. */
  flag(letter: string): string | undefined {
    return this.flags.find((flag) => flag.startsWith(letter))?.slice(1);
  }
}

type Outcomes = Readonly<Record<string, outcomes.Outcome>>;

/** The codes of what was refused. */
const REFUSED: Outcomes = { NS: outcomes.NOT_STORED, EX: outcomes.EXISTS, NF: outcomes.NOT_FOUND };

/** Which codes answer which command, and what they say of its key. */
const ANSWERS: Readonly<Record<MetaCode, Outcomes>> = {
  mg: { VA: outcomes.HIT, HD: outcomes.HIT, EN: outcomes.MISS },
  ms: { HD: outcomes.STORED, ...REFUSED },
  md: { HD: outcomes.OK, ...REFUSED },
  ma: { VA: outcomes.OK, HD: outcomes.OK, ...REFUSED },
  me: { ME: outcomes.HIT, EN: outcomes.MISS },
  mn: { MN: outcomes.OK },
};

/** What a request is made of: a {@link MetaCommand}, or what a typed method has checked already. */
export interface MetaParts extends Pick<MetaCommand, 'code' | 'key' | 'flags'> {
  readonly value?: MetaCommand['value'];
}

/** The first version with meta commands as they are now. */
const META_SINCE = '1.6.0';

/** The last two digits of an opaque, ready made: to write the whole number took three times as long. */
const LAST_DIGITS = Array.from({ length: 36 ** 2 }, (_, number) => number.toString(36).padStart(2, '0'));
let opaqueStart = 'O';
let opaques = 0;

/** An opaque that is used again after 60 million commands, long after its connection's queue has moved on. */
function nextOpaque(): string {
  const low = opaques % LAST_DIGITS.length;
  if (low === 0) opaqueStart = `O${((opaques / LAST_DIGITS.length) % 36 ** 3).toString(36)}`;
  opaques++;
  return `${opaqueStart}${LAST_DIGITS[low] ?? ''}`;
}

/**
 * A meta command on its way. Every reply must bring back the opaque that was sent, which proves that the reply belongs to
 * this request.
 */
export abstract class MetaExchange<R> extends KeyCommand<R> {
  declare readonly verb: MetaCode;
  declare protected readonly flags: readonly string[];
  declare protected readonly block: string | Uint8Array | undefined;
  /** What the reply must bring back; `me` and `mn` know no opaque. */
  declare protected readonly opaque: string | undefined;
  declare protected readonly ownOpaque: boolean;
  /** `mn` and `me` are answered in any case. */
  declare protected readonly quiet: boolean;

  /** @param block its value, when that was prepared for another request already */
  constructor(command: MetaParts, wireKey: string, block = command.value === undefined ? undefined : toBlock(command.value)) {
    super(wireKey, command.key);
    this.verb = command.code;
    this.flags = command.flags;
    this.block = block;
    let given: string | undefined;
    let quiet = false;
    for (const flag of command.flags) {
      if (flag.startsWith('O')) given = flag;
      else if (flag.startsWith('q')) quiet = true;
    }
    this.ownOpaque = given === undefined;
    if (command.code === 'me' || command.code === 'mn') quiet = false;
    else this.opaque = given ?? nextOpaque();
    this.quiet = quiet;
  }

  override get hasBlock(): boolean {
    return this.block !== undefined;
  }

  /** memcached 1.5.22 answers `me` by one line too many. */
  override get mustBeKnown(): boolean {
    return this.hasBlock || this.verb === 'me';
  }

  /** The bytes of its value; 0 without one. */
  get valueSize(): number {
    return this.block?.length ?? 0;
  }

  override get since(): string {
    return META_SINCE;
  }

  get idempotent(): boolean {
    switch (this.verb) {
      case 'mg':
        return !this.has('N') && !this.has('R');
      case 'ms':
        return !this.has('C') && this.mode() === 'S';
      case 'ma':
        return false;
      default:
        return !this.has('C');
    }
  }

  protected has(letter: string): boolean {
    return this.flags.some((flag) => flag.startsWith(letter));
  }

  /** Of `ms`, whose default is to set. */
  protected mode(): string {
    return this.flags.find((flag) => flag.startsWith('M'))?.[1]?.toUpperCase() ?? 'S';
  }

  write(request: RequestWriter): void {
    // What follows the key is put together first: V8 copies short pieces at once, and keeps a list of what is longer.
    let tail = this.block === undefined ? '' : ' ' + String(this.block.length);
    for (const flag of this.flags) tail += ' ' + flag;
    if (this.ownOpaque && this.opaque !== undefined) tail += ' ' + this.opaque;
    tail += '\r\n';
    request.text(this.verb === 'mn' ? this.verb + tail : `${this.verb} ${this.wireKey}${tail}`);
    if (this.block !== undefined) request.block(this.block);
    // A quiet command may not be answered: MN then shows that no answer will come.
    if (this.quiet) request.text('mn\r\n');
  }

  /** The code of a reply, which must be an answer to the command. */
  protected codeOf(frame: Frame, server: string): string {
    const { buffer, start, end } = frame;
    const codeEnd = tokenEnd(buffer, start, end);
    for (const code in ANSWERS[this.verb]) {
      if (isText(buffer, start, codeEnd, code) && frame.hasBlock === (code === 'VA')) return code;
    }
    throw this.refuse(frame, server);
  }

  /**
   * Hands over each flag of a reply as a part of the buffer, without the opaque that was generated.
   *
   * @throws FrameError when the reply does not bring back the opaque
   */
  protected eachFlag({ buffer, start, end, hasBlock }: Frame, code: string, take: (buffer: Buffer, from: number, end: number) => void): void {
    let at = start + code.length;
    // The size, which only VA has, is known from the block.
    if (hasBlock) at = tokenEnd(buffer, at + 1, end);
    // memcached 1.6.10 to 1.6.17 says no more than EN.
    let isOurs = this.opaque === undefined || (code === 'EN' && at === end);
    while (at < end) {
      const from = at + 1;
      at = tokenEnd(buffer, from, end);
      // memcached up to 1.6.14 writes two spaces, or one at the end.
      if (at === from) continue;
      if (this.opaque !== undefined && isText(buffer, from, at, this.opaque)) {
        isOurs = true;
        if (this.ownOpaque) continue;
      }
      take(buffer, from, at);
    }
    if (!isOurs) throw new FrameError('a meta reply does not bring back the opaque of its request');
  }

  /** The reply as it came. */
  protected resultIn(frame: Frame, server: string): MetaResult {
    const code = this.codeOf(frame, server);
    const flags: string[] = [];
    this.eachFlag(frame, code, (buffer, from, end) => flags.push(latin1Slice(buffer, from, end)));
    return new MetaResult(code, flags, frame.hasBlock ? frame.data() : undefined);
  }

  protected override refuse(frame: Frame, server: string): Error {
    return this.#isFirstDialect(frame) ? unknownCommand(this, server) : super.refuse(frame, server);
  }

  /** memcached 1.5.19 to 1.5.22 has meta commands of another form, and refuses ours in these words. */
  #isFirstDialect(frame: Frame): boolean {
    if (frame.hasBlock) return false;
    const line = frame.line();
    if (this.verb === 'mn') return line === 'EN';
    if (line === 'CLIENT_ERROR incorrect number of tokens supplied') return true;
    // Later servers say this too, of a flag that they do not know; and of any mistake in `ma`, which that dialect has not. These are the
    // flags that every server with meta commands knows.
    return this.verb !== 'ma' && line === 'CLIENT_ERROR invalid or duplicate flag' && this.flags.every((flag) => /^[OkqvftcslhuTNRCIFM]/.test(flag));
  }
}

/** A meta command whose reply is handed over as it came. */
export class MetaRequest extends MetaExchange<MetaResult> {
  /** `mg` reads, unless it makes the place that it finds empty. */
  override get reading(): Reading<MetaResult> | undefined {
    if (this.verb !== 'mg' || !this.idempotent) return undefined;
    return readingOfOne(
      this,
      ({ code }) => code === 'EN',
      ({ code, flags, value }) => new MetaResult(code, flags.map((flag) => (flag.startsWith('c') ? `c${NO_CAS}` : flag)), value),
    );
  }

  override get deleting(): Deleting<MetaResult> | undefined {
    if (this.verb !== 'md') return undefined;
    // The same item has another name in base64.
    const wireKeys = this.has('b') ? undefined : [this.wireKey];
    if (!this.has('C')) return { wireKeys, elsewhere: this };
    return { wireKeys, elsewhere: new MetaRequest(new MetaCommand('md', this.key, this.#without('C')), this.wireKey), onlyAfter: ({ code }) => code === 'HD' };
  }

  override get ifAbsent(): Command<MetaResult> | undefined {
    if (this.verb !== 'ms' || !this.flags.includes(`C${NO_CAS}`) || this.mode() !== 'S') return undefined;
    return new SetIfAbsent(new MetaCommand('ms', this.key, [...this.#without('C', 'M'), 'ME'], ''), this.wireKey, this.block);
  }

  #without(...letters: readonly string[]): string[] {
    return this.flags.filter((flag) => !letters.includes(flag.charAt(0)));
  }

  override outcome(result: MetaResult): outcomes.Outcome {
    const isPlaceHolder = this.verb === 'mg' && result.size === 0 && (result.flag('W') ?? result.flag('Z')) !== undefined;
    // An item that was made for this caller to fill was not there.
    return isPlaceHolder ? outcomes.MISS : (ANSWERS[this.verb][result.code] ?? outcomes.OK);
  }

  override reader(): ReplyReader<MetaResult> {
    if (!this.quiet) return this;
    let result = new MetaResult(this.verb === 'mg' ? 'EN' : 'HD', []);
    let failure: Error | undefined;
    return {
      read: (frame, server) => {
        if (failure !== undefined) throw this.#isEnd(frame, failure) ? failure : new BrokenReply(failure);
        if (isWord(frame, 'MN')) return result;
        // An error line is an answer like any other: MN still follows.
        if (isErrorLine(frame)) failure = this.refuse(frame, server);
        else result = this.read(frame, server);
        return MORE;
      },
    };
  }

  /** Whether the frame answers the `mn` after a quiet command that was refused; servers without meta commands do not know it either. */
  #isEnd(frame: Frame, failure: Error): boolean {
    if (isWord(frame, 'MN')) return true;
    return failure instanceof MemcacheUnknownCommandError && (isWord(frame, 'ERROR') || isWord(frame, 'EN'));
  }

  read(frame: Frame, server: string): MetaResult {
    return this.resultIn(frame, server);
  }
}

/** `ms` in place of one whose token stands for no item: it stores if there is still none. */
class SetIfAbsent extends MetaRequest {
  override read(frame: Frame, server: string): MetaResult {
    const result = super.read(frame, server);
    return result.code === 'NS' ? new MetaResult('EX', result.flags) : result;
  }
}

/** `mn`: does nothing, on every server. */
export class NoopCommand extends ServerCommand<void> {
  constructor() {
    super('mn');
  }

  override get since(): string {
    return META_SINCE;
  }

  merge(): void {
    return;
  }

  override read(frame: Frame, server: string): void {
    // memcached 1.5.19 to 1.5.22 answers so.
    if (isWord(frame, 'EN')) throw unknownCommand(this, server);
    if (!isWord(frame, 'MN')) throw this.refuse(frame, server);
  }
}
