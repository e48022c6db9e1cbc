import { ServerContext, type ServerContextOptions } from '../../src/server/memcached/commands/context';
import { Session } from '../../src/server/memcached/session';
import type { TurnLimits } from '../../src/server/net/service';

/** A session without a socket, spoken to in text of one character per byte. */
export class Talk {
  readonly context: ServerContext;
  readonly session: Session;
  /** What was written, one entry for each write. */
  readonly writes: (string | Uint8Array)[] = [];
  ends = 0;

  constructor(options: ServerContextOptions = {}, limits: TurnLimits = {}) {
    this.context = new ServerContext(options);
    this.session = new Session(
      this.context,
      {
        write: (data) => this.writes.push(data),
        end: () => this.ends++,
      },
      limits,
    );
  }

  /** Sends `text` and takes the answer to it. */
  say(text: string): string {
    this.push(text);
    return this.take();
  }

  /** Sends `text` in memory that is overwritten afterwards. */
  push(text: string): number {
    const bytes = Buffer.from(`##${text}##`, 'latin1');
    const at = this.session.push(bytes, 2, bytes.length - 2) - 2;
    bytes.fill('!');
    return at;
  }

  take(): string {
    const answer = this.writes.map((data) =>
      typeof data === 'string' ? data : Buffer.from(data).toString('latin1'),
    );
    this.writes.length = 0;
    return answer.join('');
  }
}
