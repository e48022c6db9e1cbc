import { MemcacheConnectError, MemcacheError, MemcachePartialError, type MemcacheErrorOptions } from '../../errors';
import { isOfProxy } from '../../protocol/reply';
import { systemRandom } from '../../runtime/random';
import type { Command } from '../command';
import { VersionCommand } from '../commands/admin';
import { refused, type ConnectionObserver } from '../connection';
import type { ExecuteOptions, Executor, Monitor } from '../executor';
import { ServerMeter } from '../meter';
import { nextClientId, observed, serverStates, type ServerState } from '../observe';
import { parseServerAddress, type ServerInput } from '../server-address';
import { ServerHealth, type HealthSettings } from './server-health';

/** What a {@link Guard} needs to know about its server, and reports to. */
export interface Guarded {
  /** Counts what happens to the server, and knows its name. */
  readonly meter: ServerMeter;
  /** The error for a call that is not sent. */
  refusal(message: string, failure: MemcacheError | undefined, options: MemcacheErrorOptions): MemcacheError;
  /** The server's state has changed. */
  onChange?(before: ServerState): void;
}

/**
 * Stands before one server. While the server is in trouble, calls for it fail at once, except for the probes that find out when
 * it is back.
 */
export class Guard implements Executor {
  readonly health: ServerHealth;
  readonly #next: Executor;
  readonly #guarded: Guarded;
  #probing = false;
  /** The last trouble since the probe began that is under way. */
  #trouble: MemcacheError | undefined;

  constructor(next: Executor, health: ServerHealth, guarded: Guarded) {
    this.#next = next;
    this.health = health;
    this.#guarded = guarded;
    guarded.meter.watchedBy(health);
  }

  execute<R>(command: Command<R>, options?: ExecuteOptions): Promise<R> {
    // One that is aborted already is sent nowhere.
    if (this.health.state === 'healthy' || options?.signal?.aborted) return this.#next.execute(command, options);
    // A noreply command proves nothing, since the server may have stopped reading: a probe of our own is sent.
    if (command.noreply) this.probe();
    else if (this.health.admitProbe()) return this.#probeWith(command, options);
    const { meter } = this.#guarded;
    if (options?.trace !== undefined) options.trace.server = meter.server;
    return refused(meter, command, this.#refusal(command));
  }

  /** Sends a probe, if the time for one has come. */
  probe(): void {
    if (this.health.admitProbe()) void this.#probeWith(new VersionCommand(), { deadline: this.health.probeEnd }).catch(() => undefined);
  }

  /** A connection could not be made, or was lost with calls on it. */
  onTrouble(failure: MemcacheError): void {
    // A probe decides itself: other connections may still be lost with what they were sent before.
    if (this.#probing) this.#trouble = failure;
    else this.#change((health) => { health.onTrouble(failure); });
  }

  close(): Promise<void> {
    return this.#next.close();
  }

  get monitor(): Monitor | undefined {
    return this.#next.monitor;
  }

  /** Sends a call as the probe: any answer, even an error, shows that the server is back. */
  async #probeWith<R>(command: Command<R>, options?: ExecuteOptions): Promise<R> {
    this.#probing = true;
    this.#trouble = undefined;
    try {
      const result = await this.#next.execute(command, options);
      this.#onProbed(true);
      return result;
    } catch (error) {
      this.#onProbed(isAnswer(error), error);
      throw error;
    }
  }

  /** Without trouble, or when it was aborted, a probe that was not answered has no outcome. */
  #onProbed(answered: boolean, error?: unknown): void {
    this.#probing = false;
    this.#change((health) => {
      if (answered) health.onAnswer();
      else if (this.#trouble !== undefined && error instanceof MemcacheError) health.onTrouble(this.#trouble);
      health.onProbeEnd();
    });
  }

  /** Changes the state by `how`, and tells of it. */
  #change(how: (health: ServerHealth) => void): void {
    const { state: before } = this.health;
    how(this.health);
    const { state, lastFailure } = this.health;
    if (state === before) return;
    const { clientId, server } = this.#guarded.meter;
    // Before anybody is told: who listens may remove the server at once.
    this.#guarded.onChange?.(before);
    if (serverStates.hasSubscribers) {
      serverStates.publish({ clientId, server, from: before, to: state, code: lastFailure === undefined ? undefined : observed(lastFailure).code });
    }
  }

  #refusal({ verb: command }: Command<unknown>): MemcacheError {
    const { state, lastFailure, untilNextProbe } = this.health;
    const { server } = this.#guarded.meter;
    return this.#guarded.refusal(
      `the server ${server} is ${state} and is probed again in ${Math.ceil(untilNextProbe)} ms; see cause for what went wrong`,
      lastFailure,
      { server, command, cause: lastFailure },
    );
  }
}

/**
 * Lets the calls of a client for one server fail fast while the server is in trouble. Without a `retryTimeout` calls go
 * straight to the server.
 *
 * @param open - opens the executor for the server
 * @returns the executor for calls, and the one that was opened
 */
export function failFast<T extends Executor>(
  server: ServerInput,
  settings: Pick<HealthSettings, 'clock' | 'retryTimeout' | 'timeout'>,
  open: (observer: ConnectionObserver) => T,
): { readonly executor: Executor; readonly next: T } {
  if (settings.retryTimeout === 0) {
    const next = open({});
    return { executor: next, next };
  }
  const meter = new ServerMeter(parseServerAddress(server).name, nextClientId());
  const next: T = open({
    meter,
    onTrouble: (failure) => {
      guard.onTrouble(failure);
    },
  });
  // There is no other server to ask, so it never becomes dead.
  const health = new ServerHealth({ ...settings, random: systemRandom, retryAttempts: Infinity, deadTimeout: 0 });
  const guard = new Guard(next, health, { meter, refusal: sameKind });
  return { executor: guard, next };
}

/** Whether the server has said so, or a proxy of one of its servers. */
function isAnswer(error: unknown): boolean {
  return error instanceof MemcachePartialError || isOfProxy(error) || (error instanceof MemcacheError && error.certainty === 'executed');
}

/** An error of the class of `failure`, so that what handles the failures of a server handles this one too. */
function sameKind(message: string, failure: MemcacheError | undefined, options: MemcacheErrorOptions): MemcacheError {
  const Kind = (failure?.constructor ?? MemcacheConnectError) as typeof MemcacheError;
  return new Kind(message, options);
}
