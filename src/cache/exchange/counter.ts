/**
 *     ma <key> N<seconds> J<first> [D0] [T<seconds>] v t O<opaque>\r\n      VA <size> t<seconds>\r\n<number>\r\n
 */
import { KeyCommand, type Deleting } from '../../client/command';
import { latin1Slice } from '../../protocol/bytes';
import type { Frame } from '../../protocol/frame';
import type { Key } from '../../protocol/key';
import type { RequestWriter } from '../../protocol/request';
import { checkReply, nextOpaque } from './tokens';

/** The version of a tag or a namespace. */
export interface Version {
  /** Compared for equality, never by order. */
  readonly number: string;
  /** Seconds since it was last changed; `Infinity` if the server does not know of a change. */
  readonly age: number;
}

/**
 * A changed counter lives this long, so that its remaining time to live shows when that was. It is the longest that the server
 * does not take for a date.
 */
export const COUNTER_LIFE = 2_592_000;

/** Reads a counter, creating it if there is none; or changes it. */
export class CounterCommand extends KeyCommand<Version> {
  readonly #first: number;
  readonly #change: boolean;
  readonly #opaque = nextOpaque();

  constructor(wireKey: string, key: Key, first: number, change: boolean) {
    super(wireKey, key);
    this.#first = first;
    this.#change = change;
  }

  get verb(): 'ma' {
    return 'ma';
  }

  override get throughProxies(): boolean {
    return false;
  }

  /** True: what matters is that it changes, not by how much. */
  get idempotent(): boolean {
    return true;
  }

  /** An older cache of a fallback has its own counter. */
  override get deleting(): Deleting<Version> | undefined {
    return this.#change ? { wireKeys: [this.wireKey], elsewhere: this } : undefined;
  }

  write(request: RequestWriter): void {
    const tokens = this.#change ? `N${COUNTER_LIFE} J${this.#first} T${COUNTER_LIFE}` : `N0 J${this.#first} D0`;
    request.text(`ma ${this.wireKey} ${tokens} v t O${this.#opaque}\r\n`);
  }

  read(frame: Frame, server: string): Version {
    if (!frame.hasBlock) throw this.refuse(frame, server);
    checkReply(frame, this.#opaque, false);
    const number = latin1Slice(frame.buffer, frame.dataStart, frame.dataEnd).trim();
    const ttl = Number(/ t(-?[0-9]{1,15})(?: |$)/.exec(frame.line())?.[1] ?? -1);
    return { number, age: ttl < 0 ? Infinity : COUNTER_LIFE - ttl };
  }
}
