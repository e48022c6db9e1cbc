import { ServerContext, type ServerContextOptions } from '../../src/server/memcached/commands/context';
import { Session } from '../../src/server/memcached/session';
import type { TurnLimits } from '../../src/server/net/service';
import { SessionTalk } from './session-talk';

/** A memcached session without a socket. */
export class Talk extends SessionTalk {
  readonly context: ServerContext;
  readonly session: Session;

  constructor(options: ServerContextOptions = {}, limits: TurnLimits = {}) {
    super();
    this.context = new ServerContext(options);
    this.session = this.open(limits);
  }

  /** Another client's session; what it is answered goes the same way. */
  open(limits: TurnLimits = {}): Session {
    return new Session(this.context, this.output, limits);
  }

  /** Sends `text` and takes the answer to it. */
  say(text: string): string {
    return this.ask(text);
  }
}
