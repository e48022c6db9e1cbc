import { VersionCommand } from '../client/commands/admin';
import type { Connection } from '../client/connection';
import type { Clock } from '../runtime/clock';

/** Milliseconds until a resting connection is tried again; each failure doubles it. */
const FIRST_WAIT = 250;
const LONGEST_WAIT = 8000;

/**
 * The connections for which the server has no place, while others work. One of them at a time is tried again when calls are
 * waiting: with `version`, so that no call depends on it.
 */
export class RestingConnections {
  readonly #clock: Clock;
  readonly #giveBack: (connection: Connection) => void;
  readonly #resting = new Set<Connection>();
  #trying: Connection | undefined;
  #wait = FIRST_WAIT;
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

  isTrying(connection: Connection): boolean {
    return this.#trying === connection;
  }

  /** Lets a connection rest; returns false once {@link end} was called. */
  add(connection: Connection): boolean {
    if (this.#ended) return false;
    if (this.#resting.size === 0) this.#nextTry = this.#clock.now() + this.#wait;
    this.#resting.add(connection);
    return true;
  }

  /** To be called when calls are waiting. */
  tryIfDue(): void {
    const [connection] = this.#resting;
    if (connection !== undefined && this.#trying === undefined && this.#clock.now() >= this.#nextTry) void this.#try(connection);
  }

  /** From now on no connection rests. */
  end(): void {
    this.#ended = true;
    const resting = [...this.#resting];
    this.#resting.clear();
    for (const connection of resting) this.#giveBack(connection);
  }

  async #try(connection: Connection): Promise<void> {
    this.#trying = connection;
    const worked = await connection.execute(new VersionCommand()).then(() => true, () => false);
    this.#trying = undefined;
    this.#wait = worked ? FIRST_WAIT : Math.min(2 * this.#wait, LONGEST_WAIT);
    this.#nextTry = this.#clock.now() + this.#wait;
    if (worked && this.#resting.delete(connection)) this.#giveBack(connection);
  }
}
