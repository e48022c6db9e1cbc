/** What all meta commands of this layer share: opaques that prove which command a reply belongs to, and new CAS numbers. */
import { Ascii } from '../../protocol/ascii';
import { KeyCommand } from '../../client/command';
import { FrameError, type Frame } from '../../protocol/frame';
import { tokenEnd } from '../../protocol/bytes';
import type { Key } from '../../protocol/key';
import type { Random } from '../../runtime/random';

/** Opaques count up to this; what is greater is a half of a CAS number. */
export const LAST_OPAQUE = 1_000_000;
let lastOpaque = 0;

/** The next opaque. It repeats after a million commands, many times more than may wait on one connection. */
export function nextOpaque(): number {
  return (lastOpaque = (lastOpaque + 1) % LAST_OPAQUE);
}

/**
 * Whether the token at `start` is the opaque `number`.
 *
 * @throws FrameError when it is another one: the reply is not for this command
 */
export function checkOpaque(buffer: Buffer, start: number, end: number, number: number): void {
  let value = 0;
  for (let i = start + 1; i < end; i++) value = value * 10 + (buffer[i] ?? 0) - Ascii.Zero;
  if (value !== number) throw new FrameError('a meta reply does not bring back the opaque of its request');
}

/** Checks the opaque in a line without a value. Memcached before 1.6.18 does not return it with `EN`. */
export function checkReply(frame: Frame, number: number, mayLack: boolean): void {
  const { buffer, end } = frame;
  let at = frame.start + 3;
  while (at < end) {
    const stop = tokenEnd(buffer, at, end);
    if (buffer[at] === Ascii.O) {
      checkOpaque(buffer, at, stop, number);
      return;
    }
    at = stop + 1;
  }
  if (!mayLack) throw new FrameError('a meta reply does not bring back the opaque of its request');
}

/** The fewest digits of a {@link CasNumbers | CAS number of our own}. */
const OWN_DIGITS = 18;

/** The two letters that a meta reply begins with. */
export function codeOf(frame: Frame): string {
  const { buffer, start, end } = frame;
  if (end - start < 2 || (end - start > 2 && buffer[start + 2] !== Ascii.Space)) return '';
  return String.fromCharCode(buffer[start] ?? 0, buffer[start + 1] ?? 0);
}

/** The codes of a reply to a question about an item. */
export const READ = ['HD', 'EN'] as const;
/** The codes of a reply to a change of an item. */
export const WRITTEN = ['HD', 'NS', 'EX', 'NF'] as const;

/** A meta command whose reply is a line without a value: a code, and the opaque. */
export abstract class OpaqueCommand<R> extends KeyCommand<R> {
  protected readonly opaque = nextOpaque();

  override get throughProxies(): boolean {
    return false;
  }

  /** The code of the reply, which must be one of these. */
  protected codeOf<Code extends string>(frame: Frame, server: string, codes: readonly Code[]): Code {
    const found = codeOf(frame);
    const code = codes.find((each) => each === found);
    if (code === undefined) throw this.refuse(frame, server);
    checkReply(frame, this.opaque, code === 'EN');
    return code;
  }
}

/** A change of an item, perhaps on the condition that it has a certain CAS, which it then has once only. */
export abstract class ConditionalCommand<R, Change extends { readonly unless?: string | undefined }> extends OpaqueCommand<R> {
  protected readonly change: Change;

  constructor(wireKey: string, key: Key, change: Change) {
    super(wireKey, key);
    this.change = change;
  }

  get idempotent(): boolean {
    return this.change.unless === undefined;
  }
}

/**
 * CAS numbers that a restarted server does not repeat: a server's own numbers begin again at each start, so that an old lease
 * could match a new one. One half is random, the other counts up.
 */
export class CasNumbers {
  /** Whether it is one of these: a server's own would need centuries to get there. */
  static includes(cas: string): boolean {
    return cas.length >= OWN_DIGITS;
  }

  readonly #random: Random;
  #high = '';
  #low = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  next(): string {
    const low = this.nextLow();
    return `${this.#high}${low}`;
  }

  /** The second half of the next number, which can serve as an opaque too; {@link high} is the first. */
  nextLow(): number {
    if (this.#low === 0 || this.#low >= 999_999_999) {
      this.#high = String(100_000_000 + Math.floor(this.#random() * 8_000_000_000));
      this.#low = 100_000_000 + Math.floor(this.#random() * 800_000_000);
    }
    return ++this.#low;
  }

  get high(): string {
    return this.#high;
  }
}
