/**
 *     mg <key> t O<opaque>\r\n      HD t<seconds> | EN
 */
import { KeyCommand } from '../../client/command';
import type { Frame } from '../../protocol/frame';
import type { RequestWriter } from '../../protocol/request';
import { checkReply, codeOf, nextOpaque } from './tokens';

/** Seconds to live, -1 for ever; undefined when there is no such item. */
export class TimeLeft extends KeyCommand<number | undefined> {
  readonly #opaque = nextOpaque();

  get verb(): 'mg' {
    return 'mg';
  }

  get idempotent(): boolean {
    return true;
  }

  write(request: RequestWriter): void {
    request.text(`mg ${this.wireKey} t O${this.#opaque}\r\n`);
  }

  read(frame: Frame, server: string): number | undefined {
    const code = codeOf(frame);
    if (code !== 'HD' && code !== 'EN') throw this.refuse(frame, server);
    checkReply(frame, this.#opaque, code === 'EN');
    const ttl = / t(-?[0-9]{1,15})(?: |$)/.exec(frame.line())?.[1];
    return code === 'EN' || ttl === undefined ? undefined : Number(ttl);
  }
}
