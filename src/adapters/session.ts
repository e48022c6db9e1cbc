import { EventEmitter } from 'node:events';
import { isDate } from 'node:util/types';
import type { StoreOptions } from '../client/cache-api';
import { MemcacheIllegalInputError } from '../errors';
import { option, settingsOf, type OptionTable } from '../options/option';
import { ExpressSessions, type Generate, type RequestLike } from './express-sessions';
import { checkClient, checkRoom, clockOf, keyOf, textOf, type AdapterClient } from './adapter-client';
import { FAILURES, orElse, type Failures } from './failures';
import { WORD } from './key-words';
import { LIFETIME, secondsOf } from './lifetimes';
import { isEmpty, isOfFastify, isUnmodified, sessionOf, withCookieOf, type SessionLike } from './session-data';

export type { AdapterClient, Failures, Generate, RequestLike, SessionLike };

/** How a {@link MemcacheSessionStore} behaves. */
export interface SessionStoreOptions {
  /** The beginning of every key, before the session's id. @default 'sess:' */
  prefix?: string | undefined;
  /** Milliseconds for which a session that does not expire by itself is kept after its last use. @default 86400000, a day */
  ttl?: number | undefined;
  /** Whether an error of the cache is passed to the framework, or counts as a miss (a write is then lost). @default 'throw' */
  failures?: Failures | undefined;
}

const DAY = 86_400_000;

/** The options of {@link MemcacheSessionStore}. @internal */
export const SESSION_OPTIONS = {
  prefix: option(WORD, 'sess:'),
  ttl: option(LIFETIME, DAY),
  failures: option(FAILURES, 'throw'),
} satisfies OptionTable<SessionStoreOptions>;

/** A client that has `replace`; every client class has. */
export interface SessionClient extends AdapterClient {
  replace(key: string, value: string, options?: StoreOptions): Promise<boolean>;
}

type Done = (error?: unknown) => void;
/** The callback of both frameworks; the contents of a session are typed by them and the program. */
type Found<Session> = (error: unknown, session?: Session | null) => void;

/** How many ids of found sessions are remembered. */
const REMEMBERED = 10_000;
/** How long a request may still save a session that another one has not found any more, in milliseconds. */
const UNDER_WAY = 60_000;

/**
 * A store for express-session and @fastify/session.
 *
 * A session lives as long as its cookie. `touch` only changes the time to live, so that it cannot undo another request's save.
 * A session that was destroyed while a request used it stays destroyed: that request's save finds nothing to replace. There are
 * no `all` and `length`, since memcached cannot list keys, and no `clear`, since it would wipe the items of other programs too.
 */
export class MemcacheSessionStore extends EventEmitter {
  /** Set by express-session. */
  declare generate: Generate;
  readonly #client: SessionClient;
  readonly #prefix: string;
  readonly #ttl: number;
  readonly #failures: Failures;
  /** The ids of sessions that this process has seen in the cache, oldest first, and until when they are not to be made anew. */
  readonly #found = new Map<string, number>();
  readonly #ofExpress = new ExpressSessions();

  /** @throws MemcacheIllegalInputError naming the option that is not legal */
  constructor(client: SessionClient, options: SessionStoreOptions = {}) {
    super();
    checkClient(client, 'touch', 'replace', 'cas');
    const { prefix, ttl, failures } = settingsOf(SESSION_OPTIONS, options);
    checkRoom(client, prefix);
    this.#client = client;
    this.#prefix = prefix;
    this.#ttl = ttl;
    this.#failures = failures;
  }

