import type { Exchange } from './exchange';

/** The answer to a line that does not fit its command. */
export const BAD_FORMAT = 'CLIENT_ERROR bad command line format';

/** The token that is the key. */
export const KEY = 1;

/** Whether the key is short enough; sends the error when it is not. */
export function hasKey(exchange: Exchange): boolean {
  if (exchange.line.isKey(KEY)) return true;
  exchange.reply(BAD_FORMAT);
  return false;
}

/** `number`, as it was read after the key; undefined when it or the key is not legal, and the error was sent. */
export function afterKey<N>(exchange: Exchange, number: N | undefined, error: string): N | undefined {
  if (!hasKey(exchange)) return undefined;
  if (number === undefined) exchange.reply(`CLIENT_ERROR ${error}`);
  return number;
}
