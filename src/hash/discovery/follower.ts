import { AsyncResource } from 'node:async_hooks';
import { MemcacheError, MemcacheIllegalInputError, MemcacheNoServersError, MemcacheTimeoutError } from '../../errors';
import type { Command } from '../../client/command';
import type { Timed, WaitedOptions } from '../../client/timed';
import { fairTimeout, OneDeadline } from '../../client/wire/call-deadlines';
import { onAbort, rejected } from '../../client/abort';
import type { ExecuteOptions, Executor, Monitor } from '../../client/executor';
import { timeouts } from '../../client/observe';
import { LONGEST_TIMER, type Clock, type Timer } from '../../runtime/clock';
import type { Random } from '../../runtime/random';
import type { Discovery, DiscoveryContext } from './discovery';
import { toMember, type ClusterServer, type Member } from './member';

/** The router whose servers are kept up to date; it knows them by name. */
export interface Membership extends Executor {
  readonly monitor: Monitor;
  add(member: Member): void;
  remove(name: string): Promise<void>;
  /** Makes these the servers of the cluster, and no others. */
  replace(members: readonly Member[]): void;
}

/** How a cluster is followed. */
export interface FollowSettings {
  readonly clock: Clock;
  readonly random: Random;
  /** How long a call may take, the wait for the first list included, in milliseconds; 0 = no limit. */
  readonly timeout: number;
}

/** Milliseconds until a source that failed is started again. */
const RETRY_AFTER = 1000;

/** The least time between two look-ups of a source in milliseconds, however much trouble there is. */
const LEAST_WAIT = 1000;

/** All processes see a server's trouble in the same moment: each looks at the list at some time within this many milliseconds. */
const HURRY_WITHIN = 1000;

/**
 * Keeps the servers of a router equal to those of a {@link Discovery}. It starts with the first call, which waits for the first
 * list; afterwards it only passes calls on.
 */
export class ClusterFollower implements Executor {
  readonly #router: Membership;
  readonly #discovery: Discovery;
  readonly #settings: FollowSettings;
  /** Servers added or removed by hand: this overrides the list. */
  readonly #added = new Map<string, Member>();
  readonly #removed = new Set<string>();
  /** In the async context of the client's creation: look-ups go on for ever, and belong to no request. */
  readonly #resource = new AsyncResource('TsmemcacheDiscovery', { requireManualDestroy: true });
  /** The run of the source between the first call and `close`. */
  #following: Following | undefined;

  constructor(router: Membership, discovery: Discovery, settings: FollowSettings) {
    this.#router = router;
    this.#discovery = discovery;
    this.#settings = settings;
  }

  execute<R>(command: Command<R>, options?: ExecuteOptions): Promise<R> {
    const following = (this.#following ??= this.#follow());
    if (following.hasList) return this.#router.execute(command, options);
    return this.#whenKnown(following, command, options);
  }

  add(member: Member): void {
    this.#router.add(member);
    this.#added.set(member.name, member);
  }

  remove(name: string): Promise<void> {
    const removed = this.#router.remove(name);
    this.#added.delete(name);
    this.#removed.add(name);
    return removed;
  }

  /** A server is in trouble: perhaps the list has changed. */
  onTrouble(): void {
    this.#following?.hurry();
  }

  get monitor(): Monitor {
    return this.#router.monitor;
  }

  async close(): Promise<void> {
    this.#following?.end();
    this.#following = undefined;
    await this.#router.close();
  }

  #follow(): Following {
    const onList = (servers: readonly ClusterServer[]): void => {
      const listed = servers.map(toMember).filter(({ name }) => !this.#removed.has(name) && !this.#added.has(name));
      this.#router.replace([...listed, ...this.#added.values()]);
    };
    return this.#resource.runInAsyncScope(() => new Following(this.#discovery, this.#settings, onList));
  }

  async #whenKnown<R>(following: Following, command: Command<R>, options: ExecuteOptions = {}): Promise<R> {
    if (following.hasNone) throw notKnown(following.failure, command.verb);
    const { clock, timeout } = this.#settings;
    const begun = new OneDeadline(clock, timeout, options.deadline);
    await this.#untilKnown(following, command, begun, options.signal);
    const waited: WaitedOptions = { ...options, begun };
    return this.#router.execute(command, waited);
  }

