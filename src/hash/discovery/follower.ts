import { MemcacheError, MemcacheIllegalInputError, MemcacheNoServersError, MemcacheTimeoutError } from '../../errors';
import type { Command } from '../../client/command';
import { onAbort } from '../../client/abort';
import { fairTimeout } from '../../client/wire/call-deadlines';
import { rejected } from '../../client/connection';
import type { ExecuteOptions, Executor } from '../../client/executor';
import type { Clock } from '../../runtime/clock';
import type { Discovery, DiscoveryContext } from './discovery';
import { toMember, type ClusterServer, type Member } from './member';

/** What follows the list: a router, which knows its servers by name. */
export interface Membership extends Executor {
  add(member: Member): void;
  remove(name: string): Promise<void>;
  /** Makes these the servers of the cluster, and no others. */
  replace(members: readonly Member[]): void;
}

/** How a cluster is followed. */
export interface FollowSettings {
  readonly clock: Clock;
  /** How long a call may take, waiting for the first list included, in milliseconds; 0 = no limit. */
  readonly timeout: number;
}

/** A source that failed is asked again after so long, in milliseconds. */
const RETRY_AFTER = 1000;

/** However much trouble there is, a source is not asked more often than this, in milliseconds. */
const LEAST_WAIT = 1000;

/**
 * Keeps a router's servers those of a {@link Discovery}. It starts with the first call, which waits for the first list;
 * afterwards it only passes calls on.
 */
export class ClusterFollower implements Executor {
  readonly #router: Membership;
  readonly #discovery: Discovery;
  readonly #settings: FollowSettings;
  /** What was done by hand holds against the list. */
  readonly #added = new Map<string, Member>();
  readonly #removed = new Set<string>();
  /** What goes on between the first call and `close`. */
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
    this.#removed.delete(member.name);
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

  async close(): Promise<void> {
    this.#following?.end();
    this.#following = undefined;
    await this.#router.close();
  }

  #follow(): Following {
    return new Following(this.#discovery, this.#settings.clock, (servers) => {
      const listed = servers.map(toMember).filter(({ name }) => !this.#removed.has(name) && !this.#added.has(name));
      this.#router.replace([...listed, ...this.#added.values()]);
    });
  }

  async #whenKnown<R>(following: Following, command: Command<R>, options: ExecuteOptions = {}): Promise<R> {
    const { clock, timeout } = this.#settings;
    const deadline = options.deadline ?? (timeout === 0 ? Infinity : clock.now() + timeout);
    await this.#untilKnown(following, command, deadline, options.signal);
    return this.#router.execute(command, { ...options, deadline });
  }

  #untilKnown(following: Following, { verb: command }: Command<unknown>, deadline: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return rejected(signal.reason);
    return new Promise((resolve, reject) => {
      let timer: { close(): void } | undefined;
      const settle = (error?: unknown): void => {
        timer?.close();
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
        settle(new MemcacheTimeoutError('the servers of the cluster did not become known in time; see the option timeout', { command }));
      };
      if (deadline < Infinity) timer = fairTimeout(this.#settings.clock, deadline, this.#settings.timeout, onLate);
      following.whenKnown((failure) => {
        settle(failure === undefined ? undefined : notKnown(failure, command));
      });
    });
  }
}

function notKnown(cause: unknown, command: string): MemcacheNoServersError {
  const why = cause instanceof MemcacheError ? `: ${cause.message}` : '; see cause';
  return new MemcacheNoServersError(`the servers of the cluster are not known${why}`, { command, cause });
}

/** One run of a source, from the first call to `close`. */
class Following {
  hasList = false;
  readonly #clock: Clock;
  readonly #onList: (servers: readonly ClusterServer[]) => void;
  readonly #abort = new AbortController();
  #waiting: ((failure: unknown) => void)[] = [];
  #wake: () => void = () => undefined;
  #lastLook = -Infinity;

  constructor(discovery: Discovery, clock: Clock, onList: (servers: readonly ClusterServer[]) => void) {
    this.#clock = clock;
    this.#onList = onList;
    void this.#follow(discovery);
  }

  /** Calls back with nothing when there is a list, and with what went wrong when the source fails before there is one. */
  whenKnown(callback: (failure: unknown) => void): void {
    this.#waiting.push(callback);
  }

  /** Ends a wait before its time. */
  hurry(): void {
    this.#wake();
  }

  end(): void {
    this.#abort.abort();
    this.#wake();
    this.#tell(new MemcacheNoServersError('the client was closed'));
  }

  async #follow(discovery: Discovery): Promise<void> {
    const { signal } = this.#abort;
    const context: DiscoveryContext = { signal, wait: (milliseconds) => this.#wait(milliseconds) };
    while (!signal.aborted) {
      this.#lastLook = this.#clock.now();
      try {
        for await (const servers of discovery(context)) {
          this.#take(servers);
        }
        return;
      } catch (error) {
        this.#tell(error);
      }
      await this.#wait(RETRY_AFTER);
    }
  }

  /** An empty list is no list: a cluster of no servers helps nobody. */
  #take(servers: readonly ClusterServer[]): void {
    if (this.#abort.signal.aborted) return;
    this.#lastLook = this.#clock.now();
    if (!Array.isArray(servers)) throw new MemcacheIllegalInputError('a source of servers must yield arrays of servers');
    if (servers.length === 0) throw new MemcacheNoServersError('the list of servers is empty');
    this.#onList(servers);
    this.hasList = true;
    this.#tell(undefined);
  }

  #tell(failure: unknown): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const callback of waiting) callback(failure);
  }

  async #wait(milliseconds: number): Promise<void> {
    if (this.#abort.signal.aborted) return;
    const until = this.#clock.now() + milliseconds;
    const hurried = await this.#sleep(milliseconds);
    const early = Math.min(until, this.#lastLook + LEAST_WAIT) - this.#clock.now();
    if (hurried && early > 0) await this.#sleep(early);
  }

  /** Whether it was ended before its time. */
  #sleep(milliseconds: number): Promise<boolean> {
    if (this.#abort.signal.aborted) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = this.#clock.setTimeout(() => {
        resolve(false);
      }, milliseconds);
      timer.unref();
      this.#wake = () => {
        timer.close();
        resolve(true);
      };
    });
  }
}
