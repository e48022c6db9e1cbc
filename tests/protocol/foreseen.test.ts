import fc from 'fast-check';
import { FrameReader, type Frame } from '../../src/protocol/frame';
import { isValueFor, replyRules, valueCas, valueFlags } from '../../src/protocol/reply';

/** What a command for `key` makes of each frame, or what is wrong with the stream. */
function read(pieces: readonly string[], key: string, foreseen: boolean): unknown[] {
  const seen: unknown[] = [];
  const attempt = (work: () => unknown): unknown => {
    try {
      return work();
    } catch (error) {
      return String(error);
    }
  };
  const rules = foreseen ? replyRules(1024, () => key) : replyRules(1024);
  const reader = new FrameReader(rules, (frame: Frame) => {
    const mine = isValueFor(frame, key);
    const parts = mine ? [attempt(() => valueFlags(frame, key.length)), attempt(() => valueCas(frame))] : [];
    seen.push([frame.line(), frame.data().toString('latin1'), frame.terminated, frame.hasBlock, mine, ...parts]);
  });
  try {
    for (const piece of pieces) {
      const buffer = Buffer.from(piece, 'latin1');
      reader.push(buffer, 0, buffer.length);
      buffer.fill('#');
    }
  } catch (error) {
    seen.push(String(error));
  }
  return seen;
}

function expectSame(stream: string, key: string, cuts: readonly number[] = []): void {
  const places = [0, ...[...cuts].sort((a, b) => a - b), stream.length];
  const pieces = places.slice(1).map((end, i) => stream.slice(places[i], end));
  expect(read(pieces, key, true)).toEqual(read(pieces, key, false));
}

const VALUES = [
  'VALUE k 0 5\r\nhello\r\n', 'VALUE k 16 0\r\n\r\n', 'VALUE k 4294967295 1 18446744073709551615\r\nx\r\n', 'VALUE k 00 05 007\r\nhello\r\n',
  // For other keys.
  'VALUE kk 0 1\r\nx\r\n', 'VALUE  0 1\r\nx\r\n', 'VALUE j 0 1\r\nx\r\n',
  // Not as they should be.
  'VALUE k 0 1\nx\r\n', 'VALUE k 0 1 \r\nx\r\n', 'VALUE k  1\r\nx\r\n', 'VALUE k 0 \r\n\r\n', 'VALUE k x 1\r\nx\r\n', 'VALUE k 0 1x\r\nx\r\n', 'VALUE k 0 -1\r\n', 'VALUE k 0 1 x\r\nx\r\n',
  'VALUE k 0 1 1 1\r\nx\r\n', 'VALUE k 0 1  1\r\nx\r\n', 'VALUE k 0 1 -1\r\nx\r\n', 'VALUE k 0  1\r\nx\r\n', 'VALUE k 01 1\r\nx\r\n', 'VALUE k 0 01\r\nx\r\n', 'VALUE k 0 00\r\n\r\n',
  'VALUE k +1 1\r\nx\r\n', 'VALUE k 1.6 1\r\nx\r\n', 'VALUE k 0x1 1\r\nx\r\n', 'VALUE k 4294967296 1\r\nx\r\n', 'VALUE k 10 10 9999999999999999999\r\n0123456789\r\n', 'VALUE k 0 1 000000000000000000001\r\nx\r\n',
  'VALUE k 1234567890123456 1\r\nx\r\n', 'VALUE k 0 0000000000000001\r\nx\r\n', 'VALUE k 0 1025\r\n', 'VALUE k 0 99999999999999999999\r\n',
  'VALUE k 0 1\r\nxy\r\n', 'VALUE k 0 1 18446744073709551616\r\nx\r\n', 'VALUEXk 0 1\r\nx\r\n', 'VALUR k 0 1\r\nx\r\n', 'VA 1 f0\r\nx\r\n', 'END\r\n', 'STORED\r\n', '\r\n',
];

describe('a value that was foreseen', () => {
  it.each(VALUES)('is read as any other: %j', (value) => {
    for (const key of ['k', 'kk', 'j']) {
      for (let at = 0; at <= value.length; at++) expectSame(`${value}VALUE k 0 1\r\nx\r\nEND\r\n`, key, [at]);
    }
  });

  // Short keys are compared otherwise than long ones.
  it.each([1, 2, 31, 32, 33, 34, 100, 250])('is for a key of %i bytes only if each of them is right', (length) => {
    const key = 'k\xe9y-'.repeat(63).slice(0, length);
    const isMine = (stored: string): unknown => (read([`VALUE ${stored} 0 1 1\r\nx\r\n`], key, true)[0] as unknown[])[4];
    for (let at = 0; at < length; at++) expect(isMine(`${key.slice(0, at)}~${key.slice(at + 1)}`)).toBe(false);
    expect(isMine(key)).toBe(true);
  });

  it('and so is whatever may come', () => {
    const part = fc.oneof(
      fc.constantFrom(...VALUES),
      fc.tuple(fc.constantFrom(...VALUES), fc.nat(30), fc.constantFrom(' ', '\r', '\n', '0', '9', 'k', '\xff')).map(([value, at, wrong]) => value.slice(0, at) + wrong + value.slice(at + 1)),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), fc.array(fc.nat(80), { maxLength: 4 }), fc.constantFrom('k', 'kk'), (parts, cuts, key) => {
        const stream = parts.join('');
        expectSame(stream, key, cuts.map((cut) => Math.min(cut, stream.length)));
      }),
      { numRuns: 3000 },
    );
  });
});
