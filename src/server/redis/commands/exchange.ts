import type { MemoryStore } from '../../engine/store';
import type { SessionOutput, TurnLimits } from '../../net/service';
import { Request } from '../resp/request';
import { RespReplies } from '../resp/resp-replies';
import type { RedisContext } from './context';
import { Watch, type Transaction } from './transaction';

/** Redis's own messages that several commands share. */
export const SYNTAX_ERROR = 'ERR syntax error';
export const NOT_AN_INTEGER = 'ERR value is not an integer or out of range';
export const OUT_OF_MEMORY = "OOM command not allowed when used memory > 'maxmemory'.";
/** Our own: this store does not have Redis's limit of 512 MB. */
export const TOO_LARGE = 'ERR value is larger than the item size limit';
export const REPLY_TOO_LARGE = 'ERR the reply would be longer than 64 MiB';

/** The longest reply of one command, in bytes. */
export const MAX_REPLY = 64 * 1024 * 1024;

/**
 * What a command sees of the session: the request, the store, the client, and the reply in the client's version of RESP. One
 * object per session serves all its commands.
 */
export class RedisExchange extends RespReplies {
  /** The request being executed: the one that was read last, or one that was kept for EXEC. */
  request = new Request();
  /** The requests since MULTI; undefined outside of a transaction. */
  transaction: Transaction | undefined;
  readonly watch: Watch;
  readonly context: RedisContext;
  readonly store: MemoryStore;
  /** The connection's number. */
  readonly id: number;
  /** Whether the client is authenticated, or need not be. */
  authenticated: boolean;
  /** The names of the client and its library, and the library's version, as the client gave them. */
  name = '';
  libraryName = '';
  libraryVersion = '';

  constructor(context: RedisContext, output: SessionOutput, limits: TurnLimits, id: number) {
    super(output, limits);
    this.context = context;
    this.store = context.store;
    this.watch = new Watch(context.store, context.keptMemory);
    this.id = id;
    this.authenticated = !context.requiresAuthentication;
  }

  /** The argument as a key of the store. */
  key(index: number): string {
    return this.request.key(index, this.store);
  }

  /** Resets the session to its beginning. */
  reset(): void {
    this.authenticated = !this.context.requiresAuthentication;
    this.protocol = 2;
    this.name = '';
    this.dropTransaction();
  }

  /** Forgets the commands since MULTI, and the keys that are watched. */
  dropTransaction(): void {
    this.transaction?.end();
    this.transaction = undefined;
    this.watch.clear();
  }
}
