/**
 *     mg <key> c O<opaque>\r\n      HD c<cas> [W] [X] [Z] | EN
 */
import { HIT, MISS, type Outcome } from '../../client/outcomes';
import type { Frame } from '../../protocol/frame';
import type { RequestWriter } from '../../protocol/request';
import { OpaqueCommand, READ } from './tokens';

/** The present identity of an item. */
export interface Identity {
  readonly cas: string;
  /** Whether it was invalidated, or is a place-holder. */
  readonly outdated: boolean;
  /** Whether the server gave this reader the token to refresh it, which was not asked for. */
  readonly won: boolean;
}

/** Whether an item is still the same, without its value. */
export class IdentityGet extends OpaqueCommand<Identity | undefined> {
  get verb(): 'mg' {
    return 'mg';
  }

  get idempotent(): boolean {
    return true;
  }

  override outcome(identity: Identity | undefined): Outcome {
    return identity === undefined ? MISS : HIT;
  }

  write(request: RequestWriter): void {
    request.text(`mg ${this.wireKey} c O${this.opaque}\r\n`);
  }

  read(frame: Frame, server: string): Identity | undefined {
    if (this.codeOf(frame, server, READ) === 'EN') return undefined;
    const line = frame.line();
    return { cas: / c(\d{1,20})(?: |$)/.exec(line)?.[1] ?? '', outdated: / X(?: |$)/.test(line), won: / W(?: |$)/.test(line) };
  }
}
