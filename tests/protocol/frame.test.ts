import fc from 'fast-check';
import { FrameError, FrameReader, NO_BLOCK, SHORT_LINE, type Frame, type FrameRules } from '../../src/protocol/frame';
import { replyRules } from '../../src/protocol/reply';

/** A frame as the tests see it. */
type Seen = string;

function describeFrame(frame: Frame): Seen {
  const block = frame.oversized ? 'oversized' : frame.hasBlock ? frame.data().toString('latin1') : undefined;
  return JSON.stringify([frame.line(), block, frame.terminated]);
}

/** Reads `pieces` as so many reads, each from a buffer that is overwritten behind it. */
function read(rules: FrameRules, pieces: readonly string[]): Seen[] {
  const seen: Seen[] = [];
  const reader = new FrameReader(rules, (frame) => seen.push(describeFrame(frame)));
  for (const piece of pieces) {
    const buffer = Buffer.from(piece, 'latin1');
    reader.push(buffer, 0, buffer.length);
    buffer.fill('#');
  }
  // Nothing has begun: what comes next is a frame of its own.
  const end = seen.length;
  reader.push(Buffer.from('END\r\n'), 0, 5);
  expect(seen.splice(end)).toEqual(['["END",null,true]']);
  return seen;
}

const replies = replyRules(1024);
/** As a server reads: a number at the end of the line announces a block, and LF alone ends a line. */
const requests: FrameRules = {
  blockLength: (buffer, start, end) => Number(/ ([0-9]+)$/.exec(buffer.toString('latin1', start, end))?.[1] ?? NO_BLOCK),
  maxLine: () => 2048,
  maxBlock: 64,
  bareLineFeed: true,
};

const REPLIES =
  'VALUE a 0 5\r\nhello\r\nVALUE b 16 0\r\n\r\nEND\r\nSTORED\r\nVALUE k 0 18\r\nEND\r\nVALUE x 0 1\r\n\r\nEND\r\nVA 2 f0 Oq\r\n\r\n\r\nHD\r\nVALUE big 0 1024\r\n' +
  'x'.repeat(1024) +
  '\r\nEND\r\n';
const REQUESTS = 'get a\nset k 0 0 3\r\nabc\r\nset l 0 0 100\r\n' + 'y'.repeat(100) + '\r\n\r\nget b\r\nset m 0 0 0\n\r\n';

describe.each<[string, FrameRules, string]>([
  ['replies', replies, REPLIES],
  ['requests', requests, REQUESTS],
])('%s', (_, rules, stream) => {
  const whole = read(rules, [stream]);

  it('are the same however they are cut in two', () => {
    for (let at = 0; at <= stream.length; at++) expect(read(rules, [stream.slice(0, at), stream.slice(at)])).toEqual(whole);
  });

  it('are the same byte by byte, and in pieces of any size', () => {
    expect(read(rules, Array.from(stream))).toEqual(whole);
    fc.assert(
      fc.property(fc.array(fc.nat(stream.length), { maxLength: 20 }), (cuts) => {
        const places = [0, ...cuts.sort((a, b) => a - b), stream.length];
        expect(read(rules, places.slice(1).map((end, i) => stream.slice(places[i], end)))).toEqual(whole);
      }),
    );
  });
});

it('delivers lines and blocks', () => {
  expect(read(replies, [REPLIES])).toEqual([
    '["VALUE a 0 5","hello",true]',
    '["VALUE b 16 0","",true]',
    '["END",null,true]',
    '["STORED",null,true]',
    '["VALUE k 0 18","END\\r\\nVALUE x 0 1\\r\\n",true]',
    '["END",null,true]',
    '["VA 2 f0 Oq","\\r\\n",true]',
    '["HD",null,true]',
    `["VALUE big 0 1024","${'x'.repeat(1024)}",true]`,
    '["END",null,true]',
  ]);
});

it('delivers a line whose block is too large to take, and swallows that', () => {
  expect(read(requests, [REQUESTS]).slice(2, 5)).toEqual(['["set l 0 0 100","oversized",true]', '["",null,true]', '["get b",null,true]']);
});

