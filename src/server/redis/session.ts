import { MAX_KEY_LENGTH } from '../../protocol/limits';
import type { SessionOutput, TurnLimits } from '../net/service';
import { CommandSession, UNKNOWN } from '../shared/command-session';
import type { CommandInfo } from '../shared/execution';
import { hasArity, type Command } from './commands/command';
import type { RedisContext } from './commands/context';
import { RedisExchange, TOO_LARGE } from './commands/exchange';
import { BY_NAME, COMMANDS } from './commands/table';
import type { Transaction } from './commands/transaction';
import { ProtocolError, RequestReader, type RequestLimits } from './resp/request-reader';

/** The most memory of a request beyond one value, in bytes. */
const MAX_REQUEST = 16 * 1024 * 1024;

/** The longest name, and the longest list of arguments, that an error repeats. */
const MAX_QUOTED = 128;

/** One client's conversation in Redis's protocol. */
export class RedisSession extends CommandSession<RedisExchange> {
  protected override readonly reader: RequestReader;
  /** The command that was named last: most clients name the same one again. */
  #latest: Command | undefined;

  constructor(context: RedisContext, output: SessionOutput, limits: TurnLimits = {}, id = 1) {
    super(context, new RedisExchange(context, output, limits, id), id);
    const { maxItemSize } = context.store;
    const bounds: RequestLimits = {
      maxArgument: maxItemSize,
      maxRequest: maxItemSize + MAX_REQUEST,
      memory: context.requestMemory,
      get ahead() {
        return context.ahead;
      },
    };
    this.reader = new RequestReader(
      this.exchange.request,
      bounds,
      () => {
        this.perform();
      },
      (error) => {
        this.fail(error);
      },
    );
    this.reader.restricted = context.requiresAuthentication;
  }

  /** The client of this session. */
  get client(): Pick<RedisExchange, 'name' | 'libraryName' | 'libraryVersion' | 'protocol'> {
    return this.exchange;
  }

  override close(): void {
    this.reader.release();
    this.exchange.dropTransaction();
    super.close();
  }

  protected override execute(): Promise<void> | undefined {
    const { exchange } = this;
    const { request } = exchange;
    let named = this.#latest;
    if (named === undefined || !request.isNamed(named.name)) {
      named = findCommand(exchange);
      // A subcommand has a second word.
      this.#latest = named === undefined || named.name.includes('|') || named.subcommands.size > 0 ? undefined : named;
    }
    const command = named === undefined || isRefused(exchange, named) ? undefined : named;
    if (named === undefined) this.executedCommand = UNKNOWN;
    if (exchange.context.verbosity > 1 && exchange.authenticated) exchange.context.log(`< ${logged(exchange, named)}`, 2);
    const { transaction } = exchange;
    let answered: void | Promise<void> = undefined;
    if (transaction !== undefined && command?.atOnce !== true) {
      this.#enqueue(transaction, command);
    } else if (command !== undefined) {
      this.executedCommand = command;
      answered = command.execute(exchange);
    }
    this.reader.restricted = !exchange.authenticated;
    return answered ?? undefined;
  }

  protected override describe(): CommandInfo {
    const { request } = this.exchange;
    const verb = request.word(0);
    const at = COMMANDS.get(verb)?.keys[0] ?? 0;
    const words = Array.from({ length: request.count }, (_, index) => request.text(index));
    return { verb, key: at === 0 ? undefined : words[at], line: words.join(' '), connection: this.id };
  }

  protected override get noreply(): boolean {
    return false;
  }

  /** The client is told of its own mistakes, but not of ours. */
  protected override fail(error: unknown): void {
    this.reader.release();
    if (error instanceof ProtocolError) this.exchange.error(`ERR Protocol error: ${error.message}`);
    super.fail(error);
  }

