import { commandChannel, type ExecutedMessage } from '../net/channels';
import type { SocketSession } from '../net/service';
import type { Context } from './context';
import type { CommandInfo, Execution } from './execution';
import type { Replies } from './replies';

/** A command with its place in the counts. */
export interface NumberedCommand {
  readonly name: string;
  /** Its index there; 0 is for commands that do not exist. */
  readonly index: number;
}

/** What a command that does not exist is counted as. */
export const UNKNOWN: NumberedCommand = { name: 'unknown', index: 0 };

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
  /** What the last {@link execute} has executed; undefined when the command was refused, or is kept for later. */
  protected executedCommand: NumberedCommand | undefined;
  readonly #context: Context;
  /** Whether anybody listens to the channel of commands during this push. */
  #heard = false;
  #pending: Promise<void> | undefined;

  protected constructor(context: Context, exchange: E, id: number) {
    this.#context = context;
    this.exchange = exchange;
    this.id = id;
  }

  /** Whether the session is over: the client quit, or sent something that cannot be read. */
  get ended(): boolean {
    return this.exchange.ended;
  }

  /** How many commands the last {@link push} executed. */
  get executed(): number {
    return this.exchange.turn.commands;
  }

  /** Resolves when a command that is answered later has been answered; nothing is executed before that. */
  get pending(): Promise<void> | undefined {
    return this.#pending;
  }

  /**
   * Executes the commands that `buffer[start, end)` completes, and writes their replies together. Nothing of the buffer
   * is kept.
   *
   * @returns where it stopped: `end`, or less when a limit was reached; the rest must be pushed again. A command that is to go on
   *   keeps the last byte of its line for the rest.
   */
  push(buffer: Buffer, start: number, end: number): number {
    const { exchange } = this;
    if (exchange.ended) return end;
    if (this.#pending !== undefined) return start;
    this.#heard = commandChannel.hasSubscribers;
    const { store, hook } = this.#context;
    // A hook may hold back the reply of a command, which must then be complete.
    exchange.turn.begin(hook === undefined);
    // A hook may be a test that moves the clock.
    if (hook === undefined) store.beginTurn();
    let at = end;
    try {
      at = exchange.rest === undefined ? this.reader.push(buffer, start, end) : this.#goOn(exchange.rest, buffer, start, end);
      if (exchange.rest !== undefined) at--;
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
    const since = this.begun();
    this.executedCommand = undefined;
    const answered = hook === undefined ? this.execute() : hook(this.#execution());
    // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- execute() has set it, if it was not refused
    if (this.executedCommand !== undefined) this.count(this.executedCommand, since);
    if (answered !== undefined) this.#wait(answered);
    exchange.turn.commands++;
    if (exchange.turn.isOver || exchange.ended || answered !== undefined || exchange.rest !== undefined) this.reader.stop();
  }

  /** Executes the command that the reader has read; the promise settles when its answer comes later. */
  protected abstract execute(): Promise<void> | undefined;

  /** The time at which a command begins; 0 if nobody wants to know how long it takes. */
  protected begun(): number {
    return this.#heard ? this.#context.store.clock.now() : 0;
  }

  /**
   * Counts a command that was executed, and tells those who listen.
   *
   * @param since as from {@link begun}
   */
  protected count({ name, index }: NumberedCommand, since: number): void {
    this.#context.count(index);
    if (!this.#heard) return;
    const { address, protocol, store } = this.#context;
    const message: ExecutedMessage = {
      server: address,
      protocol,
      connection: this.id,
      command: name,
      duration: store.clock.now() - since,
    };
    commandChannel.publish(message);
  }

  /** Describes that command for a hook. */
  protected abstract describe(): CommandInfo;

  /** Whether the client wants no reply to it. */
  protected abstract get noreply(): boolean;

  /** Ends the session: the client sent something that cannot be read, or we have a bug. */
  protected fail(error: unknown): void {
    this.#context.log(`closing a connection: ${String(error)}`, 1);
    this.exchange.finish();
  }

  /** Goes on with a command, the last byte of whose line stands at `start`; when it is done, with the commands after it. */
  #goOn(rest: () => void, buffer: Buffer, start: number, end: number): number {
    const { exchange } = this;
    exchange.rest = undefined;
    // It counts as a command of this turn: its client is not idle.
    exchange.turn.commands = 1;
    rest();
    const from = start + 1;
    // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- it may have left a rest once more
    return exchange.turn.isOver || exchange.rest !== undefined ? from : this.reader.push(buffer, from, end);
  }

  #execution(): Execution {
    return {
      command: this.describe(),
      noreply: this.noreply,
      replies: this.exchange,
      execute: () => this.execute(),
    };
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
