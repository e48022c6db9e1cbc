/**
 *     md <key> [C<cas>] [I [T<seconds>]] [E<cas>] O<opaque>\r\n      HD | NF | EX
 */
import type { Deleting } from '../../client/command';
import { EXISTS, NOT_FOUND, OK, type Outcome } from '../../client/outcomes';
import type { Frame } from '../../protocol/frame';
import type { RequestWriter } from '../../protocol/request';
import { ConditionalCommand, WRITTEN } from './tokens';

/** Which item is deleted, or marked. */
export interface Deletion {
  /** Only if the item has this CAS. */
  readonly unless?: string | undefined;
  /** Mark it as invalid instead of deleting it: the next reader gets the token. */
  readonly mark?: boolean | undefined;
  /** With `mark`: the time to live from now on, as the protocol has it. */
  readonly exptime?: number | undefined;
  /** With `mark`: the new CAS. */
  readonly newCas?: string | undefined;
}

/** Deletes or marks an item; resolves with whether it was done. */
export class LeaseDelete extends ConditionalCommand<boolean, Deletion> {
  get verb(): 'md' {
    return 'md';
  }

  /** An older cache of a fallback must not serve what was invalidated; the CAS is only valid in the first. */
  override get deleting(): Deleting<boolean> | undefined {
    return this.change.unless === undefined ? { wireKeys: [this.wireKey], elsewhere: this } : undefined;
  }

  override outcome(done: boolean): Outcome {
    return done ? OK : this.change.unless === undefined ? NOT_FOUND : EXISTS;
  }

  write(request: RequestWriter): void {
    const { unless, mark, exptime, newCas } = this.change;
    const tokens = `${unless === undefined ? '' : ` C${unless}`}${mark ? ' I' : ''}${exptime === undefined ? '' : ` T${exptime}`}${newCas === undefined ? '' : ` E${newCas}`}`;
    request.text(`md ${this.wireKey}${tokens} O${this.opaque}\r\n`);
  }

  read(frame: Frame, server: string): boolean {
    return this.codeOf(frame, server, WRITTEN) === 'HD';
  }
}
