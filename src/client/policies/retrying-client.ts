import { MemcacheError, MemcacheIllegalInputError, MemcacheInexactNumberError, MemcachePartialError } from '../../errors';
import { systemClock, type Clock } from '../../runtime/clock';
import { systemRandom, type Random } from '../../runtime/random';
import type { CacheValue } from '../../serde';
import { onAbort, rejected } from '../abort';
import { Client } from '../client';
import { CLIENT_OPTIONS } from '../client-options';
import { weakestFailure } from '../certainty';
import type { Command } from '../command';
import type { ExecuteOptions, Executor, Monitor } from '../executor';
import type { ServerMetrics } from '../meter';
import { retries } from '../observe';
import { option, settingsOf, type OptionTable } from '../../options/option';
import { functionOf, MILLISECONDS, SWITCH, valueThat, wholeNumber } from '../../options/rule';
import { otherCopy } from './other-copy';

/** A class of errors. */
export type ErrorClass = abstract new (...args: never[]) => Error;

/** When, how often and after which errors a call is repeated. */
export interface RetryOptions {
  /**
   * The most attempts that are made, the first one included.
   * @default 2
   */
  attempts?: number | undefined;
  /**
   * Milliseconds between two attempts: a number, or a function of the number of attempts made so far, such as {@link backoff}.
   * If the function throws, or returns anything but such a number, the call rejects with `MemcacheIllegalInputError`.
   * @default 0
   */
  retryDelay?: number | ((attempt: number) => number) | undefined;
  /**
   * Repeat a call only after errors of these classes or their subclasses.
   * @default after every `MemcacheError`
   */
  retryFor?: readonly ErrorClass[] | undefined;
  /** Do not repeat a call after errors of these classes or their subclasses. */
  doNotRetryFor?: readonly ErrorClass[] | undefined;
  /**
   * Whether a call that is not idempotent (`incr`, `append`, `add`, `cas` …) is repeated although the server may have
   * executed it, as pymemcache does: it may then count twice.
   * @default false
   */
  retryAmbiguous?: boolean | undefined;
}

const ERROR_CLASSES = valueThat<readonly ErrorClass[]>(
  'an array of error classes',
  (value) => Array.isArray(value) && value.every(isErrorClass),
);

/** The options of {@link RetryingClient}. */
export const RETRY_OPTIONS = {
  attempts: option(wholeNumber(1, 2 ** 30), 2),
  retryDelay: option(
    valueThat<NonNullable<RetryOptions['retryDelay']>>(
      `a function, or ${MILLISECONDS.is}`,
      (value) => typeof value === 'function' || MILLISECONDS.allows(value),
    ),
    0,
  ),
  retryFor: option(ERROR_CLASSES, []),
  doNotRetryFor: option(ERROR_CLASSES, []),
  retryAmbiguous: option(SWITCH, false),
} satisfies OptionTable<RetryOptions>;

/**
 * A client that repeats failed calls of another client: single, pooled or of a cluster.
 *
 * A call is repeated when it was certainly not executed, or when executing it twice has the same effect as executing it once;
 * each attempt has the `timeout` of the client it goes through. What the server answered (`certainty: 'executed'`) and illegal
 * input are final. When all attempts fail, the call rejects with the last of the errors whose `certainty` is the weakest: a
 * write that timed out and was refused afterwards may have been executed.
 */
export class RetryingClient<Out = CacheValue, In = Out> extends Client<Out, In> {
  /** Its own among them, so that `util.inspect` shows these too. */
  protected static override readonly optionNames: object = { ...CLIENT_OPTIONS, ...RETRY_OPTIONS };

  /** @throws MemcacheIllegalInputError naming the option that is not legal */
  constructor(client: Client<Out, In>, options: RetryOptions = {}) {
    if (!(client instanceof Client)) throw new MemcacheIllegalInputError(`client must be a client, for example new Client()${otherCopy(client)}`);
    super(new Retrier(client.executor, options, client.options.clock), { ...client.options, ...shownOptions(options) });
  }
}

