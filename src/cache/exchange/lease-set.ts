/**
 *     ms <key> <size> [C<cas>] F<flags> T<seconds> [E<cas>] O<opaque>\r\n<data>\r\n      HD | NS | EX | NF
 */
import { EXISTS, NOT_FOUND, NOT_STORED, STORED, type Outcome } from '../../client/outcomes';
import type { Frame } from '../../protocol/frame';
import type { RequestWriter } from '../../protocol/request';
import type { Stored } from './reply';
import { ConditionalCommand, WRITTEN } from './tokens';

/** What is stored, and on which condition. */
export interface LeaseItem {
  readonly block: string | Uint8Array;
  readonly flags: number;
  /** As the protocol has it. */
  readonly exptime: number;
  /** Only if the item has this CAS; undefined: in any case. */
  readonly unless: string | undefined;
  /** The new CAS. */
  readonly newCas: string | undefined;
}

const OUTCOMES: Readonly<Record<(typeof WRITTEN)[number], Stored>> = { HD: 'stored', NS: 'notStored', EX: 'exists', NF: 'notFound' };

const TALLIED: Readonly<Record<Stored, Outcome>> = { stored: STORED, exists: EXISTS, notFound: NOT_FOUND, notStored: NOT_STORED };

/** Stores what was loaded. Never with `I`, which would let an older CAS replace a newer value. */
export class LeaseSet extends ConditionalCommand<Stored, LeaseItem> {
  get verb(): 'ms' {
    return 'ms';
  }

  override get hasBlock(): boolean {
    return true;
  }

  /** Its connection may lead to another server than the one that was asked what it can do. */
  override get since(): string {
    return '1.6.0';
  }

  override outcome(stored: Stored): Outcome {
    return TALLIED[stored];
  }

  write(request: RequestWriter): void {
    const { block, flags, exptime, unless, newCas } = this.change;
    const condition = unless === undefined ? '' : ` C${unless}`;
    const cas = newCas === undefined ? '' : ` E${newCas}`;
    request.text(`ms ${this.wireKey} ${block.length}${condition} F${flags} T${exptime}${cas} O${this.opaque}\r\n`);
    request.block(block);
  }

  read(frame: Frame, server: string): Stored {
    return OUTCOMES[this.codeOf(frame, server, WRITTEN)];
  }
}
