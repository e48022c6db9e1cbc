import { MAX_KEY_LENGTH } from '../../protocol/limits';
import type { SocketSession } from '../connection';
import type { SessionOutput } from '../replies';
import type { TurnLimits } from '../session';
import { hasArity, type Command } from './command';
import { COMMANDS } from './commands';
import type { RedisContext } from './context';
import { RedisExchange, TOO_LARGE } from './exchange';
import { ProtocolError, RequestReader } from './request-reader';

/** What a request may keep in memory beyond one value, in bytes. */
const MAX_REQUEST = 16 * 1024 * 1024;

/** The longest name of a command, and the longest list of arguments, that an error repeats. */
const MAX_QUOTED = 128;

/** One client's conversation in Redis's protocol: bytes in, bytes out, in order. It has no socket and no timer. */
export class RedisSession implements SocketSession {
  readonly exchange: RedisExchange;
  readonly #reader: RequestReader;
  readonly #maxCommands: number;
  readonly #maxReplyBytes: number;
  #commands = 0;
  #pending: Promise<void> | undefined;

  constructor(context: RedisContext, output: SessionOutput, limits: TurnLimits = {}, id = 1) {
    this.#maxCommands = limits.maxCommands ?? Infinity;
    this.#maxReplyBytes = limits.maxReplyBytes ?? Infinity;
    this.exchange = new RedisExchange(context, output, id);
    const { maxItemSize } = context.store;
    const bounds = { maxArgument: maxItemSize, maxRequest: maxItemSize + MAX_REQUEST, memory: context.requestMemory };
    this.#reader = new RequestReader(
      this.exchange.request,
      bounds,
      () => {
        this.#execute();
      },
      (error) => {
        this.#fail(error);
      },
    );
  }

  get ended(): boolean {
    return this.exchange.ended;
  }

  get executed(): number {
    return this.#commands;
  }

  get pending(): Promise<void> | undefined {
    return this.#pending;
  }

  push(buffer: Buffer, start: number, end: number): number {
    const { exchange } = this;
    if (exchange.ended) return end;
    if (this.#pending !== undefined) return start;
    this.#commands = 0;
    exchange.produced = 0;
    let at = end;
    try {
      this.#reader.restricted = !exchange.authenticated;
      at = this.#reader.push(buffer, start, end);
    } catch (error) {
      this.#fail(error);
    }
    exchange.flush();
    return this.ended ? end : at;
  }

  close(): void {
    this.#reader.release();
    this.exchange.finish();
  }

  #execute(): void {
    const { exchange } = this;
    exchange.context.commands++;
    const command = findCommand(exchange);
    const reply = command?.execute(exchange);
    if (reply !== undefined) this.#wait(reply);
    this.#reader.restricted = !exchange.authenticated;
    const enough = ++this.#commands >= this.#maxCommands || exchange.produced >= this.#maxReplyBytes;
    if (exchange.ended || this.#pending !== undefined || enough) this.#reader.stop();
  }

  #wait(reply: Promise<void>): void {
    const { exchange } = this;
    this.#pending = reply
      .catch((error: unknown) => {
        this.#fail(error);
      })
      .then(() => {
        this.#pending = undefined;
        exchange.flush();
      });
  }

  /** Ends the session: the client is told what it did wrong, but not what we did. */
  #fail(error: unknown): void {
    const { exchange } = this;
    exchange.context.log(`closing a connection: ${String(error)}`, 1);
    this.#reader.release();
    if (error instanceof ProtocolError) exchange.error(`ERR Protocol error: ${error.message}`);
    exchange.finish();
  }
}

/** The command to execute; else answers why there is none, in Redis's order of complaints. */
function findCommand(exchange: RedisExchange): Command | undefined {
  const { request } = exchange;
  const name = request.text(0);
  const entry = COMMANDS.get(name) ?? COMMANDS.get(name.toLowerCase());
  if (entry === undefined) {
    // A browser may have been made to send what it takes for HTTP.
    if (/^(?:post|host:)$/i.test(name)) exchange.finish();
    else exchange.error(unknownCommand(exchange));
    return undefined;
  }
  const command = entry.subcommands.size === 0 || request.count === 1 ? entry : entry.subcommands.get(request.word(1));
  if (command === undefined) {
    const tried = cut(request.text(1), MAX_QUOTED);
    exchange.error(`ERR unknown subcommand '${tried}'. Try ${entry.name.toUpperCase()} HELP.`);
  } else if (!hasArity(command, request.count)) {
    exchange.error(`ERR wrong number of arguments for '${command.name}' command`);
  } else if (!exchange.authenticated && !command.flags.includes('no_auth')) {
    exchange.error('NOAUTH Authentication required.');
  } else if (request.hasOversized && !command.takesLargeValues) {
    exchange.error(TOO_LARGE);
  } else if (!hasGoodKeys(exchange, command)) {
    exchange.error(`ERR keys have 1 to ${MAX_KEY_LENGTH} bytes`);
  } else {
    return command;
  }
  return undefined;
}

function hasGoodKeys({ request }: RedisExchange, { keys: [first, last, step] }: Command): boolean {
  if (first === 0) return true;
  const end = last < 0 ? request.count - 1 : last;
  for (let index = first; index <= end; index += step) {
    const length = request.length(index);
    if (length === 0 || length > MAX_KEY_LENGTH) return false;
  }
  return true;
}

/** The words of Redis, which end each argument at a NUL. */
function unknownCommand({ request }: RedisExchange): string {
  let args = '';
  for (let index = 1; index < request.count && args.length < MAX_QUOTED; index++) {
    args += `'${cut(request.text(index), MAX_QUOTED - args.length)}' `;
  }
  return `ERR unknown command '${cut(request.text(0), MAX_QUOTED)}', with args beginning with: ${args}`;
}

function cut(text: string, length: number): string {
  return text.slice(0, length).split('\0', 1).join('');
}
