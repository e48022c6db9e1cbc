import { latin1Slice } from '../../protocol/bytes';
import type { Exchange } from './commands/exchange';
import { VERB_NAMES, type Verb } from './commands/verbs';

/** The longest data block before authentication, in bytes; longer ones end the session, before they are read. */
export const MAX_TOKEN = 16 * 1024;

/** Before authentication, shorter lines (with their CR) end the session. */
const SHORTEST_LINE = 6;

/** `set <any> <any> <any> <bytes>` with the data `<username> <password>` → `STORED`, and the session may begin. */
export const AUTHENTICATE: Verb = {
  name: 'set',
  index: VERB_NAMES.indexOf('set'),
  execute: authenticate,
  keyToken: 1,
  lengthToken: 4,
  flagsFrom: 0,
  fewest: 5,
  noreply: false,
  mayBeIndented: false,
};

/** Any other command before authentication. */
export const UNAUTHENTICATED: Verb = {
  name: 'unknown',
  index: 0,
  execute(exchange) {
    if (exchange.lineLength - 1 < SHORTEST_LINE) exchange.finish();
    else exchange.reply('CLIENT_ERROR unauthenticated');
  },
  keyToken: 1,
  lengthToken: 0,
  flagsFrom: 0,
  fewest: 0,
  noreply: false,
  mayBeIndented: true,
};

function authenticate(exchange: Exchange): void {
  const { frame, line, context } = exchange;
  if (line.blockLength(AUTHENTICATE.lengthToken) > MAX_TOKEN) {
    exchange.reply('CLIENT_ERROR auth token too long');
    exchange.finish();
    return;
  }
  if (!frame.hasBlock) {
    exchange.reply('CLIENT_ERROR unauthenticated');
    return;
  }
  if (!frame.terminated) {
    exchange.reply('CLIENT_ERROR bad command line termination');
    return;
  }
  const token = latin1Slice(frame.buffer, frame.dataStart, frame.dataEnd);
  const end = token.indexOf(' ');
  if (end < 0) {
    exchange.reply('CLIENT_ERROR bad authentication token format');
    return;
  }
  exchange.authenticated = context.authenticate(token.slice(0, end), token.slice(end + 1));
  exchange.reply(exchange.authenticated ? 'STORED' : 'CLIENT_ERROR authentication failure');
}