it('tells that a block is not followed by CR LF', () => {
  for (const end of ['\n\r', 'x\r', '\r\r', 'ab']) {
    const seen: boolean[] = [];
    const reader = new FrameReader(replies, ({ terminated }) => seen.push(terminated));
    const bytes = Buffer.from(`VALUE a 0 5\r\nhello${end}`);
    reader.push(bytes, 0, bytes.length);
    expect(seen).toEqual([false]);
  }
});

it('refuses a reply that ends in LF alone, and a line without end, before it grows', () => {
  const push = (text: string): void => {
    const bytes = Buffer.from(text);
    new FrameReader(replies, () => undefined).push(bytes, 0, bytes.length);
  };
  expect(() => { push('END\n'); }).toThrow(FrameError);
  expect(() => { push('x'.repeat(SHORT_LINE)); }).not.toThrow();
  expect(() => { push('x'.repeat(64 * 1024)); }).toThrow(FrameError);
  expect(() => { push(`${'x'.repeat(64 * 1024)}\r\n`); }).toThrow(FrameError);
  const reader = new FrameReader(replies, () => undefined);
  const piece = Buffer.from('y'.repeat(100));
  expect(() => { for (let i = 0; i < 10_000; i++) reader.push(piece, 0, piece.length); }).toThrow('too long');
});

it('allocates for what has arrived, not for what is announced', () => {
  let frames = 0;
  const readers = Array.from({ length: 200 }, () => new FrameReader(replyRules(1024 ** 3), () => frames++));
  const bytes = Buffer.from(`VALUE a 0 ${1024 ** 3 - 1}\r\nx`);
  const before = process.memoryUsage().arrayBuffers;
  for (const reader of readers) reader.push(bytes, 0, bytes.length);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(200 * 128 * 1024);
  // They still are in the middle of their frames.
  for (const reader of readers) reader.push(bytes, 0, 5);
  expect(frames).toBe(0);
});

it('swallows an oversized block of any length in constant memory', () => {
  let frames = 0;
  const reader = new FrameReader(requests, () => frames++);
  const line = Buffer.from('set a 0 0 300000000\r\n');
  reader.push(line, 0, line.length);
  const chunk = Buffer.alloc(1024 * 1024);
  const before = process.memoryUsage().arrayBuffers;
  for (let left = 300_000_000; left > 0; left -= chunk.length) reader.push(chunk, 0, Math.min(chunk.length, left));
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * 1024 * 1024);
  const rest = Buffer.from('\r\nEND\r\n');
  reader.push(rest, 0, rest.length);
  expect(frames).toBe(2);
});

it('stops when it is told to, and goes on where it stopped', () => {
  const seen: string[] = [];
  const reader: FrameReader = new FrameReader(requests, (frame) => {
    seen.push(frame.line());
    reader.stop();
  });
  const bytes = Buffer.from('a\r\nb\r\nc');
  let at = reader.push(bytes, 0, bytes.length);
  expect([at, seen]).toEqual([3, ['a']]);
  at = reader.push(bytes, at, bytes.length);
  expect([at, seen]).toEqual([6, ['a', 'b']]);
  expect(reader.push(bytes, at, bytes.length)).toBe(7);
  const end = Buffer.from('\r\n');
  reader.push(end, 0, 2);
  expect(seen).toEqual(['a', 'b', 'c']);
});

it('gives data that later reads do not change', () => {
  const kept: Buffer[] = [];
  const reader = new FrameReader(replies, (frame) => kept.push(frame.data()));
  const stream = Buffer.from('VALUE a 0 5\r\nhello\r\n');
  reader.push(stream, 0, stream.length);
  stream.fill('#');
  const again = Buffer.from(`VALUE a 0 1000\r\n${'z'.repeat(1000)}\r\n`);
  reader.push(again, 0, 500);
  reader.push(again, 500, again.length);
  again.fill('#');
  reader.push(Buffer.from('END\r\n'), 0, 5);
  expect(kept.map(String)).toEqual(['hello', 'z'.repeat(1000), '']);
});
