/** `get` and `gets` of one key: bytes, flags and CAS as they are. They take no token. */
import { JoinableGet, NO_CAS, type Reading } from '../../client/command';
import { HIT, MISS, type Outcome } from '../../client/meter';
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

  constructor(verb: 'get' | 'gets', wireKey: string, key: Key) {
    super(wireKey, key);
    this.verb = verb;
  }

  hit(frame: Frame): PlainItem {
    const flags = valueFlags(frame, this.wireKey.length);
    return { bytes: Buffer.from(frame.buffer.subarray(frame.dataStart, frame.dataEnd)), flags, cas: this.verb === 'gets' ? valueCas(frame) : '' };
  }

  miss(): undefined {
    return undefined;
  }

  /** During a migration, another cache may have what this one misses. */
  override get reading(): Reading<PlainItem | undefined> {
    return {
      rest: (item) => (item === undefined ? this : undefined),
      join: (_, second) => second,
      hits: (item) => (item === undefined ? [] : [this]),
      withoutTokens: (item) => (item === undefined ? undefined : { ...item, cas: NO_CAS }),
    };
  }

  override outcome(item: PlainItem | undefined): Outcome {
    return item === undefined ? MISS : HIT;
  }
}
