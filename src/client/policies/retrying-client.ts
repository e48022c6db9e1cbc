import { MemcacheError, MemcacheIllegalInputError } from '../../errors';
import { systemClock, type Clock } from '../../runtime/clock';
import { systemRandom, type Random } from '../../runtime/random';
import type { CacheValue } from '../../serde';
import { onAbort } from '../abort';
import { Client } from '../client';
import type { Command } from '../command';
import type { ExecuteOptions, Executor } from '../executor';
import { checkOptionNames, option, settingsOf, type OptionTable } from '../../options/option';
import { functionOf, MILLISECONDS, SWITCH, valueThat, wholeNumber } from '../../options/rule';

/** A class of errors. */
export type ErrorClass = abstract new (...args: never[]) => Error;

/** When, how often and after which errors a call is repeated. */
export interface RetryOptions {
  /**
   * How often a call is made at the most, the first time included.
   * @default 2
   */
  attempts?: number | undefined;
  /**
   * Milliseconds between two attempts: a number, or a function of the number of attempts made, such as {@link backoff}.
   * @default 0
   */
  retryDelay?: number | ((attempt: number) => number) | undefined;
  /**
   * Only after errors of these classes, their subclasses included.
   * @default after every `MemcacheError`
   */
  retryFor?: readonly ErrorClass[] | undefined;
  /** Not after errors of these classes, their subclasses included. */
  doNotRetryFor?: readonly ErrorClass[] | undefined;
  /**
   * Whether a call that is not idempotent (`incr`, `append`, `add`, `cas` …) is repeated although the server may have
   * executed it, as pymemcache does: it may then count twice.
   * @default false
   */
  retryAmbiguous?: boolean | undefined;
}

/**
 * A client that repeats the calls of another that failed. It takes any client: single, pooled or of a cluster.
 *
 * A call is repeated when it provably was not executed, or when executing it twice is executing it once; each attempt
 * has the `timeout` of the client it goes through. What the server answered (`certainty: 'executed'`) and illegal input
 * are final.
 */
export class RetryingClient<Out = CacheValue, In = Out> extends Client<Out, In> {
  /** @throws MemcacheIllegalInputError naming the option that is not legal */
  constructor(client: Client<Out, In>, options: RetryOptions = {}) {
    if (!(client instanceof Client)) throw new MemcacheIllegalInputError('client must be a client, for example new Client()');
    checkOptionNames(options, RETRY_OPTIONS);
    super(new Retrier(client.executor, options, client.options.clock), client.options);
  }
}

const ERROR_CLASSES = valueThat<readonly ErrorClass[]>(
  'an array of classes of errors',
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

/** The policy behind {@link RetryingClient}, for executors. */
export class Retrier implements Executor {
  readonly #next: Executor;
  readonly #clock: Clock;
  readonly #attempts: number;
  readonly #delay: (attempt: number) => number;
  readonly #retryFor: readonly ErrorClass[];
  readonly #doNotRetryFor: readonly ErrorClass[];
  readonly #retryAmbiguous: boolean;

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
    return this.#attempts === 1 ? result : result.catch((error: unknown) => this.#again(command, options, error));
  }

  close(): Promise<void> {
    return this.#next.close();
  }

  async #again<R>(command: Command<R>, options: ExecuteOptions | undefined, failure: unknown): Promise<R> {
    let error = failure;
    for (let made = 1; made < this.#attempts && this.#mayRepeat(command, error); made++) {
      await this.#pause(this.#delay(made), options, error);
      try {
        return await this.#next.execute(command, options);
      } catch (next) {
        error = next;
      }
    }
    throw error;
  }

  #mayRepeat(command: Command<unknown>, error: unknown): boolean {
    if (!(error instanceof MemcacheError) || error instanceof MemcacheIllegalInputError) return false;
    if (this.#doNotRetryFor.some((errorClass) => error instanceof errorClass)) return false;
    if (this.#retryFor.length > 0 && !this.#retryFor.some((errorClass) => error instanceof errorClass)) return false;
    switch (error.certainty) {
      case 'notSent':
        return true;
      case 'maybeExecuted':
        return command.idempotent || this.#retryAmbiguous;
      case 'executed':
        // Repeated only by those who name the class: the same request gets the same answer.
        return this.#retryFor.length > 0;
    }
  }

  /** Waits, unless the call would be too late or is aborted meanwhile. */
  async #pause(delay: number, options: ExecuteOptions | undefined, error: unknown): Promise<void> {
    const { signal, deadline = Infinity } = options ?? {};
    if (this.#clock.now() + delay >= deadline) throw error;
    if (signal?.aborted) throw signal.reason;
    if (!(delay > 0)) return;
    await new Promise<void>((resolve, reject) => {
      const timer = this.#clock.setTimeout(() => {
        unfollow?.();
        resolve();
      }, delay);
      const unfollow =
        signal &&
        onAbort(signal, () => {
          timer.close();
          // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- an abort rejects with whatever reason it was given
          reject(signal.reason);
        });
    });
  }
}

/** How {@link backoff} grows. */
export interface BackoffOptions {
  /** The first delay at the most, in milliseconds. @default 20 */
  base?: number | undefined;
  /** No delay is longer, in milliseconds. @default 1000 */
  max?: number | undefined;
  /** The source of chance, for tests. @default the machine's */
  random?: Random | undefined;
}

/** The options of {@link backoff}. */
export const BACKOFF_OPTIONS = {
  base: option(MILLISECONDS, 20),
  max: option(MILLISECONDS, 1000),
  random: option(functionOf<Random>(), systemRandom),
} satisfies OptionTable<BackoffOptions>;

/**
 * A delay that doubles from attempt to attempt, of which a random part is taken so that many clients do not come back
 * at the same moment. For `retryDelay`.
 */
export function backoff(options: BackoffOptions = {}): (attempt: number) => number {
  checkOptionNames(options, BACKOFF_OPTIONS);
  const { base, max, random } = settingsOf(BACKOFF_OPTIONS, options);
  return (attempt) => Math.min(max, base * 2 ** (attempt - 1)) * random();
}

function isErrorClass(entry: unknown): entry is ErrorClass {
  return typeof entry === 'function' && (entry === Error || entry.prototype instanceof Error);
}
