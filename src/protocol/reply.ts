/** Reply lines: which announce a block, and what the error lines mean. */
import { Ascii } from './ascii';
import {
  MemcacheAuthenticationError,
  MemcacheClientError,
  MemcacheServerError,
  MemcacheUnexpectedCloseError,
  MemcacheUnknownCommandError,
  MemcacheUnknownError,
  type Certainty,
  type MemcacheError,
  type MemcacheErrorOptions,
} from '../errors';
import { isText, isUint64, latin1Slice, readDecimal, tokenEnd } from './bytes';
import { FrameError, NO_BLOCK, OversizeError, type Frame, type FrameRules } from './frame';
import { MAX_FLAGS, MAX_REPLY_LINE } from './limits';

/**
 * How a client reads: blocks up to `maxValueSize` bytes, lines up to {@link MAX_REPLY_LINE}, CR LF only.
 *
 * @param expectedKey - returns the key, as it travels, that the next value is most likely for; undefined when that is not known
 */
export function replyRules(maxValueSize: number, expectedKey: () => string | undefined = nobodyKnows): FrameRules {
  return {
    foresee: (frame, buffer, start, end) => {
      if (buffer[start] !== Ascii.V) return NO_BLOCK;
      const key = expectedKey();
      return key === undefined ? NO_BLOCK : foreseeValue(frame, buffer, start, end, key, maxValueSize);
    },
    blockLength: (buffer, start, end) => replyBlockLength(buffer, start, end, maxValueSize),
    maxLine: () => MAX_REPLY_LINE,
    maxBlock: Infinity,
  };
}

/**
 *     VALUE <key> <flags> <bytes> [<cas>]      get, gets, gat, gats
 *     VA <bytes> <flags>*                      mg, ma
 *     CONFIG <name> <flags> <bytes>            config get cluster
 */
function replyBlockLength(buffer: Buffer, start: number, end: number, limit: number): number {
  const isMeta = isText(buffer, start, start + 3, 'VA ');
  let at: number;
  if (isMeta) at = start + 3;
  else if (isText(buffer, start, start + 6, 'VALUE ')) at = afterKeyAndFlags(buffer, start + 6, end);
  else if (isText(buffer, start, start + 7, 'CONFIG ')) at = afterKeyAndFlags(buffer, start + 7, end);
  else return NO_BLOCK;
  const sizeEnd = tokenEnd(buffer, at, end);
  const size = readNumber(buffer, at, sizeEnd);
  if (size < 0 || !(isMeta || sizeEnd === end || isUint64(latin1Slice(buffer, sizeEnd + 1, end)))) {
    throw new FrameError('the reply announces a value in a line that is not legal');
  }
  if (size > limit) {
    throw new OversizeError(`the reply announces a value of ${size} bytes; maxValueSize is ${limit}`);
  }
  return size;
}

function nobodyKnows(): undefined {
  return undefined;
}

/**
 * `VALUE <key> <flags> <bytes> [<cas>]` for the expected key. The general way goes over the line three times: for its end,
 * for its length, for its key. This took a fifth off the cost of a key of `getMany`.
 */
function foreseeValue(frame: Frame, buffer: Buffer, start: number, end: number, key: string, limit: number): number {
  const keyStart = start + 6;
  const keyEnd = keyStart + key.length;
  // `VALUE k 0 0\r\n` is the shortest.
  if (keyEnd + 6 > end || buffer[start] !== Ascii.V || buffer[start + 2] !== Ascii.L || buffer[keyEnd] !== Ascii.Space || buffer[start + 5] !== Ascii.Space) return NO_BLOCK;
  if (buffer[start + 1] !== Ascii.A || buffer[start + 3] !== Ascii.U || buffer[start + 4] !== Ascii.E) return NO_BLOCK;
  if (!isText(buffer, keyStart, keyEnd, key)) return NO_BLOCK;
  let at = keyEnd + 1;
  let flags = 0;
  let digit: number;
  for (; (digit = (buffer[at] ?? 0) - Ascii.Zero) >= 0 && digit <= 9; at++) flags = flags * 10 + digit;
  const sizeStart = at + 1;
  if (!isNumber(buffer, keyEnd + 1, at) || flags > MAX_FLAGS || buffer[at] !== Ascii.Space) return NO_BLOCK;
  let size = 0;
  for (at = sizeStart; (digit = (buffer[at] ?? 0) - Ascii.Zero) >= 0 && digit <= 9; at++) size = size * 10 + digit;
  if (!isNumber(buffer, sizeStart, at) || size > limit) return NO_BLOCK;
  let casStart = 0;
  if (buffer[at] === Ascii.Space) {
    for (casStart = ++at; (digit = (buffer[at] ?? 0) - Ascii.Zero) >= 0 && digit <= 9; at++);
    // Not every number of 20 digits fits 64 bits.
    if (at === casStart || at - casStart > 19) return NO_BLOCK;
  }
  if (at + 1 >= end || buffer[at] !== Ascii.Cr || buffer[at + 1] !== Ascii.Lf) return NO_BLOCK;
  frame.key = key;
  frame.flags = flags;
  frame.casStart = casStart;
  frame.end = at;
  return size;
}

