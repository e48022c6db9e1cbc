import type { Clock } from '../../runtime/clock';

/**
 * How long a connection that fell silent is kept, in milliseconds. Ended after that it takes nothing more to the server: Linux gives up
 * what it has sent in vain for 102 s once the program has no use for it.
 */
const LONGEST_SILENCE = 120_000;

/**
 * Connections to one server that carried calls which were not answered in time. The system would send again and again what it has not
 * delivered of these calls, so that a `set` could be executed after a newer one. They are reset once the server can be reached again, so
 * that this is dropped. A reset before that would not reach the server, which would keep its end of the connection for hours.
 */
export class SilentConnections {
  readonly #clock: Clock;
  readonly #ends = new Set<(drops: boolean) => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param destroy ends the connection; `drops` as for {@link Transport.destroy} */
  add(destroy: (drops: boolean) => void): void {
    const end = (drops: boolean): void => {
      timer.close();
      this.#ends.delete(end);
      destroy(drops);
    };
    const timer = this.#clock.setTimeout(() => { end(false); }, LONGEST_SILENCE);
    timer.unref();
    this.#ends.add(end);
  }

  /** @param drops whether the server can be reached */
  end(drops: boolean): void {
    // Asked at each read.
    if (this.#ends.size > 0) for (const end of this.#ends) end(drops);
  }
}
