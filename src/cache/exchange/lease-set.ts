/**
 *     ms <key> <size> [C<cas>] [ME] F<flags> T<seconds> [E<cas>] O<opaque>\r\n<data>\r\n      HD | NS | EX | NF
 */
import { EXISTS, NOT_FOUND, NOT_STORED, STORED, type Outcome } from '../../client/meter';
import type { Frame } from '../../protocol/frame';
import type { Key } from '../../protocol/key';
import type { RequestWriter } from '../../protocol/request';
import type { Stored } from './reply';
import { OpaqueCommand, WRITTEN } from './tokens';

/** What is stored, and on which condition. */
export interface LeaseItem {
  readonly block: string | Uint8Array;
  readonly flags: number;
  /** As the protocol has it. */
  readonly exptime: number;
  /** Only if the item has this CAS; `add`: only if there is none; undefined: in any case. */
  readonly unless: string | undefined;
  /** The new CAS. */
  readonly newCas: string | undefined;
}

const OUTCOMES: Readonly<Record<(typeof WRITTEN)[number], Stored>> = { HD: 'stored', NS: 'notStored', EX: 'exists', NF: 'notFound' };

const TALLIED: Readonly<Record<Stored, Outcome>> = { stored: STORED, exists: EXISTS, notFound: NOT_FOUND, notStored: NOT_STORED };

/** Stores what was loaded. Never with `I`, which would let an older CAS replace a newer value. */
export class LeaseSet extends OpaqueCommand<Stored> {
  readonly #item: LeaseItem;

  constructor(wireKey: string, key: Key, item: LeaseItem) {
    super(wireKey, key);
    this.#item = item;
  }

  get verb(): 'ms' {
    return 'ms';
  }

  get idempotent(): boolean {
    return this.#item.unless === undefined;
  }

  override get hasBlock(): boolean {
    return true;
  }

  override outcome(stored: Stored): Outcome {
    return TALLIED[stored];
  }

  write(request: RequestWriter): void {
    const { block, flags, exptime, unless, newCas } = this.#item;
    const condition = unless === undefined ? '' : unless === 'add' ? ' ME' : ` C${unless}`;
    const cas = newCas === undefined ? '' : ` E${newCas}`;
    request.text(`ms ${this.wireKey} ${block.length}${condition} F${flags} T${exptime}${cas} O${this.opaque}\r\n`);
    request.block(block);
  }

  read(frame: Frame, server: string): Stored {
    return OUTCOMES[this.codeOf(frame, server, WRITTEN)];
  }
}
