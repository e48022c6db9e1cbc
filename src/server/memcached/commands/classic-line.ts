import type { Exchange } from './exchange';

/** The answer to a line that is not one of its command. */
export const BAD_FORMAT = 'CLIENT_ERROR bad command line format';

/** The token that is the key. */
export const KEY = 1;

/** Whether the line has a key and one argument; answers when it has not. */
export function beginTwoArguments(exchange: Exchange): boolean {
  const { line } = exchange;
  if (line.count !== 3 && line.count !== 4) {
    exchange.reply('ERROR');
    return false;
  }
  exchange.silent = line.noreply;
  if (line.isKey(KEY)) return true;
  exchange.reply(BAD_FORMAT);
  return false;
}