  /** Keeps a command until EXEC; one that is refused makes the whole transaction fail. */
  #enqueue(transaction: Transaction, command: Command | undefined): void {
    const { exchange } = this;
    if (command === undefined) {
      transaction.failed = true;
    } else if (command.flags.includes('no_multi')) {
      transaction.failed = true;
      exchange.error('ERR Command not allowed inside a transaction');
    } else {
      const problem = transaction.add(exchange.request, () => {
        this.#executeKept(command);
      });
      if (problem === undefined) {
        exchange.status('QUEUED');
        return;
      }
      transaction.failed = true;
      exchange.error(`ERR ${problem}`);
    }
  }

  /** Only now is it a command that was executed: after DISCARD it would not be one. */
  #executeKept(command: Command): void {
    const since = this.begun();
    void command.execute(this.exchange);
    this.count(command, since);
  }
}

/** The command that was named, whether it may be executed or not; sends the error when there is none. */
function findCommand(exchange: RedisExchange): Command | undefined {
  const { request } = exchange;
  const entry = BY_NAME.find(request.nameHash);
  if (entry === undefined || !request.isNamed(entry.name)) {
    // It looks like HTTP: a browser may have been tricked into sending commands.
    if (/^(?:post|host:)$/i.test(request.text(0))) exchange.finish();
    else exchange.error(unknownCommand(exchange));
    return undefined;
  }
  const command = entry.subcommands.size === 0 || request.count === 1 ? entry : entry.subcommands.get(request.word(1));
  if (command === undefined) {
    const tried = request.shown(1).slice(0, MAX_QUOTED);
    exchange.error(`ERR unknown subcommand '${tried}'. Try ${entry.name.toUpperCase()} HELP.`);
  }
  return command;
}

/** Whether the command must not be executed; sends the error, by checks in Redis's order. */
function isRefused(exchange: RedisExchange, command: Command): boolean {
  const { request } = exchange;
  if (!hasArity(command, request.count)) {
    reject(exchange, command, 'ERR ', `wrong number of arguments for '${command.name}' command`);
  } else if (!exchange.authenticated && !command.flags.includes('no_auth')) {
    reject(exchange, command, '', 'NOAUTH Authentication required.');
  } else if (request.hasOversized && !command.takesLargeValues) {
    exchange.error(TOO_LARGE);
  } else if (!hasGoodKeys(exchange, command)) {
    exchange.error(`ERR keys have 1 to ${MAX_KEY_LENGTH} bytes`);
  } else {
    return false;
  }
  return true;
}

/** As in Redis, `EXEC` that is refused ends the transaction, if there is one, and nothing is watched: the client takes it for over. */
function reject(exchange: RedisExchange, { name }: Command, prefix: string, problem: string): void {
  if (name === 'exec') {
    exchange.dropTransaction();
    exchange.error(`EXECABORT Transaction discarded because of: ${problem}`);
  } else {
    exchange.error(prefix + problem);
  }
}

function hasGoodKeys({ request }: RedisExchange, { keys }: Command): boolean {
  // By their places: to take the array apart is to iterate over it, for each command.
  const first = keys[0];
  const last = keys[1] < 0 ? request.count - 1 : keys[1];
  if (first === 0) return true;
  for (let index = first; index <= last; index += keys[2]) {
    const length = request.length(index);
    if (length === 0 || length > MAX_KEY_LENGTH) return false;
  }
  return true;
}

/** Name and keys of a command: other arguments may be values or passwords. Keys are quoted, as they may hold line ends. */
function logged({ request }: RedisExchange, command: Command | undefined): string {
  if (command === undefined) return 'unknown';
  const [first, last, step] = command.keys;
  let line = command.name.replace('|', ' ');
  if (first === 0) return line;
  for (let index = first; index <= (last < 0 ? request.count - 1 : last); index += step) line += ` ${JSON.stringify(request.text(index))}`;
  return line;
}

/** As Redis words it. */
function unknownCommand({ request }: RedisExchange): string {
  let args = '';
  for (let index = 1; index < request.count && args.length < MAX_QUOTED; index++) {
    args += `'${request.shown(index).slice(0, MAX_QUOTED - args.length)}' `;
  }
  return `ERR unknown command '${request.shown(0).slice(0, MAX_QUOTED)}', with args beginning with: ${args}`;
}
