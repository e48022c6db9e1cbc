import { FrameReader, type Frame } from '../../src/protocol/frame';
import { replyRules } from '../../src/protocol/reply';
import { SeededRandom } from '../support/seeded-random';
import { transcripts } from '../support/transcripts';
import { fromEnvironment, report } from './report';

const STREAMS = fromEnvironment('RELIABILITY_STREAMS', 2_000_000);
const SEED = fromEnvironment('RELIABILITY_SEED', 1);

const corpus = transcripts.map(([, , reply]) => reply);
const tokens = ['VALUE ', 'END\r\n', 'ERROR\r\n', 'VA 5 ', '-1', '99999999999', '\r\n', ' ', '\0', '18446744073709551616', 'STAT a 1\r\n', 'x'.repeat(1500)];

/** Damages a reply, or joins two. */
function mutate(random: SeededRandom): string {
  let text = random.pick(corpus);
  if (random.chance(0.3)) {
    const other = random.pick(corpus);
    text = text.slice(0, random.below(text.length)) + other.slice(random.below(other.length));
  }
  for (let i = random.below(3); i >= 0; i--) {
    const at = random.below(text.length + 1);
    const kind = random.below(4);
    if (kind === 0) text = text.slice(0, at) + String.fromCharCode(random.below(256)) + text.slice(at + 1);
    else if (kind === 1) text = text.slice(0, at) + random.pick(tokens) + text.slice(at);
    else if (kind === 2) text = text.slice(0, at);
    else text = text.replace(/\d+/, () => String(random.below(100)));
  }
  return text;
}

it('damaged replies are read or refused, whole or in pieces alike, and never hang', () => {
  const random = new SeededRandom(SEED);
  const buffer = Buffer.alloc(16 * 1024);
  const END = Buffer.from('\r\nEND\r\n');
  let frames = 0;
  let refused = 0;
  /** How much was read, and how it ended. */
  const read = (text: string, piece: number): string => {
    let seen = 0;
    let bytes = 0;
    const reader = new FrameReader(replyRules(4096), (frame: Frame) => {
      seen++;
      bytes += frame.end - frame.start + frame.dataEnd - frame.dataStart;
    });
    const length = buffer.write(text, 'latin1');
    try {
      for (let at = 0; at < length; at += piece) {
        // Every byte is taken once: a reader that looked twice would not come to the end.
        if (reader.push(buffer, at, Math.min(length, at + piece)) !== Math.min(length, at + piece)) throw new RangeError('bytes were left');
      }
      frames += seen;
      // Whatever it is in the middle of, in pieces it is as well: the same comes of what follows.
      reader.push(END, 0, END.length);
    } catch (error) {
      if (error instanceof RangeError) throw error;
      refused++;
      return `${seen} ${bytes} refused`;
    }
    return `${seen} ${bytes}`;
  };
  for (let i = 0; i < STREAMS; i++) {
    const text = mutate(random);
    const whole = read(text, text.length || 1);
    if (i % 16 === 0 && read(text, 1 + random.below(20)) !== whole) throw new Error(`read otherwise in pieces: ${JSON.stringify(text)}`);
  }
  expect(frames).toBeGreaterThan(STREAMS / 2);
  expect(refused).toBeGreaterThan(STREAMS / 20);
  report({ goal: 'G04', claim: 'Damaged streams into the frame reader: no crash, no hang, the same in pieces', seed: SEED, n: STREAMS, value: 0, limit: 0, pass: true });
});

it('takes time in proportion to what it reads', () => {
  /** CPU per byte of a value that comes in pieces of one size, in nanoseconds. */
  const cost = (size: number): number => {
    const stream = Buffer.concat([Buffer.from(`VALUE a 0 ${size}\r\n`), Buffer.alloc(size + 2, '\r\n')]);
    const reader = new FrameReader(replyRules(size), () => undefined);
    const before = process.cpuUsage();
    for (let at = 0; at < stream.length; at += 64) reader.push(stream, at, Math.min(stream.length, at + 64));
    const { user, system } = process.cpuUsage(before);
    return ((user + system) * 1000) / size;
  };
  cost(1_000_000);
  const small = Math.min(cost(500_000), cost(500_000), cost(500_000));
  const large = Math.min(cost(16_000_000), cost(16_000_000));
  console.log(`${small.toFixed(2)} ns per byte of 0.5 MB, ${large.toFixed(2)} ns per byte of 16 MB`);
  // Reading again what was read would make this ratio 32.
  expect(large / small).toBeLessThan(8);
});
