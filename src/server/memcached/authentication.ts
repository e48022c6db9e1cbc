import { latin1Slice } from '../../protocol/bytes';
import type { Exchange } from './commands/exchange';
import type { Verb } from './commands/verbs';

/** The longest data block of somebody unknown, in bytes; longer ones end the session. */
const MAX_TOKEN = 16 * 1024;

/** `set <any> <any> <any> <bytes>` with the data `<username> <password>` → `STORED`, and the session may begin. */
export const AUTHENTICATE: Verb = { name: 'set', execute: authenticate, keyToken: 1, lengthToken: 4, tokens: [5, Infinity] };

/** Whatever else is sent before. */
export const UNAUTHENTICATED: Verb = {
  name: '',
  execute(exchange) {
    exchange.reply('CLIENT_ERROR unauthenticated');
  },
  keyToken: 1,
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
  exchange.authenticated = context.authenticate(username, password);
  exchange.reply(exchange.authenticated ? 'STORED' : 'CLIENT_ERROR authentication failure');
}

function words(token: string): string[] {
  return token.split('\0', 1).join('').split(' ').filter(Boolean);
}
