import { PIECE, RequestWriter, toBlock } from '../../src/protocol/request';

/** What V8 keeps in its ordinary memory, in characters. */
const ORDINARY = 128 * 1024;

function piecesOf(request: RequestWriter): (string | Uint8Array)[] {
  const pieces: (string | Uint8Array)[] = [];
  request.drain((piece) => pieces.push(piece));
  return pieces;
}

const bytesOf = (pieces: readonly (string | Uint8Array)[]): Buffer => Buffer.concat(pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece)));

describe('the pieces of a request', () => {
  test.each([1, 100, 2048, 8191])('text with blocks of %d bytes ends before it is longer than what V8 joins cheaply', (size) => {
    const request = new RequestWriter();
    let expected = '';
    for (let i = 0; expected.length < 4 * ORDINARY; i++) {
      const value = String.fromCharCode(33 + (i % 200)).repeat(size);
      request.text(`set k${i} 0 0 ${size}\r\n`);
      request.block(value);
      expected += `set k${i} 0 0 ${size}\r\n${value}\r\n`;
    }
    expect(request.size).toBe(expected.length);
    expect(request.hasBlocks).toBe(false);
    const pieces = piecesOf(request);
    expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(ORDINARY);
    expect(bytesOf(pieces).equals(Buffer.from(expected, 'latin1'))).toBe(true);
    expect(request.size).toBe(0);
  });

  test.each([
    ['within the first piece', 10],
    ['beyond the end of a piece', PIECE],
    ['beyond several', 3 * PIECE],
  ])('a command that is taken back leaves what came before it: its text ends %s', (_, length) => {
    for (const before of ['', 'mn\r\n', 'x'.repeat(PIECE - 5), 'x'.repeat(PIECE + 1)]) {
      const request = new RequestWriter();
      request.text(before);
      request.begin(false);
      for (let written = 0; written < length; written += 1000) request.text('y'.repeat(1000));
      request.undo();
      expect(request.size).toBe(before.length);
      request.text('end\r\n');
      expect(bytesOf(piecesOf(request)).toString()).toBe(`${before}end\r\n`);
    }
  });

  test('a command with large blocks is taken back, and what follows is whole', () => {
    const request = new RequestWriter();
    request.text('mn\r\n');
    request.begin(false);
    request.text('set a 0 0 9000\r\n');
    request.block(new Uint8Array(9000));
    request.text('set b 0 0 9000\r\n');
    request.block('z'.repeat(9000));
    expect(request.hasBlocks).toBe(true);
    request.undo();
    request.text('mn\r\n');
    expect(bytesOf(piecesOf(request)).toString()).toBe('mn\r\nmn\r\n');
  });
});

describe('a block of text', () => {
  // Text is looked at in parts, which end at 512, 8704 and 16896 characters when it is longer than 8192.
  const lengths = [0, 1, 100, 511, 512, 513, 2047, 2048, 2049, 8191, 8192, 8193, 8703, 8704, 8705, 16_895, 16_896, 16_897, 100_000];
  const strange = ['\u007f', '\u0080', 'é', 'ж', '漢', '😀', '\ud83d', '\ude00'];

  test.each(lengths)('of %d characters is what UTF-8 makes of it, wherever it ceases to be ASCII', (length) => {
    for (const character of ['', ...strange]) {
      for (const at of [0, 1, 511, 512, 8191, 8192, 8703, 8704, 16_895, 16_896, length - 1]) {
        if (at < 0 || at >= Math.max(1, length)) continue;
        const text = 'a'.repeat(at) + character + 'b'.repeat(Math.max(0, length - at - character.length));
        const block = toBlock(text);
        const expected = Buffer.from(text);
        expect(block.length).toBe(expected.length);
        expect(bytesOf([block]).equals(expected)).toBe(true);
      }
    }
    for (const character of strange) expect(bytesOf([toBlock(character.repeat(length))]).equals(Buffer.from(character.repeat(length)))).toBe(true);
  });

  test('stays as it is when it is ASCII, so that it joins other text; short text of other characters becomes such', () => {
    for (const length of lengths) expect(toBlock('a'.repeat(length))).toBe('a'.repeat(length));
    expect(toBlock('é'.repeat(1024))).toBe('Ã©'.repeat(1024));
    expect(toBlock('é'.repeat(1025))).toEqual(Buffer.from('é'.repeat(1025)));
  });

  test('does not change when other text is made ready after it', () => {
    const block = toBlock('é'.repeat(3000));
    toBlock('ж'.repeat(3000));
    expect(bytesOf([block]).equals(Buffer.from('é'.repeat(3000)))).toBe(true);
  });
});
