import { MemcacheAuthenticationError, MemcacheClientError, MemcacheConnectError, type MemcacheError } from '../../errors';
import { OversizeError } from '../../protocol/frame';
import type { Clock } from '../../runtime/clock';
import type { Random } from '../../runtime/random';
import type { ServerState } from '../observe';

/** How patient a client is with a server. */
export interface HealthSettings {
  readonly clock: Clock;
  readonly random: Random;
  /** How many probes a failing server gets before it is dead. */
  readonly retryAttempts: number;
  /** The longest time until a failing server is probed, in milliseconds. */
  readonly retryTimeout: number;
  /** The longest time until a dead server is probed, in milliseconds, as long as others live. */
  readonly deadTimeout: number;
  /** How long a call may take, in milliseconds; 0 = no limit. */
  readonly timeout: number;
}

/** The most milliseconds that a probe of the client's own may take: nobody waits for it, and without an end there would be no other. */
const LONGEST_PROBE = 5000;

/**
 * The state of one server. It has no timer: calls and their outcomes move it.
 *
 *     healthy ── trouble ──▶ failing ── trouble on retryAttempts probes ──▶ dead
 *        ▲                      │                                            │
 *        └────── an answer ─────┴──────────────── an answer ─────────────────┘
 */
export class ServerHealth {
  readonly #settings: HealthSettings;
  #failures = 0;
  #nextProbe = 0;
  #probing = false;
  #hurried = false;
  #lastFailure: MemcacheError | undefined;

  constructor(settings: HealthSettings) {
    this.#settings = settings;
  }

  get state(): ServerState {
    if (this.#failures === 0) return 'healthy';
    // The first failure is that of a call, those after it are those of probes.
    return this.#failures > this.#settings.retryAttempts ? 'dead' : 'failing';
  }

  /** Failures since it was last healthy. */
  get failures(): number {
    return this.#failures;
  }

  get lastFailure(): MemcacheError | undefined {
    return this.#lastFailure;
  }

  /** Milliseconds until it is probed; 0 when that may happen now, or is happening, or when it is healthy. */
  get untilNextProbe(): number {
    return this.#failures === 0 ? 0 : Math.max(0, this.#nextProbe - this.#settings.clock.now());
  }

  /**
   * Whether a probe may be sent now: while a server is not healthy, one call at a time, when the time has come. If so, the
   * caller must report the end of the probe by {@link onProbeEnd}.
   */
  admitProbe(): boolean {
    if (this.#failures === 0 || this.#probing || this.#settings.clock.now() < this.#nextProbe) return false;
    this.#probing = true;
    return true;
  }

  /** When a probe of the client's own that begins now must be over. */
  get probeEnd(): number {
    const { clock, timeout } = this.#settings;
    return clock.now() + Math.min(timeout || LONGEST_PROBE, LONGEST_PROBE);
  }

  /** A connection could not be made, or was lost with calls on it. */
  onTrouble(failure: MemcacheError): void {
    if (!isServersFault(failure) || isShortage(failure)) return;
    this.#lastFailure = failure;
    // Other connections and calls already under way fail for the same reason, which counts once.
    if (this.#failures > 0 && !this.#probing) return;
    this.#failures++;
    this.#probing = false;
    this.#wait(!this.#hurried && this.state === 'dead');
    this.#hurried = false;
  }

  /**
   * No server is left: to wait for `deadTimeout` would help nobody. The next probe, and the one after it, are as soon as those of
   * a failing server. A probe under way may fail although the network is back, so one is not enough.
   */
  hurry(): void {
    if (this.#hurried) return;
    this.#hurried = true;
    this.#wait(false, this.#nextProbe);
  }

  /** A call was answered. */
  onAnswer(): void {
    this.#failures = 0;
    this.#probing = this.#hurried = false;
    this.#lastFailure = undefined;
  }

  /** A probe is over. If it had no outcome, as when it was aborted, another one follows soon. */
  onProbeEnd(): void {
    if (!this.#probing) return;
    this.#probing = false;
    this.#wait(false);
  }

  /** A quarter to the whole of the time, so that the clients of a server that comes back do not all come at once. */
  #wait(isDead: boolean, latest = Infinity): void {
    const { clock, random, deadTimeout, retryTimeout } = this.#settings;
    this.#nextProbe = Math.min(latest, clock.now() + (isDead ? deadTimeout : retryTimeout) * (0.25 + 0.75 * random()));
  }
}

/** Whether a failure is the server's fault: an answer of the server, a mistake in the request, or a value that another client made too large, is not. */
export function isServersFault(failure: unknown): boolean {
  const { cause } = failure as { readonly cause?: unknown };
  return !(failure instanceof MemcacheClientError || failure instanceof MemcacheAuthenticationError || cause instanceof OversizeError);
}

/** Whether this process, or its machine, had no file descriptor left: all its servers would be dead long after it has some again. */
function isShortage(failure: unknown): boolean {
  return failure instanceof MemcacheConnectError && /E[MN]FILE/.test(failure.message);
}
