import { Replies, type SessionOutput } from '../replies';
import { textValue, type StoredValue } from '../storage/item';
import type { MemoryStore } from '../storage/store';
import type { RedisContext } from './context';
import { Request } from './request';

/** Redis's own words for what several commands refuse. */
export const SYNTAX_ERROR = 'ERR syntax error';
export const NOT_AN_INTEGER = 'ERR value is not an integer or out of range';
export const OUT_OF_MEMORY = "OOM command not allowed when used memory > 'maxmemory'.";
/** Ours: Redis's limit of 512 MB is none of this store. */
export const TOO_LARGE = 'ERR value is larger than the item size limit';
export const REPLY_TOO_LARGE = 'ERR the reply would be longer than 64 MiB';

/** Errors repeat what they complain of no longer than this, in bytes. */
const MAX_ERROR = 1024;

/** The longest reply of one command, in bytes. */
export const MAX_REPLY = 64 * 1024 * 1024;

/**
 * What a command sees of the session that executes it: the request, the store, who asks, and the reply in the client's
 * version of RESP. One object per session serves all its commands.
 */
export class RedisExchange extends Replies {
  readonly request = new Request();
  readonly context: RedisContext;
  readonly store: MemoryStore;
  /** The connection's number. */
  readonly id: number;
  /** Whether the client's user is known, or no one asks. */
  authenticated: boolean;
  /** The version of RESP that the client has chosen. */
  protocol: 2 | 3 = 2;
  /** What the client has called itself, its library, and the library's version. */
  name = '';
  libraryName = '';
  libraryVersion = '';

  constructor(context: RedisContext, output: SessionOutput, id: number) {
    super(output);
    this.context = context;
    this.store = context.store;
    this.id = id;
    this.authenticated = !context.requiresAuthentication;
  }

  /** `+OK\r\n` */
  ok(): void {
    this.text('+OK\r\n');
  }

  /** `+<text>\r\n` */
  status(text: string): void {
    this.text(`+${text}\r\n`);
  }

  /** `-<text>\r\n`; the text begins with a word in capitals. Line ends within it become blanks, as in Redis. */
  error(text: string): void {
    const line = text.slice(0, MAX_ERROR).replace(/[\r\n]+$/, '');
    this.text(`-${line.replace(/[\r\n]/g, ' ')}\r\n`);
  }

  /** `:<integer>\r\n` */
  integer(integer: number | bigint): void {
    this.text(`:${integer}\r\n`);
  }

  /** `:1\r\n` or `:0\r\n` */
  flag(flag: boolean): void {
    this.text(flag ? ':1\r\n' : ':0\r\n');
  }

  /** `$<bytes>\r\n<value>\r\n`, and for no value `$-1\r\n` or `_\r\n` */
  bulk(value: StoredValue | undefined): void {
    if (value === undefined) {
      this.text(this.protocol === 3 ? '_\r\n' : '$-1\r\n');
      return;
    }
    this.text(`$${value.length}\r\n`);
    this.block(value);
  }

  /** A bulk string that RESP3 marks as text to be shown as it is: `=<bytes>\r\ntxt:<text>\r\n`. */
  verbatim(text: string): void {
    if (this.protocol === 3) this.text(`=${text.length + 4}\r\ntxt:${text}\r\n`);
    else this.bulk(textValue(text));
  }

  /** `*<length>\r\n`: so many replies follow. */
  array(length: number): void {
    this.text(`*${length}\r\n`);
  }

  /** `%<pairs>\r\n`, in RESP2 an array: twice as many replies follow. */
  map(pairs: number): void {
    this.text(this.protocol === 3 ? `%${pairs}\r\n` : `*${pairs * 2}\r\n`);
  }

  /** An array of bulk strings. */
  list(texts: readonly string[]): void {
    this.array(texts.length);
    for (const text of texts) this.bulk(text);
  }

  /** A map of bulk strings. */
  pairs(pairs: readonly (readonly [string, string])[]): void {
    this.map(pairs.length);
    for (const [name, value] of pairs) {
      this.bulk(name);
      this.bulk(value);
    }
  }

  /** Makes the session what it was at its beginning. */
  reset(): void {
    this.authenticated = !this.context.requiresAuthentication;
    this.protocol = 2;
    this.name = '';
  }
}