/** Where the token after a key and flags begins; `end` when these are not legal. */
function afterKeyAndFlags(buffer: Buffer, start: number, end: number): number {
  const keyEnd = tokenEnd(buffer, start, end);
  const flagsEnd = tokenEnd(buffer, keyEnd + 1, end);
  const flags = readNumber(buffer, keyEnd + 1, flagsEnd);
  return keyEnd > start && flags >= 0 && flags <= MAX_FLAGS ? flagsEnd + 1 : end;
}

/** As {@link readDecimal}, without leading zeros: no server writes them. */
function readNumber(buffer: Buffer, start: number, end: number): number {
  return isNumber(buffer, start, end) ? readDecimal(buffer, start, end) : -1;
}

/** Whether there are digits at all and the first of them is no leading zero, where all are digits. */
function isNumber(buffer: Buffer, start: number, end: number): boolean {
  return buffer[start] === Ascii.Zero ? end === start + 1 : end > start;
}

/** Whether the frame is a `VALUE` for exactly `key` (one character per byte), which a reply in step must be. */
export function isValueFor(frame: Frame, key: string): boolean {
  if (frame.key !== undefined) return frame.key === key;
  const { buffer, start } = frame;
  const keyStart = start + 6;
  const length = key.length;
  if (!frame.hasBlock || buffer[start + 2] !== Ascii.L || buffer[keyStart + length] !== Ascii.Space) return false;
  for (let i = 0; i < length; i++) if (buffer[keyStart + i] !== key.charCodeAt(i)) return false;
  return true;
}

/**
 * The flags of a `VALUE` line whose key is known to be `keyLength` bytes long.
 *
 *     VALUE <key> <flags> <bytes> [<cas unique>]
 */
export function valueFlags(frame: Frame, keyLength: number): number {
  if (frame.key !== undefined) return frame.flags;
  const at = frame.start + 7 + keyLength;
  return readDecimal(frame.buffer, at, tokenEnd(frame.buffer, at, frame.end));
}

/**
 * The cas of a `VALUE` line, as decimal text.
 *
 * @throws FrameError when the line has none
 */
export function valueCas(frame: Frame): string {
  const cas = frame.casStart > 0 && frame.key !== undefined ? latin1Slice(frame.buffer, frame.casStart, frame.end) : frame.line().split(' ')[4];
  if (cas === undefined) throw new FrameError('a VALUE line has no cas');
  return cas;
}

/** Whether the frame is the line `word` and nothing else. */
export function isWord(frame: Frame, word: string): boolean {
  return isText(frame.buffer, frame.start, frame.end, word);
}

/** What an error says of the command whose reply could not be used. */
export interface Asked {
  readonly verb: string;
  /** The first version of memcached that knows it; undefined when all versions do. */
  readonly since?: string | undefined;
}

/** The error for a server that does not know the command, in whatever words it says so. */
export function unknownCommand({ verb, since }: Asked, server: string, certainty: Certainty = 'executed'): MemcacheUnknownCommandError {
  const why = since === undefined ? ', or not in this form; is it an older version?' : `: it needs memcached ${since} or newer`;
  return new MemcacheUnknownCommandError(`the server ${server} does not know "${verb}"${why}`, { command: verb, server, certainty });
}

/**
 * The error for a reply that is not one of the command's own: the server's error line as an error of our tree,
 * or {@link MemcacheUnknownError} for anything else.
 *
 *     ERROR                    the command is not known
 *     CLIENT_ERROR <text>      the request was at fault
 *     MEMLIMIT_… <text>        likewise: the answer to cache_memlimit
 *     SERVER_ERROR <text>      the server failed, or a proxy could not reach it, or lost it
 */
