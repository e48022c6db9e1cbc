import { createHash, timingSafeEqual } from 'node:crypto';
import { STRING, isObject, valueThat } from '../../options/rule';

/** A user who may use the server. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** The rule for the users of a server. */
export const AUTH = valueThat<Credentials | readonly Credentials[]>(
  '{ username, password }, both strings that are not empty, or an array of these',
  (value) => (Array.isArray(value) ? value.every(isCredentials) : isCredentials(value)),
);

/**
 * Whether `username` and `password`, one character per byte, are among `allowed`. The time that it takes does not depend on how
 * much of them is right.
 */
export function isAllowed(allowed: readonly Credentials[], username: string, password: string): boolean {
  const given = [digest(Buffer.from(username, 'latin1')), digest(Buffer.from(password, 'latin1'))] as const;
  let found = false;
  for (const user of allowed) {
    const sameName = timingSafeEqual(given[0], digest(Buffer.from(user.username)));
    const samePassword = timingSafeEqual(given[1], digest(Buffer.from(user.password)));
    found = (sameName && samePassword) || found;
  }
  return found;
}

function digest(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}

function isCredentials(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { username, password }: { username?: unknown; password?: unknown } = value;
  return STRING.allows(username) && STRING.allows(password);
}