  /** Passes the session of `id` to `found`, or nothing when there is none. */
  get<Session>(id: string, found: Found<Session>): void {
    this.#tell<Session | undefined>(found, undefined, async () => {
      const text = textOf(await this.#client.get(this.#key(id)));
      const session = text === undefined ? undefined : sessionOf(text);
      this.#remember(id, session !== undefined);
      return session as Session | undefined;
    });
  }

  /** Stores a session until its cookie expires. */
  set(id: string, session: object, done?: Done): void {
    this.#tell(done, undefined, async () => {
      const key = this.#key(id);
      const options = { expire: this.#expireOf(session), noreply: false };
      const found = this.#ofExpress.isRestored(session) ?? (isOfFastify(session) && (this.#found.get(id) ?? 0) > this.#now);
      const text = JSON.stringify(session);
      if (options.expire < 0) await this.#client.delete(key, { noreply: false });
      else if (isUnmodified(session) && (found || !isEmpty(session))) await this.#change(key, (stored) => withCookieOf(session, stored), options);
      else if (!found) await this.#client.set(key, text, options);
      else if (!(await this.#client.replace(key, text, options))) await this.#change(key, () => text, options);
    });
  }

  /** Extends a session's life, and leaves what another request may have saved. */
  touch(id: string, session: object, done?: Done): void {
    this.#tell(done, undefined, async () => {
      const key = this.#key(id);
      const options = { expire: this.#expireOf(session), noreply: false };
      if (!(await this.#client.touch(key, options.expire, options))) await this.#change(key, (stored) => stored, options);
    });
  }

  /** Deletes a session. */
  destroy(id: string, done?: Done): void {
    this.#tell(done, false, async () => this.#client.delete(this.#key(id), { noreply: false }));
  }

  // ── what express-session's class Store has ──────────────────────────────────────────────────────────────────

  /** Ends the session of `request` and begins another one. */
  regenerate(request: RequestLike, done: Done): void {
    this.destroy(request.sessionID, (error) => {
      this.generate(request);
      done(error);
    });
  }

  /** The session of `id` as an object with the methods of a request's session. */
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- what a session holds is the program's own type
  load<Session>(id: string, found: (error: unknown, session?: Session) => void): void {
    this.get<SessionLike>(id, (error, session) => {
      if ((error !== undefined && error !== null) || session === undefined || session === null) found(error);
      else found(null, this.createSession<Session>({ sessionID: id, sessionStore: this }, session));
    });
  }

  /** Makes the session of `request` out of what was stored; a session without a cookie gets a new one. */
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- as above
  createSession<Session>(request: RequestLike, session: SessionLike): Session;
  createSession(request: RequestLike, session: SessionLike): object {
    return this.#ofExpress.restore(request, session, this.generate);
  }

  // ── ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Changes a session that is there, unless another request saves meanwhile. During a migration (`FallbackClient`) that of an older cache
   * is stored in the first one, where there is nothing to replace or to touch yet.
   */
  async #change(key: string, change: (stored: string) => string, options: StoreOptions): Promise<void> {
    const [value, cas] = await this.#client.gets(key);
    const stored = textOf(value);
    if (stored !== undefined && cas !== undefined) await this.#client.cas(key, change(stored), cas, options);
  }

  /** A session that is gone may have been destroyed: requests that found it before must not bring it back. */
  #remember(id: string, found: boolean): void {
    const until = found ? Infinity : Math.min(this.#found.get(id) ?? 0, this.#now + UNDER_WAY);
    this.#found.delete(id);
    if (until <= this.#now) return;
    this.#found.set(id, until);
    const [oldest] = this.#found.keys();
    if (this.#found.size > REMEMBERED && oldest !== undefined) this.#found.delete(oldest);
  }

  /** On the monotonic clock: the time of day may be set back. */
  get #now(): number {
    return clockOf(this.#client).now();
  }

  #key(id: unknown): string {
    if (typeof id !== 'string') throw new MemcacheIllegalInputError("a session's id must be a string");
    return keyOf(this.#client, this.#prefix, id);
  }

  #expireOf({ cookie }: SessionLike): number {
    const expires = cookie?.expires;
    if (isDate(expires) || typeof expires === 'string') {
      const left = new Date(expires).getTime() - clockOf(this.#client).time();
      if (!Number.isNaN(left)) return secondsOf(left);
    }
    const age = cookie?.maxAge ?? cookie?.originalMaxAge;
    return secondsOf(typeof age === 'number' && !Number.isNaN(age) ? age : this.#ttl);
  }

  #tell<R>(done: ((error: unknown, result?: R) => void) | undefined, otherwise: R, work: () => Promise<R>): void {
    orElse(this.#failures, work(), otherwise).then(
      (result) => done?.(null, result),
      (error: unknown) => done?.(error),
    ).catch((error: unknown) => {
      // An error of the callback must not reject our promise: it is thrown as without promises.
      process.nextTick(() => { throw error; });
    });
  }
}