export function replyError(frame: Frame, asked: Asked, server: string): MemcacheError {
  const line = printable(frame);
  if (line === 'ERROR') return unknownCommand(asked, server);
  const text = wordsOf(line);
  const origin: MemcacheErrorOptions = { command: asked.verb, server, certainty: 'executed' };
  if (/^(CLIENT_ERROR|MEMLIMIT)/.test(line)) {
    return AUTHENTICATION.test(text)
      ? new MemcacheAuthenticationError(`the server asks for credentials: ${text}; give the option auth`, origin)
      : new MemcacheClientError(text, origin);
  }
  if (/^(SERVER_)?ERROR/.test(line)) {
    if (line.startsWith(NO_PLACE)) origin.certainty = 'notSent';
    else if (line.startsWith('SERVER_ERROR')) origin.certainty = certaintyOf(text);
    return new MemcacheServerError(text, origin);
  }
  origin.certainty = 'maybeExecuted';
  return new MemcacheUnknownError(`the reply to "${asked.verb}" cannot be understood: ${looksLike(line)}`, origin);
}

/** The words of {@link NO_PLACE}. */
export const TOO_MANY_CONNECTIONS = 'Too many open connections';

/** What a server says to a connection beyond its limit, before it reads anything from it, and closes it. */
export const NO_PLACE = `ERROR ${TOO_MANY_CONNECTIONS}`;

/** Whether this is the error for {@link NO_PLACE}. */
export function isNoPlace({ message }: MemcacheServerError): boolean {
  return message.startsWith(TOO_MANY_CONNECTIONS);
}

/**
 * What a proxy says of its server: the system's words (twemproxy, mcrouter), or its own. No memcached uses these.
 *
 *     Connection refused       no connection could be made, so nothing was sent
 *     anything else            it was lost, or did not answer: it may have executed what it was sent
 */
const OF_A_PROXY =
  /^(Invalid arg|Broken pipe|No route |(Network|Host) is |Transport |unknown|bad response|(local|remote) error|aborted)|\b(connect(ion)?|time(d )?out|backend|unavailable|lua|errno)\b/i;
const REFUSED = 'Connection refused';

function certaintyOf(serverError: string): Certainty {
  if (serverError === REFUSED) return 'notSent';
  return OF_A_PROXY.test(serverError) ? 'maybeExecuted' : 'executed';
}

/** Whether an error line speaks of the server behind a proxy: the proxy itself is well. */
export function isOfProxy(error: unknown): boolean {
  return error instanceof MemcacheServerError && !(error instanceof MemcacheUnexpectedCloseError) && OF_A_PROXY.test(error.message);
}

/** Whether the frame is one of the three error lines. */
export function isErrorLine(frame: Frame): boolean {
  return !frame.hasBlock && /^((CLIENT|SERVER)_)?ERROR([ :]|$)/.test(frame.line());
}

const OWN_WORD = /^(VALUE|(NOT_)?STORED|EXISTS|NOT_FOUND|DELETED|TOUCHED|OK|END|RESET|STAT|VERSION|HD|VA|EN|NF|NS|EX|MN|ME)(?= |$)/;
const OTHERS: readonly (readonly [pattern: RegExp, protocol: string])[] = [
  [/^HTTP\/|^<!?[a-z]/i, 'HTTP'],
  [/^[-+:$*][A-Z0-9-]/, 'Redis'],
  [/^SSH-/, 'SSH'],
  [/^\\x1[56]\\x03/, 'TLS; see the option tls'],
];

/** What an unexpected line looks like. The line itself is not shown: it may be a part of a value. */
function looksLike(line: string): string {
  const word = OWN_WORD.exec(line)?.[0];
  if (word !== undefined) return `it begins with ${word}`;
  const other = OTHERS.find(([pattern]) => pattern.test(line))?.[1];
  return other === undefined ? 'it is not a line of the memcached protocol' : `it looks like ${other}`;
}

const AUTHENTICATION = /^(unauthenticated|authentication failure|bad authentication token|auth token too long)/;

/** What the server says in an error line. */
export function serverWords(frame: Frame): string {
  return wordsOf(printable(frame));
}

/** What follows the word that an error line begins with. */
function wordsOf(line: string): string {
  return line.replace(/^[A-Z_]*:? */, '') || line;
}

/** At most 64 characters of the line; what is not printable ASCII is shown as `\xNN`, so that no terminal acts on it. */
function printable(frame: Frame): string {
  const line = frame.line();
  const shown = line.slice(0, 64).replace(/[^\x20-\x7e]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
  return line.length > 64 ? `${shown}…` : shown;
}