  #untilKnown(following: Following, { verb: command }: Command<unknown>, begun: Timed, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return rejected(signal.reason);
    return new Promise((resolve, reject) => {
      const settle = (error?: unknown): void => {
        forget();
        timer.close();
        unfollow?.();
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- an abort rejects with whatever reason it was given
        if (error !== undefined) reject(error);
        else resolve();
      };
      const unfollow =
        signal &&
        onAbort(signal, () => {
          settle(signal.reason);
        });
      const onLate = (): void => {
        const { failure } = following;
        settle(failure === undefined ? this.#late(following, command) : notKnown(failure, command));
      };
      const timer = fairTimeout(this.#settings.clock, begun, this.#settings.timeout, onLate);
      const forget = following.whenKnown((failure) => {
        settle(failure && notKnown(failure, command));
      });
    });
  }

  #late({ waiting }: Following, command: string): MemcacheTimeoutError {
    if (timeouts.hasSubscribers) {
      timeouts.publish({
        clientId: this.monitor.clientId,
        server: undefined,
        command,
        certainty: 'notSent',
        pending: waiting,
        limitMs: this.#settings.timeout,
      });
    }
    return new MemcacheTimeoutError('the list of servers did not come in time; see the option timeout', { command });
  }
}

function notKnown(failure: Failure | undefined, command: string): MemcacheNoServersError {
  const cause = failure?.reason;
  const why = cause instanceof MemcacheError ? `: ${cause.message}` : '; see cause';
  return new MemcacheNoServersError(`the servers of the cluster are not known${why}`, { command, cause });
}

/** What went wrong; in an object, since anything can be thrown. */
interface Failure {
  readonly reason: unknown;
}

type OnKnown = (failure: Failure | undefined) => void;

/** One run of a source, from the first call to `close`. */
class Following {
  hasList = false;
  /** The source ended without a list. It is asked again, but calls do not wait for that. */
  hasNone = false;
  /** What went wrong with the last look-up, if anything. */
  failure: Failure | undefined;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #onList: (servers: readonly ClusterServer[]) => void;
  readonly #abort = new AbortController();
  readonly #waiting = new Set<OnKnown>();
  /** Keeps the process alive for the calls that wait: before there is a connection, nothing else does. */
  #keepAlive: Timer | undefined;
  /** Each ends one wait of the source early. */
  readonly #wakes = new Set<(hurried: boolean) => void>();
  #lastLook = -Infinity;
  #waitedAfterEnd = false;

  constructor(discovery: Discovery, { clock, random }: FollowSettings, onList: (servers: readonly ClusterServer[]) => void) {
    this.#clock = clock;
    this.#random = random;
    this.#onList = onList;
    void this.#follow(discovery);
  }

  /** How many calls wait for the list. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Calls back with `undefined` when there is a list, and with the failure when the source fails before there is one.
   *
   * @returns a function that cancels the callback
   */
  whenKnown(callback: OnKnown): () => void {
    this.#waiting.add(callback);
    this.#keepAlive ??= this.#clock.setTimeout(() => undefined, LONGEST_TIMER);
    return () => {
      this.#waiting.delete(callback);
      this.#letGo();
    };
  }

