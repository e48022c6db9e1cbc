import type { Clock } from '../../runtime/clock';
import { RecentMap } from '../recent-map';

interface State {
  failures: number;
  /** When the next call may try; 0 while the circuit is closed. */
  openUntil: number;
  probing: boolean;
}

/** Spares calls the wait for a server that keeps failing. */
export class Circuits {
  readonly #clock: Clock;
  readonly #limit: number;
  readonly #pause: number;
  /** Bounded, as a server that has left the cluster is never heard of again. */
  readonly #states = new RecentMap<string, State>();

  /**
   * @param limit consecutive failures that open it
   * @param pause milliseconds for which calls then skip the server
   */
  constructor(clock: Clock, limit: number, pause: number) {
    this.#clock = clock;
    this.#limit = limit;
    this.#pause = pause;
  }

  /** Whether no server has failed lately, so that calls need not be checked one by one. */
  get quiet(): boolean {
    return this.#states.size === 0;
  }

  /** Whether a call may go to this server. After `pause`, one call at a time may try a server whose circuit is open. */
  admits(server: string): boolean {
    const state = this.#states.get(server);
    if (state === undefined || state.openUntil === 0) return true;
    if (state.probing || this.#clock.now() < state.openUntil) return false;
    state.probing = true;
    return true;
  }

  /** Whether calls to this server do without it, but for one at a time. */
  isOpen(server: string): boolean {
    return (this.#states.get(server)?.openUntil ?? 0) !== 0;
  }

  ok(server: string): void {
    this.#states.delete(server);
  }

  /** @returns whether this failure has opened it */
  failed(server: string): boolean {
    let state = this.#states.get(server);
    if (state === undefined) this.#states.set(server, (state = { failures: 0, openUntil: 0, probing: false }));
    state.failures++;
    const wasOpen = state.openUntil !== 0;
    if (wasOpen && !state.probing) return false;
    if (!wasOpen && state.failures < this.#limit) return false;
    state.openUntil = this.#clock.now() + this.#pause;
    state.probing = false;
    return !wasOpen;
  }
}
