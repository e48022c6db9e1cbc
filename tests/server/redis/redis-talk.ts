import { RedisContext, type RedisContextOptions } from '../../../src/server/redis/commands/context';
import { RedisSession } from '../../../src/server/redis/session';
import { MemoryStore } from '../../../src/server/engine/store';
import type { TurnLimits } from '../../../src/server/net/service';
import { ManualClock } from '../../../src/runtime/manual-clock';
import { SessionTalk } from '../session-talk';

/** A Redis session without a socket; its time stands still. */
export class RedisTalk extends SessionTalk {
  readonly clock = new ManualClock(1_700_000_000_000);
  readonly context: RedisContext;
  readonly session: RedisSession;

  constructor(options: Partial<RedisContextOptions> = {}, limits: TurnLimits = {}) {
    super();
    this.context = new RedisContext({ store: new MemoryStore({ clock: this.clock }), ...options });
    this.session = this.open(limits);
  }

  get store(): MemoryStore {
    return this.context.store;
  }

  /** Another client's session; what it is answered goes the same way. */
  open(limits: TurnLimits = {}): RedisSession {
    return new RedisSession(this.context, this.output, limits);
  }

  /** Sends an inline command and takes the answer to it. */
  say(line: string): string {
    return this.ask(`${line}\r\n`);
  }

  /** Sends a command as an array and takes the answer to it. */
  send(...args: string[]): string {
    return this.ask(respRequest(...args));
  }
}

/** `args`, one character per byte, as clients send them. */
export function respRequest(...args: string[]): string {
  return `*${args.length}\r\n${args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join('')}`;
}
