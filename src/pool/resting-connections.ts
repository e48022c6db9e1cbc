import { ServerCommand } from '../client/command';
import type { Connection } from '../client/connection';
import type { Clock } from '../runtime/clock';

/** Milliseconds until a resting connection is asked again; each failure doubles it. */
const FIRST_WAIT = 250;
const LONGEST_WAIT = 8000;

/**
 * Asks whether anybody answers at the other end; whatever comes is an answer. No caller waits for it, so it is no call in the
 * metrics, and a pool that is closed does not wait for it either.
 */
class Knock extends ServerCommand<undefined> {
  constructor() {
    super('version', undefined, true);
  }

  override get answeredUnasked(): boolean {
    return true;
  }

  override get ofCaller(): boolean {
    return false;
  }

  override unanswered(): undefined {
    return undefined;
  }

  override read(): undefined {
    return undefined;
  }

  merge(): undefined {
    return undefined;
  }
}

/**
 * Lets connections rest while others work, until a server has answered over them: a full one may take a connection and never
 * look at it, and a call that was given to it would wait in vain. They are asked with a {@link Knock}, so that no call depends on
 * it: at once, and together, as long as the server has a place for each; else one at a time, and ever more seldom.
 */
export class RestingConnections {
  readonly #clock: Clock;
  readonly #giveBack: (connection: Connection) => void;
  readonly #resting = new Set<Connection>();
  /** Those of them that were asked, and have not answered yet. */
  readonly #asked = new Set<Connection>();
  /** 0 unless the server is known to be full. */
  #wait = 0;
  #nextTry = 0;
  #ended = false;

  /** @param giveBack called with a connection that need not rest any more */
  constructor(clock: Clock, giveBack: (connection: Connection) => void) {
    this.#clock = clock;
    this.#giveBack = giveBack;
  }

  /** How many connections rest. */
  get size(): number {
    return this.#resting.size;
  }

  has(connection: Connection): boolean {
    return this.#resting.has(connection);
  }

  /** Whether a connection rests, and was asked whether it works. */
  isAsked(connection: Connection): boolean {
    return this.#asked.has(connection);
  }

  /** Lets a connection rest; returns false once {@link end} was called. */
  add(connection: Connection): boolean {
    if (this.#ended) return false;
    this.#resting.add(connection);
    return true;
  }

  /** A connection failed, perhaps since the server is full. */
  onFailure(isFull: boolean): void {
    const now = this.#clock.now();
    // Several that fail together are one failure.
    if (now < this.#nextTry) return;
    if (isFull) this.#wait = Math.max(FIRST_WAIT, Math.min(2 * this.#wait, LONGEST_WAIT));
    this.#nextTry = now + Math.max(FIRST_WAIT, this.#wait);
  }

  /** To be called when calls are waiting. */
  tryIfDue(): void {
    const isFull = this.#wait > 0;
    if (this.#asked.size === (isFull ? 1 : this.#resting.size) || this.#clock.now() < this.#nextTry) return;
    for (const connection of this.#resting) {
      if (this.#asked.has(connection)) continue;
      this.#asked.add(connection);
      void connection.execute(new Knock()).catch(() => undefined);
      if (isFull) break;
    }
  }

  /**
   * Nothing is awaited any more on a connection that rests: it has answered, or was lost.
   *
   * @param others whether another one works, and whether there is at least another one that may
   */
  onIdle(connection: Connection, others: { readonly work: boolean; readonly mayWork: boolean }): void {
    if (!this.#asked.delete(connection) && !connection.isHeard) return;
    if (connection.isHeard) {
      this.#wait = Math.min(this.#wait, FIRST_WAIT);
      this.#nextTry = this.#clock.now() + this.#wait;
      this.#release(connection);
    } else if (others.mayWork) this.onFailure(others.work);
    else this.#release(connection);
  }

  /** From now on no connection rests. */
  end(): void {
    this.#ended = true;
    for (const connection of [...this.#resting]) this.#release(connection);
  }

  #release(connection: Connection): void {
    this.#resting.delete(connection);
    this.#asked.delete(connection);
    if (this.#resting.size === 0) this.#wait = this.#nextTry = 0;
    this.#giveBack(connection);
  }
}
