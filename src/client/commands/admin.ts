/**
 *     version\r\n                     VERSION <version>
 *     stats [<argument>]\r\n          (STAT <name> <value> | ITEM <key> <rest> | PREFIX <name> <rest>)* END | RESET | OK
 *     flush_all [<delay>] [noreply]   OK
 *     verbosity <level>               OK
 *     cache_memlimit <megabytes>      OK
 *     shutdown [graceful] | quit      the server closes the connection
 */
import { MemcacheUnknownError } from '../../errors';
import type { Frame } from '../../protocol/frame';
import { isWord } from '../../protocol/reply';
import type { RequestWriter } from '../../protocol/request';
import { BrokenReply, MORE, ServerCommand, type Deleting, type ReplyReader } from '../command';

/** By server name. */
function mergeMaps<T>(results: readonly Map<string, T>[]): Map<string, T> {
  return new Map(results.flatMap((result) => [...result]));
}

/** The version of each server, by its name. */
export class VersionCommand extends ServerCommand<Map<string, string>> implements ReplyReader<Map<string, string>> {
  get verb(): 'version' {
    return 'version';
  }

  get idempotent(): boolean {
    return true;
  }


  write(request: RequestWriter): void {
    request.text('version\r\n');
  }

  merge(results: readonly Map<string, string>[]): Map<string, string> {
    return mergeMaps(results);
  }

  reader(): this {
    return this;
  }

  read(frame: Frame, server: string): Map<string, string> {
    if (!frame.startsWith('VERSION')) throw this.refuse(frame, server);
    return new Map([[server, frame.line().slice('VERSION '.length)]]);
  }
}

/** The statistics of each server, by its name. */
export class StatsCommand extends ServerCommand<Map<string, Map<string, string>>> {
  get verb(): 'stats' {
    return 'stats';
  }

  get idempotent(): boolean {
    return true;
  }

  override get throughProxies(): boolean {
    return false;
  }

  readonly #args: readonly string[];

  constructor(args: readonly string[]) {
    super();
    this.#args = args;
  }

  write(request: RequestWriter): void {
    request.text(['stats', ...this.#args].join(' ') + '\r\n');
  }

  merge(results: readonly Map<string, Map<string, string>>[]): Map<string, Map<string, string>> {
    return mergeMaps(results);
  }

  reader(): ReplyReader<Map<string, Map<string, string>>> {
    const stats = new Map<string, string>();
    return {
      read: (frame, server) => {
        if (frame.startsWith('STAT') || frame.startsWith('ITEM') || frame.startsWith('PREFIX')) {
          const [, name = '', ...rest] = frame.line().split(' ');
          stats.set(name, rest.join(' '));
          return MORE;
        }
        const ended = isWord(frame, 'END') || isWord(frame, 'RESET') || isWord(frame, 'OK');
        if (!ended && stats.size > 0) throw new BrokenReply(this.refuse(frame, server));
        if (!ended) throw this.refuse(frame, server);
        return new Map([[server, stats]]);
      },
    };
  }
}

/** A command that is answered by `OK`. */
export class OkCommand extends ServerCommand<void> implements ReplyReader<void> {
  readonly verb: string;
  get idempotent(): boolean {
    return true;
  }

  override get throughProxies(): boolean {
    return false;
  }

  override readonly noreply: boolean;
  readonly #args: string;

  private constructor(verb: string, args: string, noreply = false) {
    super();
    this.verb = verb;
    this.noreply = noreply;
    this.#args = args;
  }

  override get deleting(): Deleting<void> | undefined {
    return this.verb === 'flush_all' ? { wireKeys: undefined, elsewhere: this } : undefined;
  }

  static flushAll(delay: number, noreply: boolean): OkCommand {
    return new OkCommand('flush_all', delay === 0 ? '' : ` ${delay}`, noreply);
  }

  static verbosity(level: number): OkCommand {
    return new OkCommand('verbosity', ` ${level}`);
  }

  static cacheMemlimit(megabytes: number): OkCommand {
    return new OkCommand('cache_memlimit', ` ${megabytes}`);
  }

  write(request: RequestWriter): void {
    request.text(`${this.verb}${this.#args}${this.noreply ? ' noreply\r\n' : '\r\n'}`);
  }

  override unanswered(): void {
    return;
  }

  merge(): void {
    return;
  }

  reader(): this {
    return this;
  }

  read(frame: Frame, server: string): void {
    if (!isWord(frame, 'OK')) throw this.refuse(frame, server);
  }
}

/** A command whose answer is that the server closes the connection. */
export class ClosingCommand extends ServerCommand<void> implements ReplyReader<void> {
  readonly verb: 'quit' | 'shutdown';
  get idempotent(): boolean {
    return true;
  }

  override get closes(): boolean {
    return true;
  }

  /** A proxy would close too, and nothing would have been stopped. */
  override get throughProxies(): boolean {
    return this.verb === 'quit';
  }

  readonly #line: string;

  private constructor(verb: 'quit' | 'shutdown', line: string) {
    super();
    this.verb = verb;
    this.#line = line;
  }

  static quit(): ClosingCommand {
    return new ClosingCommand('quit', 'quit\r\n');
  }

  static shutdown(graceful: boolean): ClosingCommand {
    return new ClosingCommand('shutdown', graceful ? 'shutdown graceful\r\n' : 'shutdown\r\n');
  }

  write(request: RequestWriter): void {
    request.text(this.#line);
  }

  merge(): void {
    return;
  }

  reader(): this {
    return this;
  }

  read(frame: Frame, server: string): never {
    throw this.refuse(frame, server);
  }
}

/** Any one line, answered by bytes up to `until`. */
export class RawCommand extends ServerCommand<Buffer> implements ReplyReader<Buffer> {
  get verb(): 'raw' {
    return 'raw';
  }

  get idempotent(): boolean {
    return false;
  }

  readonly #line: string;
  readonly #until: Buffer;

  constructor(line: string, until: Buffer) {
    super();
    this.#line = line;
    this.#until = until;
  }

  override get rawUntil(): Buffer {
    return this.#until;
  }

  write(request: RequestWriter): void {
    request.text(this.#line + '\r\n');
  }

  merge(results: readonly Buffer[]): Buffer {
    return Buffer.concat(results);
  }

  reader(): this {
    return this;
  }

  read(): never {
    throw new MemcacheUnknownError('a raw reply has no frames');
  }
}
