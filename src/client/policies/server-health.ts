import type { Clock } from '../../runtime/clock';
import type { Random } from '../../runtime/random';

/**
 * How a server fares:
 *
 *     healthy ── trouble ──▶ failing ── trouble on retryAttempts trials ──▶ dead
 *        ▲                      │                                            │
 *        └────── an answer ─────┴──────────────── an answer ─────────────────┘
 */
export type HealthState = 'healthy' | 'failing' | 'dead';

/** How patient a cluster is with a server. */
export interface HealthSettings {
  readonly clock: Clock;
  readonly random: Random;
  /** How many trials a failing server gets before it is called dead. */
  readonly retryAttempts: number;
  /** Milliseconds until a failing server is tried again, at the latest. */
  readonly retryTimeout: number;
  /** Milliseconds until a dead server is tried again, at the latest. */
  readonly deadTimeout: number;
}

/** The state machine of one server. It has no timer: it moves with calls and with what comes of them. */
export class ServerHealth {
  readonly #settings: HealthSettings;
  #state: HealthState = 'healthy';
  #trials = 0;
  #failures = 0;
  #nextTrial = 0;
  #onTrial = false;
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

  /** Milliseconds until it is tried again; 0 when it may be tried now, or is healthy. */
  get untilNextTrial(): number {
    return this.#state === 'healthy' ? 0 : Math.max(0, this.#nextTrial - this.#settings.clock.now());
  }

  /** Whether a call may be sent. Of a server that is not healthy one call at a time finds out, when its time has come. */
  admit(): boolean {
    if (this.#state === 'healthy') return true;
    const now = this.#settings.clock.now();
    if (now < this.#nextTrial) return false;
    this.#onTrial = true;
    // Should nothing come of this trial, the next one has to wait like this one.
    this.#nextTrial = now + this.#settings.retryTimeout;
    return true;
  }

  /** A connection could not be made, or was lost with calls on it. */
  onTrouble(failure: unknown): void {
    this.#lastFailure = failure;
    // The other connections, and the calls already under way, fail for the same reason: that counts once.
    if (this.#state !== 'healthy' && !this.#onTrial) return;
    this.#failures++;
    const { clock, retryAttempts, retryTimeout, deadTimeout } = this.#settings;
    if (this.#state === 'failing') this.#trials++;
    if (this.#trials >= retryAttempts) this.#state = 'dead';
    else if (this.#state === 'healthy') this.#state = 'failing';
    this.#onTrial = false;
    this.#nextTrial = clock.now() + this.#spread(this.#state === 'dead' ? deadTimeout : retryTimeout);
  }

  /** A call was answered. */
  onAnswer(): void {
    this.#state = 'healthy';
    this.#trials = 0;
    this.#failures = 0;
    this.#onTrial = false;
    this.#lastFailure = undefined;
  }

  /** A quarter to the whole of `delay`, so that the many clients of a server that comes back do not come all at once. */
  #spread(delay: number): number {
    return delay * (0.25 + 0.75 * this.#settings.random());
  }
}