  /** Ends waits early. */
  hurry(): void {
    for (const wake of [...this.#wakes]) wake(true);
  }

  end(): void {
    this.#abort.abort();
    this.hurry();
    this.#tell({ reason: new MemcacheNoServersError('the client was closed') });
  }

  async #follow(discovery: Discovery): Promise<void> {
    const { signal } = this.#abort;
    const context: DiscoveryContext = { signal, wait: (milliseconds) => this.#wait(milliseconds) };
    // The call that started this must have registered before a failure is reported.
    await Promise.resolve();
    while (!signal.aborted) {
      this.#lastLook = this.#clock.now();
      try {
        for await (const servers of discovery(context)) {
          // A source that ignores its signal is abandoned.
          if (this.#isOver()) return;
          this.#take(servers);
          // One that never waits must not keep the event loop from turning.
          await new Promise<void>((resolve) => { this.#clock.setImmediate(resolve); });
          if (this.#isOver()) return;
        }
        if (this.hasList || this.#isOver()) return;
        this.hasNone = true;
        this.#failed(new MemcacheNoServersError('the source of servers ended without a list'));
      } catch (error) {
        this.#failed(error);
      }
      await this.#sleepUntilNextLook(RETRY_AFTER);
    }
  }

  /** A function, since TypeScript would assume that the state does not change across an `await`. */
  #isOver(): boolean {
    return this.#abort.signal.aborted;
  }

  #failed(reason: unknown): void {
    if (this.#isOver()) return;
    this.failure = { reason };
    this.#tell(this.failure);
  }

  /** An empty list counts as a failure: a cluster without servers is of no use. */
  #take(servers: readonly ClusterServer[]): void {
    this.#lastLook = this.#clock.now();
    if (!Array.isArray(servers)) throw new MemcacheIllegalInputError('a source must yield arrays of servers');
    if (servers.length === 0) throw new MemcacheNoServersError('the list of servers is empty');
    this.#onList(servers);
    this.hasList = true;
    this.failure = undefined;
    this.#tell();
  }

  #tell(failure?: Failure): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    this.#letGo();
    for (const callback of waiting) callback(failure);
  }

  #letGo(): void {
    if (this.#waiting.size > 0) return;
    this.#keepAlive?.close();
    this.#keepAlive = undefined;
  }

  /** The `wait` that the source is given. */
  async #wait(milliseconds: unknown): Promise<void> {
    if (typeof milliseconds !== 'number' || Number.isNaN(milliseconds)) {
      throw new MemcacheIllegalInputError('wait must be given milliseconds; Infinity waits for trouble with a server');
    }
    if (this.#isOver()) return this.#afterEnd();
    await this.#sleepUntilNextLook(Math.max(0, milliseconds));
  }

  /**
   * Ends a source that continues after `close` without looking at its signal: the first wait rejects; if that is caught, the
   * next never settles.
   */
  #afterEnd(): Promise<void> {
    if (this.#waitedAfterEnd) return new Promise<void>(() => undefined);
    this.#waitedAfterEnd = true;
    const thrownOut: Promise<void> = rejected(this.#abort.signal.reason);
    // The source may not await it.
    thrownOut.catch(() => undefined);
    return thrownOut;
  }

  /**
   * Three quarters to the whole of the time: processes that were started together do not look together for ever. Trouble ends it,
   * after a moment that is another one in each process; more trouble meanwhile does not end that.
   */
  async #sleepUntilNextLook(milliseconds: number): Promise<void> {
    const since = this.#clock.now();
    const until = since + milliseconds * (0.75 + 0.25 * this.#random());
    const hurried = await this.#sleep(until - since);
    if (!hurried) return;
    const soon = this.#clock.now() + HURRY_WITHIN * this.#random();
    const next = Math.min(until, Math.max(soon, this.#lastLook + LEAST_WAIT));
    for (let now = this.#clock.now(); now < next && !this.#isOver(); now = this.#clock.now()) await this.#sleep(next - now);
  }

  /** Resolves with whether it was ended early. */
  #sleep(milliseconds: number): Promise<boolean> {
    if (this.#isOver()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const wake = (hurried = false): void => {
        timer?.close();
        this.#wakes.delete(wake);
        resolve(hurried);
      };
      // A wait longer than any timer has no limit.
      const timer = milliseconds > LONGEST_TIMER ? undefined : this.#clock.setTimeout(wake, milliseconds);
      timer?.unref();
      this.#wakes.add(wake);
    });
  }
}
