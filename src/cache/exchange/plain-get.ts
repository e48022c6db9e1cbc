/** `get` and `gets` of one key: bytes, flags and CAS as they are. They take no token. */
import { JoinableGet, NO_CAS, type Reading } from '../../client/command';
import type { Frame } from '../../protocol/frame';
import type { Key } from '../../protocol/key';
import { valueCas, valueFlags } from '../../protocol/reply';

/** An item as it stands on the server. */
export interface PlainItem {
  readonly bytes: Buffer;
  readonly flags: number;
  /** Empty with `get`. */
  readonly cas: string;
}

export class PlainGet extends JoinableGet<PlainItem | undefined> {
  readonly verb: 'get' | 'gets';
  readonly #onlyFirst: boolean;

  /** @param onlyFirst of several caches only the one in use is asked */
  constructor(verb: 'get' | 'gets', wireKey: string, key: Key, onlyFirst = false) {
    super(wireKey, key);
    this.verb = verb;
    this.#onlyFirst = onlyFirst;
  }

  override get reading(): Reading<PlainItem | undefined> {
    return this.#onlyFirst ? { ...super.reading, rest: () => undefined, withoutTokens: () => undefined } : super.reading;
  }

  hit(frame: Frame): PlainItem {
    const flags = valueFlags(frame, this.wireKey.length);
    return { bytes: Buffer.from(frame.buffer.subarray(frame.dataStart, frame.dataEnd)), flags, cas: this.verb === 'gets' ? valueCas(frame) : '' };
  }

  miss(): undefined {
    return undefined;
  }

  protected override withoutToken(item: PlainItem | undefined): PlainItem | undefined {
    return item && { ...item, cas: NO_CAS };
  }
}
