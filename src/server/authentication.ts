import { createHash, timingSafeEqual } from 'node:crypto';
import { latin1Slice } from '../protocol/bytes';
import type { Exchange } from './exchange';
import type { Verb } from './verbs';

/** A user who may use the server. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
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

/** The longest data block of somebody unknown, in bytes; longer ones end the session. */
const MAX_TOKEN = 16 * 1024;

/** `set <any> <any> <any> <bytes>` with the data `<username> <password>` → `STORED`, and the session may begin. */
export const AUTHENTICATE: Verb = { name: 'set', execute: authenticate, lengthToken: 4, tokens: [5, Infinity] };

/** Whatever else is sent before. */
export const UNAUTHENTICATED: Verb = {
  name: '',
  execute(exchange) {
    exchange.reply('CLIENT_ERROR unauthenticated');
  },
  lengthToken: 0,
  tokens: [0, Infinity],
};

function authenticate(exchange: Exchange): void {
  const { frame, context } = exchange;
  if (!frame.hasBlock) {
    exchange.reply('CLIENT_ERROR unauthenticated');
    return;
  }
  if (frame.oversized || frame.dataEnd - frame.dataStart > MAX_TOKEN) {
    exchange.reply('CLIENT_ERROR auth token too long');
    exchange.finish();
    return;
  }
  if (!frame.terminated) {
    exchange.reply('CLIENT_ERROR bad command line termination');
    return;
  }
  const [username, password] = words(latin1Slice(frame.buffer, frame.dataStart, frame.dataEnd));
  if (username === undefined || password === undefined) {
    exchange.reply('CLIENT_ERROR bad authentication token format');
    return;
  }
  context.authCommands++;
  if (isAllowed(context.auth, username, password)) {
    exchange.authenticated = true;
    exchange.reply('STORED');
  } else {
    context.authErrors++;
    exchange.reply('CLIENT_ERROR authentication failure');
  }
}

function words(token: string): string[] {
  return token.split('\0', 1).join('').split(' ').filter(Boolean);
}

function digest(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}
