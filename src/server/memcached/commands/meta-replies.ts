/** What the replies of all meta commands have in common. */

import { MAX_OPAQUE_LENGTH } from '../../../protocol/limits';
import type { CommandLine } from './command-line';
import type { Exchange } from './exchange';
import { encodeBase64 } from './base64';
import { BAD_FORMAT } from './classic-line';
import { MetaFlags } from './meta-flags';

/** What `ma` answers to any flag that cannot be read. */
export const BAD_FLAG = 'CLIENT_ERROR invalid or duplicate flag';

/** The letters of the flags that a reply repeats. */
export const OPAQUE = 'O'.charCodeAt(0);
const KEY = 'k'.charCodeAt(0);

/** A meta command has at most this many tokens. */
const MAX_TOKENS = 20;

/** Reads the flags from the token `from` on; when they cannot be read it sends the reason, or `complaint` instead. */
export function readFlags(exchange: Exchange, from: number, complaint?: string): MetaFlags | undefined {
  const { line, store } = exchange;
  let error: string | undefined;
  if (!line.hasFlagsFrom(from)) {
    exchange.replyAlways(BAD_FORMAT);
    return undefined;
  }
  if (!line.isKey(1)) error = BAD_FORMAT;
  else if (line.count > MAX_TOKENS) error = 'CLIENT_ERROR options flags are too long';
  else {
    const flags = new MetaFlags(line, from, store);
    error = flags.error;
    if (error === undefined) return flags;
  }
  exchange.replyAlways(complaint ?? error);
  return undefined;
}

/** The answer to an opaque token that is too long. */
export const OPAQUE_TOO_LONG = 'CLIENT_ERROR opaque token too long';

/** Whether this opaque token is too long. */
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

/** Sends a code that means failure; `EN` is not sent when the client wants to be spared it. */
export function miss(exchange: Exchange, flags: MetaFlags, code: 'EN' | 'NF' | 'EX'): void {
  const echo = echoedFlags(exchange.line, flags);
  if (echo === undefined) exchange.replyAlways(OPAQUE_TOO_LONG);
  else if (code !== 'EN' || !flags.quiet) exchange.text(`${code}${echo}\r\n`);
}
