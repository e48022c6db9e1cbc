import { MemcacheAuthenticationError, MemcacheClientError } from '../../errors';
import type { Clock } from '../../runtime/clock';
import type { Random } from '../../runtime/random';

/**
 * How a server fares:
 *
 *     healthy ── trouble ──▶ failing ── trouble on retryAttempts probes ──▶ dead
 *        ▲                      │                                            │
 *        └────── an answer ─────┴──────────────── an answer ─────────────────┘
 */
export type HealthState = 'healthy' | 'failing' | 'dead';

/** How patient a client is with a server. */
export interface HealthSettings {
  readonly clock: Clock;
  readonly random: Random;
  /** How many probes a failing server gets before it is called dead. */
  readonly retryAttempts: number;
  /** Milliseconds until a failing server is probed, at the latest. */
  readonly retryTimeout: number;
  /** Milliseconds until a dead server is probed, at the latest. */
  readonly deadTimeout: number;
}

/** The state machine of one server. It has no timer: it moves with calls and with what comes of them. */
export class ServerHealth {
  readonly #settings: HealthSettings;
  #state: HealthState = 'healthy';
  #probes = 0;
  #failures = 0;
  #nextProbe = 0;
  #probing = false;
  #lastFailure: unknown;

  constructor(settings: HealthSettings) {
    this.#settings = settings;
  }

  get state(): HealthState {
    return this.#state;
  }

  /** Failures since it last was healthy. */
  get failures(): number {
    return this.#failures;
  }

  get lastFailure(): unknown {
    return this.#lastFailure;
  }

  /** Milliseconds until it is probed; 0 when that may happen now, or is happening, or when it is healthy. */
  get untilNextProbe(): number {
    return this.#state === 'healthy' ? 0 : Math.max(0, this.#nextProbe - this.#settings.clock.now());
  }

  /**
   * Whether a probe may be sent: of a server that is not healthy one call at a time finds out how it is, when its time has
   * come. Whoever is told so reports the end of the probe with {@link onProbeEnd}.
   */
  admitProbe(): boolean {
    if (this.#state === 'healthy' || this.#probing || this.#settings.clock.now() < this.#nextProbe) return false;
    this.#probing = true;
    return true;
  }

  /** A connection could not be made, or was lost with calls on it. */
  onTrouble(failure: unknown): void {
    if (!isServersFault(failure)) return;
    this.#lastFailure = failure;
    // The other connections, and the calls already under way, fail for the same reason: that counts once.
    if (this.#state !== 'healthy' && !this.#probing) return;
    this.#failures++;
    if (this.#state === 'failing') this.#probes++;
    if (this.#probes >= this.#settings.retryAttempts) this.#state = 'dead';
    else if (this.#state === 'healthy') this.#state = 'failing';
    this.#probing = false;
    const { retryTimeout, deadTimeout } = this.#settings;
    this.#wait(this.#state === 'dead' ? deadTimeout : retryTimeout);
  }

  /** A call was answered. */
  onAnswer(): void {
    this.#state = 'healthy';
    this.#probes = 0;
    this.#failures = 0;
    this.#probing = false;
    this.#lastFailure = undefined;
  }

  /** A probe is over. When nothing came of it, such as when it was aborted, there is another one soon. */
  onProbeEnd(): void {
    if (!this.#probing) return;
    this.#probing = false;
    this.#wait(this.#settings.retryTimeout);
  }

  /** A quarter to the whole of `delay`, so that the many clients of a server that comes back do not come all at once. */
  #wait(delay: number): void {
    const { clock, random } = this.#settings;
    this.#nextProbe = clock.now() + delay * (0.25 + 0.75 * random());
  }
}

/** Whether a failure speaks against the server: one of its answers, or a mistake in the request, does not. */
export function isServersFault(failure: unknown): boolean {
  return !(failure instanceof MemcacheClientError || failure instanceof MemcacheAuthenticationError);
}
