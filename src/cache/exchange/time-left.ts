/**
 *     mg <key> t O<opaque>\r\n      HD t<seconds> | EN
 */
import type { Frame } from '../../protocol/frame';
import type { RequestWriter } from '../../protocol/request';
import { OpaqueCommand, READ } from './tokens';

/** Seconds to live, -1 for ever; undefined when there is no such item. */
export class TimeLeft extends OpaqueCommand<number | undefined> {
  get verb(): 'mg' {
    return 'mg';
  }

  get idempotent(): boolean {
    return true;
  }

  write(request: RequestWriter): void {
    request.text(`mg ${this.wireKey} t O${this.opaque}\r\n`);
  }

  read(frame: Frame, server: string): number | undefined {
    const code = this.codeOf(frame, server, READ);
    const ttl = / t(-?[0-9]{1,15})(?: |$)/.exec(frame.line())?.[1];
    return code === 'EN' || ttl === undefined ? undefined : Number(ttl);
  }
}
