/** The encodings of text in pickles. */
import { copyOf, utf8Slice } from '../../protocol/bytes';
import { malformed } from './malformed';

/** Python's 'surrogatepass': UTF-8 in which a lone half of a surrogate pair takes three bytes, like any other code point of its range. */
export function encodeText(text: string): Buffer {
  return Buffer.concat(
    Array.from(text, (character) => {
      const code = character.codePointAt(0) ?? 0;
      const half = code >= 0xd800 && code <= 0xdfff;
      return half ? Buffer.of(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63)) : Buffer.from(character);
    }),
  );
}

/**
 * The text of `data[start, end)`.
 *
 * @throws MemcacheSerdeError when it is not UTF-8
 */
export function decodeText(data: Buffer, start: number, end: number): string {
  const text = utf8Slice(data, start, end);
  if (!text.includes('\ufffd')) return text;
  return decodeStrictly(data.subarray(start, end));
}

/** By the first byte of a character: how many more follow, and the least code point that needs that many. */
function sequence(first: number): { more: number; least: number; bits: number } {
  if (first < 0x80) return { more: 0, least: 0, bits: first };
  if (first >= 0xc0 && first < 0xe0) return { more: 1, least: 0x80, bits: first & 31 };
  if (first >= 0xe0 && first < 0xf0) return { more: 2, least: 0x800, bits: first & 15 };
  if (first >= 0xf0 && first < 0xf8) return { more: 3, least: 0x10000, bits: first & 7 };
  throw malformed('text that is not UTF-8');
}

function decodeStrictly(data: Uint8Array): string {
  const text = new Utf16(data.length);
  for (let at = 0; at < data.length; ) {
    const { more, least, bits } = sequence(data[at++] ?? 0);
    let code = bits;
    for (let left = more; left > 0; left--) {
      const next = data[at++] ?? 0;
      if ((next & 0xc0) !== 0x80) throw malformed('text that is not UTF-8');
      code = (code << 6) | (next & 63);
    }
    if (code < least || code > 0x10ffff) throw malformed('text that is not UTF-8');
    text.add(code);
  }
  return text.end();
}

/** Text that is put together from code points: a string for each of them takes fifty times as much memory. */
class Utf16 {
  readonly #units: Buffer;
  #length = 0;

  /** @param most how many code units there will be, at the most */
  constructor(most: number) {
    this.#units = Buffer.allocUnsafe(2 * most);
  }

  add(code: number): void {
    if (code >= 0x10000) this.#unit(0xd7c0 + (code >> 10));
    this.#unit(code < 0x10000 ? code : 0xdc00 | (code & 0x3ff));
  }

  addAll(text: string): void {
    this.#length += this.#units.write(text, this.#length, 'utf16le');
  }

  end(): string {
    return this.#units.toString('utf16le', 0, this.#length);
  }

  #unit(unit: number): void {
    this.#length = this.#units.writeUInt16LE(unit, this.#length);
  }
}

/** Python's 'raw-unicode-escape': Latin-1, with `\uXXXX` and `\UXXXXXXXX` for what Latin-1 lacks. */
export function decodeRawUnicodeEscape(line: string): string {
  if (!line.includes('\\')) return line;
  const text = new Utf16(line.length);
  for (const [part, short, long] of line.matchAll(/[^\\]+|\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})|\\/g)) {
    const hex = short ?? long;
    if (hex === undefined) {
      text.addAll(part);
      continue;
    }
    const code = Number.parseInt(hex, 16);
    if (code > 0x10ffff) throw malformed('text that is not Unicode');
    text.add(code);
  }
  return text.end();
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', a: '\x07', b: '\b', f: '\f', v: '\v', '\\': '\\', "'": "'", '"': '"' };

/** What Python 2 writes for bytes: its `repr`, in quotes. */
export function decodeRepr(line: string): Buffer {
  const quoted = /^(['"])(.*)\1$/s.exec(line);
  if (quoted === null) throw malformed('text without quotes');
  const text = quoted[2] ?? '';
  const bytes = Buffer.allocUnsafe(text.length);
  let length = 0;
  for (const [part, hex, octal, letter] of text.matchAll(/[^\\]+|\\(?:x([0-9a-fA-F]{2})|([0-7]{1,3})|(.))|\\/gs)) {
    if (hex !== undefined) bytes[length++] = Number.parseInt(hex, 16);
    else if (octal !== undefined) bytes[length++] = Number.parseInt(octal, 8);
    else length += bytes.write(ESCAPES[letter ?? ''] ?? part, length, 'latin1');
  }
  return copyOf(bytes, 0, length);
}

/**
 * Python 2 has one type for text and bytes. As Python 3 does, ASCII is taken for text; anything else, which Python 3 refuses,
 * becomes bytes.
 */
export function fromPython2(bytes: Buffer): string | Buffer {
  return bytes.every((byte) => byte < 0x80) ? bytes.toString('latin1') : bytes;
}
