/**
 * How entries are stored on the server. *Plain*: the serde's bytes and flags. *Envelope*, only where an entry needs more: bit
 * 31 of the flags is set, and a line of ASCII stands before the serde's bytes:
 *
 *     1 <kind>[ <name>=<value>]*\n
 *
 * kinds: `v` a value, `n` no such value, `c` chunks, `e` empty bytes, `l` a place-holder (without meta commands).
 */
import { Ascii } from '../../protocol/ascii';
import { latin1Slice } from '../../protocol/bytes';

export const ENVELOPE_FLAG = 2 ** 31;

export type EnvelopeKind = 'v' | 'n' | 'c' | 'e' | 'l';

/** An envelope's line and where the bytes after it begin. */
export interface Envelope {
  readonly kind: EnvelopeKind;
  /** The words after the kind. */
  readonly words: string;
  readonly start: number;
}

/** More than the longest line: 16 tags of 150 characters with their versions, and what tells of times and pieces. */
const MAX_HEAD = 4096;

/** Reads the line at the beginning of `buffer[start, end)`; undefined when there is none. */
export function openEnvelope(buffer: Buffer, start: number, end: number): Envelope | undefined {
  const limit = Math.min(end, start + MAX_HEAD);
  let at = start;
  while (at < limit && buffer[at] !== Ascii.Lf) at++;
  if (at === limit) return undefined;
  const line = latin1Slice(buffer, start, at);
  const match = /^1 ([vncel])((?: [!-~]+)*)$/.exec(line);
  if (match === null) return undefined;
  return { kind: match[1] as EnvelopeKind, words: (match[2] ?? '').slice(1), start: at + 1 };
}

/** The bytes with an envelope's line before them. */
export function seal(kind: EnvelopeKind, words: string, data: string | Uint8Array): Buffer {
  const head = words === '' ? `1 ${kind}\n` : `1 ${kind} ${words}\n`;
  return Buffer.concat([Buffer.from(head, 'latin1'), typeof data === 'string' ? Buffer.from(data) : data]);
}
