import { commandChannel, type ExecutedMessage } from '../net/channels';
import type { SocketSession, TurnLimits } from '../net/service';
import type { Context } from './context';
import type { CommandInfo, Execution } from './execution';
import type { Replies } from './replies';

/** Cuts bytes into commands, and has each of them executed. */
export interface CommandReader {
  /** @returns where it stopped, less than `end` after {@link stop} */
  push(buffer: Buffer, start: number, end: number): number;
  /** Makes the present `push` return after this command. */
  stop(): void;
}

/**
 * One client's conversation, in whatever protocol: bytes in, bytes out, in order. It has no socket and no timer: a
 * server drives it from a connection, an embedded client from its own process.
 */
export abstract class CommandSession<E extends Replies> implements SocketSession {
  protected readonly exchange: E;
  /** The connection's number. */
  protected readonly id: number;
  protected abstract readonly reader: CommandReader;
  readonly #context: Context;
  readonly #maxCommands: number;
  readonly #maxReplyBytes: number;
  #commands = 0;
  /** Whether anybody listens to the channel of commands during this push. */
  #heard = false;
  #pending: Promise<void> | undefined;

  protected constructor(context: Context, exchange: E, limits: TurnLimits, id: number) {
    this.#context = context;
    this.exchange = exchange;
    this.id = id;
    this.#maxCommands = limits.maxCommands ?? Infinity;
    this.#maxReplyBytes = limits.maxReplyBytes ?? Infinity;
  }

  /** Whether the session is over: the client quit, or sent something that cannot be read. */
  get ended(): boolean {
    return this.exchange.ended;
  }

  /** How many commands the last {@link push} executed. */
  get executed(): number {
    return this.#commands;
  }

  /** Resolves when a command that is answered later has been answered; nothing is executed before that. */
  get pending(): Promise<void> | undefined {
    return this.#pending;
  }

  /**
   * Executes the commands that `buffer[start, end)` completes, and writes their replies together. Nothing of the buffer
   * is kept.
   *
   * @returns where it stopped: `end`, or less when a limit was reached; the rest must be pushed again.
   */
  push(buffer: Buffer, start: number, end: number): number {
    const { exchange } = this;
    if (exchange.ended) return end;
    if (this.#pending !== undefined) return start;
    this.#commands = 0;
    this.#heard = commandChannel.hasSubscribers;
    exchange.produced = 0;
    const { store, hook } = this.#context;
    // A hook may be a test that moves the clock.
    if (hook === undefined) store.beginTurn();
    let at = end;
    try {
      at = this.reader.push(buffer, start, end);
    } catch (error) {
      this.fail(error);
    } finally {
      store.endTurn();
    }
    exchange.flush();
    return this.ended ? end : at;
  }

  /** Ends the session. */
  close(): void {
    this.exchange.finish();
  }

  /** Executes a command of any protocol: the reader calls it when one is complete. */
  protected perform(): void {
    const { exchange } = this;
    const { hook } = this.#context;
    const since = this.#heard ? this.#context.store.clock.now() : 0;
    const answered = hook === undefined ? this.execute() : hook(this.#execution());
    if (this.#heard) this.#publish(since);
    if (answered !== undefined) this.#wait(answered);
    const enough = ++this.#commands >= this.#maxCommands || exchange.produced >= this.#maxReplyBytes;
    if (enough || exchange.ended || answered !== undefined) this.reader.stop();
  }

  /** Executes the command that the reader has read; the promise settles when its answer comes later. */
  protected abstract execute(): Promise<void> | undefined;

  /** The name of that command, once it was executed. */
  protected abstract get commandName(): string;

  /** Describes that command for a hook. */
  protected abstract describe(): CommandInfo;

  /** Whether the client wants no reply to it. */
  protected abstract get noreply(): boolean;

  /** Ends the session: the client sent something that cannot be read, or we have a bug. */
  protected fail(error: unknown): void {
    this.#context.log(`closing a connection: ${String(error)}`, 1);
    this.exchange.finish();
  }

  #execution(): Execution {
    return {
      command: this.describe(),
      noreply: this.noreply,
      replies: this.exchange,
      execute: () => this.execute(),
    };
  }

  #publish(since: number): void {
    const { address, protocol, store } = this.#context;
    const message: ExecutedMessage = {
      server: address,
      protocol,
      connection: this.id,
      command: this.commandName,
      duration: store.clock.now() - since,
    };
    commandChannel.publish(message);
  }

  #wait(answered: Promise<void>): void {
    this.#pending = answered
      .catch((error: unknown) => {
        this.fail(error);
      })
      .then(() => {
        this.#pending = undefined;
        this.exchange.flush();
      });
  }
}
