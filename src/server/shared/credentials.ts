import { createHash, timingSafeEqual } from 'node:crypto';
import { checkOption, isObject, isString, type Rule } from '../../options/rules';

/** A user who may use the server. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

export const AUTH: Rule = {
  is: '{ username, password } or an array of such, both strings that are not empty',
  allows: (value) => (Array.isArray(value) ? value.every(isCredentials) : isCredentials(value)),
};

/**
 * Who may use a server, as a list.
 *
 * @throws MemcacheIllegalInputError
 */
export function checkedUsers(auth: Credentials | readonly Credentials[] = []): readonly Credentials[] {
  checkOption('auth', auth, AUTH);
  return 'username' in auth ? [auth] : auth;
}

/**
 * Whether `username` and `password`, one character per byte, are among `allowed`. The time it takes tells nothing
 * about them.
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
  return isObject(value) && isString(value['username']) && isString(value['password']);
}
