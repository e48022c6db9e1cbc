import fc from 'fast-check';
import { fromEnvironment, report } from '../../reliability/report';
import { Random } from '../command-sequences';
import { RedisCommandWriter } from './command-streams';
import { RedisTalk, respRequest } from './redis-talk';

/** Random streams against sessions of one server. */
const RUNS = fromEnvironment('RELIABILITY_REDIS_STREAMS', 100_000);
const WITNESSES = 10;

const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array).toString('latin1'));
const command = fc.integer().map((seed) => {
  const writer = new RedisCommandWriter(new Random(seed));
  return writer.request(writer.next());
});
const array = fc.array(bytes, { maxLength: 6 }).map((args) => respRequest(...args));
const header = fc
  .tuple(fc.constantFrom('*', '$', '+', ':', '*2\r\n$'), fc.oneof(fc.integer(), fc.bigInt(), bytes))
  .map(([type, value]) => `${type}${value}\r\n`);
const mark = fc.constantFrom('\r\n', '\r', '\n', '\0', '"', "'", '\\x', ' ', '*', '$', '-', '99999999', '*1\r\n$536870912\r\n');
const piece = fc.oneof({ weight: 4, arbitrary: command }, array, header, mark, bytes);

/** A few pieces, some bytes of which are missing, and where the stream is split. */
const stream = fc.record({
  pieces: fc.array(piece, { minLength: 1, maxLength: 8 }),
  cuts: fc.array(fc.tuple(fc.nat(200), fc.nat(5)), { maxLength: 3 }),
  chunk: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5000 })),
});

describe('Redis sessions under random input', () => {
  it(`survive ${RUNS} streams, and the values of others with them`, () => {
    const reasons = new Set<string>();
    const log = (line: string): unknown => reasons.add(line.replace(/got '[^]*'/, "got '?'"));
    const talk = new RedisTalk({ flush: false, verbosity: 1, log });
    for (let i = 0; i < WITNESSES; i++) talk.send('SET', `witness:${i}`, 'v'.repeat(i * 100));
    talk.take();
    let runs = 0;
    fc.assert(
      fc.property(stream, ({ pieces, cuts, chunk }) => {
        let text = pieces.join('');
        for (const [at, length] of cuts) text = text.slice(0, at) + text.slice(at + length);
        const session = talk.open();
        for (let at = 0; at < text.length && !session.ended; at += chunk) {
          const buffer = Buffer.from(text.slice(at, at + chunk), 'latin1');
          // An expect() for each would take most of the time.
          if (session.push(buffer, 0, buffer.length) !== buffer.length) throw new Error('something was left');
          buffer.fill('!');
        }
        session.close();
        // Whatever it was, the answers can be read.
        expect(talk.take()).toMatch(/^(?:$|[-+:$*%=_][^]*\r\n$)/);
        if (++runs % 100 !== 0) return;
        for (let i = 0; i < WITNESSES; i++) {
          expect(talk.say(`GET witness:${i}`)).toBe(`$${i * 100}\r\n${'v'.repeat(i * 100)}\r\n`);
        }
        expect(talk.store.usedBytes).toBeLessThanOrEqual(talk.store.maxBytes);
      }),
      { numRuns: RUNS },
    );
    // Anything but these would be an error of ours that ended a session.
    const known = [
      'invalid multibulk length',
      'invalid bulk length',
      "expected '$', got '?'",
      'unbalanced quotes in request',
    ].map((reason) => `closing a connection: Error: ${reason}`);
    expect(known).toEqual(expect.arrayContaining(Array.from(reasons)));
    report({ goal: 'G22-redis', claim: 'Random streams into the Redis front end: no crash, a neighbour’s values unchanged', n: RUNS, value: 0, limit: 0, pass: true });
  }, 3_600_000);
});
