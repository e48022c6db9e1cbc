import { ServerContext } from '../../src/server/memcached/commands/context';
import { Session } from '../../src/server/memcached/session';
import { CommandWriter, Random } from '../server/command-sequences';
import { fromEnvironment, report } from './report';

const RUNS = fromEnvironment('RELIABILITY_SERVER_STREAMS', 500_000);
const FIRST_SEED = fromEnvironment('RELIABILITY_SEED', 1);

/** Changes a few bytes of `text`: others in their place, some missing, some twice. */
function damage(text: string, random: Random): string {
  let damaged = text;
  for (let left = random.below(6); left > 0; left--) {
    const at = random.below(damaged.length);
    const size = 1 + random.below(8);
    const insert = random.pick([
      () => String.fromCharCode(random.below(256)),
      () => '',
      () => damaged.slice(at, at + size).repeat(2),
      () => random.pick(['\r\n', ' ', '\0', '-1', '99999999999', '2147483645', '\x80', 'noreply', 'x'.repeat(3000)]),
    ])();
    damaged = damaged.slice(0, at) + insert + damaged.slice(at + size);
  }
  return damaged;
}

describe('sessions under damaged input', () => {
  it(`survive ${RUNS} streams, and the values of others with them`, () => {
    const reasons = new Set<string>();
    const log = (line: string, level: number): void => {
      if (level === 1 && !line.startsWith('maxbytes')) reasons.add(line);
    };
    const context = new ServerContext({ flush: false, verbosity: 1, log });
    let answer = '';
    const output = {
      write: (data: string | Uint8Array): void => {
        answer += typeof data === 'string' ? data : Buffer.from(data).toString('latin1');
      },
      end: (): void => undefined,
    };
    const push = (session: Session, text: string): void => {
      const bytes = Buffer.from(text, 'latin1');
      session.push(bytes, 0, bytes.length);
    };
    const witness = new Session(context, output);
    for (let i = 0; i < 10; i++) push(witness, `set witness:${i} ${i} 0 ${i}\r\n${'v'.repeat(i)}\r\n`);
    for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS; seed++) {
      const random = new Random(seed);
      const writer = new CommandWriter(random, () => random.below(100));
      const session = new Session(context, { write: () => undefined, end: () => undefined });
      context.verbosity = 1;
      let stream = '';
      for (let left = 1 + random.below(8); left > 0; left--) stream += writer.next();
      stream = damage(stream, random);
      for (let at = 0; at < stream.length; ) {
        const size = 1 + random.below(random.pick([3, 50, 5000]));
        push(session, stream.slice(at, at + size));
        at += size;
      }
      session.close();
      if (seed % 100 !== 0) continue;
      answer = '';
      for (let i = 0; i < 10; i++) push(witness, `get witness:${i}\r\n`);
      const expected = Array.from(
        { length: 10 },
        (_, i) => `VALUE witness:${i} ${i} ${i}\r\n${'v'.repeat(i)}\r\nEND\r\n`,
      );
      expect({ seed, answer }).toEqual({ seed, answer: expected.join('') });
      expect(context.store.usedBytes).toBeLessThanOrEqual(context.store.maxBytes);
    }
    // Anything but this would be an error of ours that ended a session.
    expect(Array.from(reasons).sort()).toEqual([
      'closing a connection: Error: a line is too long',
      'closing a connection: the client speaks the binary protocol, which is not served',
    ]);
    report({ goal: 'G22', claim: 'Damaged streams into the embedded server: no crash, a neighbour’s values unchanged', seed: FIRST_SEED, n: RUNS, value: 0, limit: 0, pass: true });
  }, 3_600_000);
});
