/** What the replies of all meta commands have in common. */

import { MAX_OPAQUE_LENGTH } from '../../../protocol/limits';
import type { CommandLine } from './command-line';
import type { Exchange } from './exchange';
import { encodeBase64 } from './base64';
import type { MetaFlags } from './meta-flags';

/** The answer to a line that is not one of its command. */
export const BAD_FORMAT = 'CLIENT_ERROR bad command line format';

/** What `md` and `ma` answer to any flag that cannot be read. */
export const BAD_FLAG = 'CLIENT_ERROR invalid or duplicate flag';

/** A meta command has at most so many tokens. */
const MAX_TOKENS = 19;

/** Whether the line has a key that is short enough, and not too many tokens; answers when it has not. */
export function hasKey(exchange: Exchange, tooMany: string): boolean {
  const { line } = exchange;
  if (line.count < 2) exchange.replyAlways('ERROR');
  else if (!line.isKey(1)) exchange.replyAlways(BAD_FORMAT);
  else if (line.count > MAX_TOKENS) exchange.replyAlways(tooMany);
  else return true;
  return false;
}

/** The answer to an opaque token that is too long. */
export const OPAQUE_TOO_LONG = 'CLIENT_ERROR opaque token too long';

/** Whether the token, an opaque one, is too long. */
export function isTooLong(line: CommandLine, index: number): boolean {
  return line.length(index) > MAX_OPAQUE_LENGTH + 1;
}

/** ` k<key>`, and ` b` when it is shown in base64. */
export function keyFlag(key: string, binary: boolean): string {
  return binary ? ` k${encodeBase64(key)} b` : ` k${key}`;
}

/** What a reply repeats of the request: ` O<opaque>` and ` k<key>`; `undefined` when the opaque token is too long. */
export function echoedFlags(line: CommandLine, flags: MetaFlags): string | undefined {
  let echo = '';
  for (let i = 2; i < line.count; i++) {
    const letter = line.first(i);
    if (letter === OPAQUE) {
      if (isTooLong(line, i)) return undefined;
      echo += ` ${line.text(i)}`;
    } else if (letter === KEY) {
      echo += keyFlag(flags.key, flags.binaryKey);
    }
  }
  return echo;
}

const OPAQUE = 'O'.charCodeAt(0);
const KEY = 'k'.charCodeAt(0);

/** Answers a code without success; `EN` stays unsaid when the client wants silence. */
export function miss(exchange: Exchange, flags: MetaFlags, code: 'EN' | 'NF' | 'EX'): void {
  const echo = echoedFlags(exchange.line, flags);
  if (echo === undefined) exchange.replyAlways(OPAQUE_TOO_LONG);
  else if (code !== 'EN' || !flags.quiet) exchange.text(`${code}${echo}\r\n`);
}
