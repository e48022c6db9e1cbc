/** What a session is to its store, and what is kept of it. */
import { MemcacheSerdeError } from '../errors';
import { objectOf } from './adapter-client';

/** The part of a session that is used; the rest belongs to the program. */
export interface SessionLike {
  /** Whether this request has changed it; only @fastify/session knows. */
  isModified?(): boolean;
  readonly cookie?: {
    readonly expires?: Date | string | boolean | null | undefined;
    readonly maxAge?: number | null | undefined;
    readonly originalMaxAge?: number | null | undefined;
  };
}

/** @throws MemcacheSerdeError for what is no session as JSON, which another program has stored */
export function sessionOf(text: string): object {
  const session = objectOf(text);
  if (session === undefined) throw new MemcacheSerdeError('what is stored under the key of the session is not a JSON object');
  return session;
}

/** Whether a request of @fastify/session saves it, and not a program that calls the store itself. */
export function isOfFastify(session: SessionLike): boolean {
  return 'isModified' in session;
}

/** @fastify/session saves after every request, by its default `rolling`, also what was only read. What is new and unmodified is empty. */
export function isUnmodified(session: SessionLike): boolean {
  return session.isModified?.() === false;
}

/** Nothing but a cookie; `regenerate(['a'])` gives a new session an `a` that is undefined where the old one has none. */
export function isEmpty(session: object): boolean {
  return Object.entries(session).every(([name, value]) => name === 'cookie' || value === undefined);
}

/** A stored session with the cookie of one that was only read. */
export function withCookieOf({ cookie }: SessionLike, stored: string): string {
  return JSON.stringify({ ...sessionOf(stored), cookie });
}