/** The options for `util.inspect`: classes by their names. */
function shownOptions(options: RetryOptions): Record<string, unknown> {
  const names = (classes: readonly ErrorClass[] | undefined): string | undefined => classes?.map(({ name }) => name).join(', ');
  return { ...options, retryFor: names(options.retryFor), doNotRetryFor: names(options.doNotRetryFor) };
}

/** The policy behind {@link RetryingClient}, for executors. */
export class Retrier implements Executor {
  readonly #next: Executor;
  readonly #clock: Clock;
  readonly #attempts: number;
  readonly #delay: (attempt: number) => number;
  readonly #retryFor: readonly ErrorClass[];
  readonly #doNotRetryFor: readonly ErrorClass[];
  readonly #retryAmbiguous: boolean;
  /** For each pause between attempts, a function that ends it. */
  readonly #pauses = new Set<() => void>();
  /** How many calls were repeated, by the server that had failed. */
  readonly #repeats = new Map<string, number>();
  /** Counts the closings: a call from before one is not repeated. */
  #life = 0;

  /** @throws MemcacheIllegalInputError naming the option that is not legal */
  constructor(next: Executor, options: RetryOptions = {}, clock: Clock = systemClock) {
    const { attempts, retryDelay, retryFor, doNotRetryFor, retryAmbiguous } = settingsOf(RETRY_OPTIONS, options);
    this.#next = next;
    this.#clock = clock;
    this.#attempts = attempts;
    this.#delay = typeof retryDelay === 'function' ? retryDelay : () => retryDelay;
    this.#retryFor = retryFor;
    this.#doNotRetryFor = doNotRetryFor;
    if (this.#retryFor.some((errorClass) => this.#doNotRetryFor.includes(errorClass))) {
      throw new MemcacheIllegalInputError('retryFor and doNotRetryFor must not name the same class');
    }
    this.#retryAmbiguous = retryAmbiguous;
  }

