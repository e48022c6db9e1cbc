/** `get` and `gets` of one key: bytes, flags and CAS as they are. They take no token. */
import { JoinableGet, NO_CAS } from '../../client/command';
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

  protected override withoutToken(item: PlainItem | undefined): PlainItem | undefined {
    return item && { ...item, cas: NO_CAS };
  }
}
