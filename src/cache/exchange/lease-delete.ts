/**
 *     md <key> [C<cas>] [I [T<seconds>]] [E<cas>] O<opaque>\r\n      HD | NF | EX
 */
import type { Deleting } from '../../client/command';
import { EXISTS, NOT_FOUND, OK, type Outcome } from '../../client/meter';
import type { Frame } from '../../protocol/frame';
import type { Key } from '../../protocol/key';
import type { RequestWriter } from '../../protocol/request';
import { OpaqueCommand, WRITTEN } from './tokens';

/** Which item is deleted, or marked. */
export interface DeleteCondition {
  /** Only if the item has this CAS. */
  readonly cas?: string | undefined;
  /** Mark it as invalid instead of deleting it: the next reader gets the token. */
  readonly mark?: boolean | undefined;
  /** With `mark`: the time to live from now on, as the protocol has it. */
  readonly exptime?: number | undefined;
  /** With `mark`: the new CAS. */
  readonly newCas?: string | undefined;
}

/** Deletes or marks an item; resolves with whether it was done. */
export class LeaseDelete extends OpaqueCommand<boolean> {
  readonly #condition: DeleteCondition;

  constructor(wireKey: string, key: Key, condition: DeleteCondition) {
    super(wireKey, key);
    this.#condition = condition;
  }

  get verb(): 'md' {
    return 'md';
  }

  get idempotent(): boolean {
    return this.#condition.cas === undefined;
  }

  /** An older cache of a fallback must not serve what was invalidated; the CAS is only valid in the first. */
  override get deleting(): Deleting<boolean> | undefined {
    return this.#condition.cas === undefined ? { wireKeys: [this.wireKey], elsewhere: this } : undefined;
  }

  override outcome(done: boolean): Outcome {
    return done ? OK : this.#condition.cas === undefined ? NOT_FOUND : EXISTS;
  }

  write(request: RequestWriter): void {
    const { cas, mark, exptime, newCas } = this.#condition;
    const tokens = `${cas === undefined ? '' : ` C${cas}`}${mark ? ' I' : ''}${exptime === undefined ? '' : ` T${exptime}`}${newCas === undefined ? '' : ` E${newCas}`}`;
    request.text(`md ${this.wireKey}${tokens} O${this.opaque}\r\n`);
  }

  read(frame: Frame, server: string): boolean {
    return this.codeOf(frame, server, WRITTEN) === 'HD';
  }
}
