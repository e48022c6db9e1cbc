/**
 *     version\r\n                     VERSION <version>
 *     stats [<argument>]\r\n          (STAT <name> <value> | ITEM <key> <rest> | PREFIX <name> <rest>)* END | RESET | OK
 *     flush_all [<delay>] [noreply]   OK
 *     verbosity <level>               OK
 *     cache_memlimit <megabytes>      OK
 *     shutdown [graceful] | quit      the server closes the connection
 */
import type { Frame } from '../../protocol/frame';
import { isWord } from '../../protocol/reply';
import { BrokenReply, MORE, ServerCommand, type Deleting, type ReplyReader } from '../command';

/** By server name. */
function mergeMaps<T>(results: readonly Map<string, T>[]): Map<string, T> {
  return new Map(results.flatMap((result) => [...result]));
}

/** The version of each server, by its name. */
export class VersionCommand extends ServerCommand<Map<string, string>> {
  constructor() {
    super('version');
  }

  merge(results: readonly Map<string, string>[]): Map<string, string> {
    return mergeMaps(results);
  }

  override read(frame: Frame, server: string): Map<string, string> {
    if (!frame.startsWith('VERSION')) throw this.refuse(frame, server);
    return new Map([[server, frame.line().slice('VERSION '.length)]]);
  }
}

/** The statistics of each server, by its name. */
export class StatsCommand extends ServerCommand<Map<string, Map<string, string>>> {
  constructor(args: readonly string[]) {
    super('stats', ['stats', ...args].join(' '));
  }

  override get throughProxies(): boolean {
    return false;
  }

  merge(results: readonly Map<string, Map<string, string>>[]): Map<string, Map<string, string>> {
    return mergeMaps(results);
  }

  override reader(): ReplyReader<Map<string, Map<string, string>>> {
    const stats = new Map<string, string>();
    return {
      read: (frame, server) => {
        if (frame.startsWith('STAT') || frame.startsWith('ITEM') || frame.startsWith('PREFIX')) {
          const [, name = '', ...rest] = frame.line().split(' ');
          stats.set(name, rest.join(' '));
          return MORE;
        }
        if (isWord(frame, 'END') || isWord(frame, 'RESET') || isWord(frame, 'OK')) return new Map([[server, stats]]);
        const error = this.refuse(frame, server);
        throw stats.size > 0 ? new BrokenReply(error) : error;
      },
    };
  }
}

/** A command that is answered by `OK`. */
export class OkCommand extends ServerCommand<void> {
  constructor(verb: 'flush_all' | 'verbosity' | 'cache_memlimit', argument: number | undefined, noreply = false) {
    super(verb, `${verb}${argument === undefined ? '' : ` ${argument}`}${noreply ? ' noreply' : ''}`, noreply);
  }

  override get throughProxies(): boolean {
    return false;
  }

  override get deleting(): Deleting<void> | undefined {
    return this.verb === 'flush_all' ? { wireKeys: undefined, elsewhere: this } : undefined;
  }

  override unanswered(): void {
    return;
  }

  merge(): void {
    return;
  }

  override read(frame: Frame, server: string): void {
    if (!isWord(frame, 'OK')) throw this.refuse(frame, server);
  }
}

/** A command, `quit` or `shutdown`, whose answer is that the server closes the connection. */
export class ClosingCommand extends ServerCommand<void> {
  override get closes(): boolean {
    return true;
  }

  /** A proxy would close too, and nothing would have been stopped. */
  override get throughProxies(): boolean {
    return this.verb === 'quit';
  }

  merge(): void {
    return;
  }
}

/** Any one line, answered by bytes up to `until`. */
export class RawCommand extends ServerCommand<Buffer> {
  readonly #until: Buffer;

  constructor(line: string, until: Buffer) {
    super('raw', line);
    this.#until = until;
  }

  override get rawUntil(): Buffer {
    return this.#until;
  }

  override get idempotent(): boolean {
    return false;
  }

  merge(results: readonly Buffer[]): Buffer {
    return Buffer.concat(results);
  }
}
