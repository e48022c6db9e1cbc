/** What express-session keeps in its class `Store`, which is not imported: programs without Express do not have it. */
import type { SessionLike } from './session-data';

/** What express-session passes to its store: the request whose session is made. */
export interface RequestLike {
  sessionID: string;
  session?: object;
  sessionStore?: unknown;
}

/** Gives the request a new session. */
export type Generate = (request: RequestLike) => void;

/** What express-session makes sessions of. */
interface Makers {
  readonly Session: new (request: RequestLike, data: object) => object;
  /** The prototype of its cookies. Their class cannot be found: the `constructor` of the prototype is Object. */
  readonly cookies: object;
}

/** The sessions of express-session. */
export class ExpressSessions {
  #makers: Makers | undefined;
  readonly #restored = new WeakSet();

  /** Makes the session of `request` out of what was stored; one without a cookie gets a new one. */
  restore(request: RequestLike, session: SessionLike, generate: Generate): object {
    const { Session, cookies } = (this.#makers ??= findMakers(request, generate));
    const { expires, originalMaxAge = null } = session.cookie ?? {};
    // As the constructor does it.
    const cookie = Object.assign(Object.create(cookies) as object, { path: '/', maxAge: null, httpOnly: true }, session.cookie);
    if (typeof expires === 'string') Object.assign(cookie, { expires: new Date(expires) });
    // An item that was touched outlives the cookie stored with it: a save within this request must not end the session.
    const { maxAge } = cookie as { readonly maxAge?: unknown };
    if (typeof maxAge === 'number' && maxAge <= 0 && originalMaxAge !== null) Object.assign(cookie, { maxAge: originalMaxAge });
    // Setting `expires` has changed this too.
    Object.assign(cookie, { originalMaxAge });
    const restored = new Session(request, { ...session, cookie });
    this.#restored.add(restored);
    return (request.session = restored);
  }

  /** Whether a session was made by {@link restore}; undefined for one that is not of express-session. */
  isRestored(session: object): boolean | undefined {
    return this.#makers !== undefined && session instanceof this.#makers.Session ? this.#restored.has(session) : undefined;
  }
}

function findMakers(request: RequestLike, generate: Generate): Makers {
  // `generate` assigns to what it is given, which must not be the request itself.
  const scratch = Object.create(request) as RequestLike & { session: { cookie: object } };
  generate(scratch);
  return { Session: scratch.session.constructor as Makers['Session'], cookies: Object.getPrototypeOf(scratch.session.cookie) as object };
}