  execute<R>(command: Command<R>, options?: ExecuteOptions): Promise<R> {
    const result = this.#next.execute(command, options);
    if (this.#attempts === 1) return result;
    const life = this.#life;
    return result.then(undefined, (error: unknown) => this.#again(command, options, error, life));
  }

  get monitor(): Monitor | undefined {
    const { monitor } = this.#next;
    if (monitor === undefined) return undefined;
    return {
      clientId: monitor.clientId,
      server: monitor.server,
      serverFor: (part) => monitor.serverFor?.(part),
      metrics: () => withRetries(monitor.metrics(), this.#repeats),
    };
  }

  /** Calls that wait for their next attempt fail now: the attempt would open what is being closed. */
  async close(): Promise<void> {
    this.#life++;
    for (const end of [...this.#pauses]) end();
    await this.#next.close();
  }

  async #again<R>(command: Command<R>, options: ExecuteOptions | undefined, failure: unknown, life: number): Promise<R> {
    const failures = [failure];
    let next = command;
    for (let made = 1; made < this.#attempts && life === this.#life && this.#mayRepeat(command, failures.at(-1)); made++) {
      const delay = this.#delayAfter(made, failures);
      if (!(await this.#pause(delay, options)) || life !== this.#life) break;
      const last = failures.at(-1);
      this.#count(command, made, delay, last, options);
      if (!(last instanceof MemcacheError && last.certainty === 'notSent')) next = command.again ?? command;
      try {
        return await this.#next.execute(next, options);
      } catch (error) {
        failures.push(error);
      }
    }
    throw weakestFailure(failures);
  }

  #count({ verb }: Command<unknown>, attempt: number, delayMs: number, failure: unknown, options: ExecuteOptions | undefined): void {
    if (!(failure instanceof MemcacheError)) return;
    const servers = failure.server === undefined && failure instanceof MemcachePartialError ? failure.failures.keys() : [failure.server];
    for (const server of servers) if (server !== undefined) this.#repeats.set(server, (this.#repeats.get(server) ?? 0) + 1);
    if (options?.trace !== undefined) options.trace.attempts = attempt + 1;
    if (!retries.hasSubscribers) return;
    const { code, certainty } = failure;
    retries.publish({ clientId: this.monitor?.clientId ?? 0, command: verb, attempt, delayMs, code, certainty });
  }

  /** The delay after `made` attempts, from the option or the user's function. */
  #delayAfter(made: number, failures: readonly unknown[]): number {
    const failure = weakestFailure(failures);
    const certainty = failure instanceof MemcacheError ? failure.certainty : undefined;
    let delay: unknown;
    try {
      delay = this.#delay(made);
    } catch (cause) {
      throw new MemcacheIllegalInputError('retryDelay threw an error; see cause', { cause, certainty });
    }
    if (typeof delay === 'number' && MILLISECONDS.allows(delay)) return delay;
    throw new MemcacheIllegalInputError(
      `retryDelay must return ${MILLISECONDS.is}, not ${describeValue(delay)}; see cause for what was to be repeated`,
      { cause: failure, certainty },
    );
  }

  #mayRepeat(command: Command<unknown>, error: unknown): boolean {
    // What was counted would be counted again, and the count is no smaller then.
    if (!(error instanceof MemcacheError) || error instanceof MemcacheIllegalInputError || error instanceof MemcacheInexactNumberError) return false;
    if (this.#doNotRetryFor.some((errorClass) => error instanceof errorClass)) return false;
    if (this.#retryFor.length > 0 && !this.#retryFor.some((errorClass) => error instanceof errorClass)) return false;
    switch (error.certainty) {
      case 'notSent':
        return true;
      case 'maybeExecuted':
        return command.idempotent || this.#retryAmbiguous;
      case 'executed':
        // Repeated only if `retryFor` names the class: the same request usually gets the same answer.
        return this.#retryFor.length > 0;
    }
  }

  /** Waits; rejects when the call is aborted. Resolves with false when the deadline would be over by then, or the client is closed. */
  async #pause(delay: number, options: ExecuteOptions | undefined): Promise<boolean> {
    const { signal, deadline = Infinity } = options ?? {};
    if (this.#clock.now() + delay >= deadline) return false;
    if (signal?.aborted) throw signal.reason;
    if (delay === 0) return true;
    return new Promise<boolean>((resolve) => {
      const settle = (outcome: boolean | Promise<never>): void => {
        timer.close();
        unfollow?.();
        this.#pauses.delete(end);
        resolve(outcome);
      };
      const end = (): void => {
        settle(false);
      };
      const timer = this.#clock.setTimeout(() => {
        settle(true);
      }, delay);
      this.#pauses.add(end);
      const unfollow =
        signal &&
        onAbort(signal, () => {
          settle(rejected(signal.reason));
        });
    });
  }
}

function withRetries(metrics: Map<string, ServerMetrics>, repeats: ReadonlyMap<string, number>): Map<string, ServerMetrics> {
  for (const [server, count] of repeats) {
    const counted = metrics.get(server);
    if (counted !== undefined) metrics.set(server, { ...counted, retries: counted.retries + count });
  }
  return metrics;
}

/** For a message: a number as it is, anything else by its type. */
function describeValue(value: unknown): string {
  return typeof value === 'number' ? String(value) : `a value of type ${typeof value}`;
}

/** How {@link backoff} grows. */
export interface BackoffOptions {
  /** The upper limit of the first delay, in milliseconds. @default 20 */
  base?: number | undefined;
  /** The longest delay, in milliseconds. @default 1000 */
  max?: number | undefined;
  /** The source of random numbers, for tests. @default `Math.random` */
  random?: Random | undefined;
}

/** The options of {@link backoff}. */
export const BACKOFF_OPTIONS = {
  base: option(MILLISECONDS, 20),
  max: option(MILLISECONDS, 1000),
  random: option(functionOf<Random>(), systemRandom),
} satisfies OptionTable<BackoffOptions>;

/**
 * A function for `retryDelay`: a random part of a limit that doubles from attempt to attempt, so that many clients do not come
 * back at the same moment.
 */
export function backoff(options: BackoffOptions = {}): (attempt: number) => number {
  const { base, max, random } = settingsOf(BACKOFF_OPTIONS, options);
  // Beyond this power a number is infinite, and a base of 0 would give no number.
  return (attempt) => Math.min(max, base * 2 ** Math.min(attempt - 1, 1023)) * random();
}

function isErrorClass(entry: unknown): entry is ErrorClass {
  return typeof entry === 'function' && (entry === Error || entry.prototype instanceof Error);
}
