import { RedisContext, type RedisContextOptions } from '../../../src/server/redis/commands/context';
import { RedisSession } from '../../../src/server/redis/session';
import { MemoryStore } from '../../../src/server/engine/store';
import type { TurnLimits } from '../../../src/server/net/service';
import { ManualClock } from '../../../src/runtime/manual-clock';

/** A Redis session without a socket, spoken to in text of one character per byte; its time stands still. */
export class RedisTalk {
  readonly clock = new ManualClock(1_700_000_000_000);
  readonly context: RedisContext;
  readonly session: RedisSession;
  ends = 0;
  #answer = '';

  constructor(options: Partial<RedisContextOptions> = {}, limits: TurnLimits = {}) {
    this.context = new RedisContext({ store: new MemoryStore({ clock: this.clock }), ...options });
    this.session = this.open(limits);
  }

  get store(): MemoryStore {
    return this.context.store;
  }

  /** Another client's session; what it is answered goes the same way. */
  open(limits: TurnLimits = {}): RedisSession {
    return new RedisSession(
      this.context,
      {
        write: (data) => {
          this.#answer += typeof data === 'string' ? data : Buffer.from(data).toString('latin1');
        },
        end: () => this.ends++,
      },
      limits,
    );
  }

  /** Sends an inline command and takes the answer to it. */
  say(line: string): string {
    this.push(`${line}\r\n`);
    return this.take();
  }

  /** Sends a command as an array and takes the answer to it. */
  send(...args: string[]): string {
    this.push(respRequest(...args));
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
    const answer = this.#answer;
    this.#answer = '';
    return answer;
  }
}

/** `args`, one character per byte, as clients send them. */
export function respRequest(...args: string[]): string {
  return `*${args.length}\r\n${args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join('')}`;
}
