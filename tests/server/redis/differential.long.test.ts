import { connect } from 'node:net';
import { RedisContext } from '../../../src/server/redis/commands/context';
import { RedisSession } from '../../../src/server/redis/session';
import { MemoryStore } from '../../../src/server/engine/store';
import { Random } from '../command-sequences';
import { PASSWORD, RedisCommandWriter } from './command-streams';
import { redisBinary, startRedis, type RedisProcess } from './redis-process';
import { respRequest } from './redis-talk';

/**
 * Random streams of commands, replayed against a real Redis and against a session: the answers must be equal.
 * `REDIS_DIFFERENTIAL_RUNS` sets how many, `REDIS_DIFFERENTIAL_SEED` where they begin.
 */
const RUNS = Number(process.env['REDIS_DIFFERENTIAL_RUNS'] ?? 2000);
const FIRST_SEED = Number(process.env['REDIS_DIFFERENTIAL_SEED'] ?? 1);

// Other versions have other words and options.
const describeWithRedis = (redisBinary()?.version.startsWith('7.0.') === true ? describe : describe.skip).each([
  ['', []],
  [' that want a password', [{ username: 'default', password: PASSWORD }]],
]);

/** The one answer that depends on the connection. */
function normalise(answer: string): string {
  return answer.replace(/(\$2\r\nid\r\n):\d+/g, '$1:1');
}

describeWithRedis('Redis 7.0 (skipped where it is not installed) and a session%s', (_, auth) => {
  let redis: RedisProcess;
  /** Empties Redis, and its answer: the connection then is as any other. */
  const empty = auth.length > 0 ? `AUTH ${PASSWORD}\r\nFLUSHALL\r\nRESET\r\n` : 'FLUSHALL\r\n';
  const emptied = auth.length > 0 ? '+OK\r\n+OK\r\n+RESET\r\n' : '+OK\r\n';

  beforeAll(async () => {
    redis = await startRedis(auth[0]?.password);
  });

  afterAll(() => redis.stop());

  /** What Redis answers to `stream` on a new connection, up to its end. */
  function theirs(stream: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(redis.port, '127.0.0.1').setEncoding('latin1');
      let answer = '';
      socket.on('data', (text: string) => (answer += text));
      socket.on('close', () => {
        resolve(normalise(answer));
      });
      socket.on('error', reject);
      socket.end(stream, 'latin1');
    });
  }

  function ours(stream: string, random: Random): string {
    let answer = '';
    const output = {
      write: (data: string | Uint8Array): void => {
        answer += typeof data === 'string' ? data : Buffer.from(data).toString('latin1');
      },
      end: (): void => undefined,
    };
    const store = new MemoryStore();
    const session = new RedisSession(new RedisContext({ store, auth }), output);
    const bytes = Buffer.from(stream, 'latin1');
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(bytes.length, at + 1 + random.below(random.pick([3, 50, 5000])));
      session.push(bytes, at, end);
      at = end;
    }
    store.close();
    return normalise(answer);
  }

  it(`answer ${RUNS} streams alike`, async () => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS; seed++) {
      const random = new Random(seed);
      const commands = new RedisCommandWriter(random);
      let stream = '';
      for (let left = 1 + random.below(30); left > 0; left--) stream += commands.request(commands.next());
      const expected = await theirs(`${empty}${stream}`);
      expect({ seed, stream, answer: emptied + ours(stream, random) }).toEqual({ seed, stream, answer: expected });
    }
  });

  it('answer damaged streams alike', async () => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS / 4; seed++) {
      const random = new Random(seed);
      const commands = new RedisCommandWriter(random);
      let stream = '';
      for (let left = 1 + random.below(5); left > 0; left--) stream += commands.request(commands.next());
      for (let left = 1 + random.below(3); left > 0; left--) {
        const at = random.below(stream.length);
        // A line end that is torn apart is read differently, and ends in one error or another.
        if (/[\r\n]/.test(stream.charAt(at))) continue;
        const piece = random.pick(['', 'x', '-', '9', '0', '*', '$', '"', "'", '\r\n', '*1\r\n', '$-1\r\n', '*-1\r\n']);
        stream = stream.slice(0, at) + piece + stream.slice(at + random.below(2));
      }
      // Redis looks no further than a NUL for the end of a line, and would wait.
      stream = stream.replaceAll('\0', '!');
      const expected = await theirs(`${empty}${stream}`);
      const answer = emptied + ours(stream, random);
      // Damage can make keys that are refused here, and of ASYNC a command that Redis has.
      if (!/keys have 1 to|'SYNC'/.test(answer)) expect({ seed, stream, answer }).toEqual({ seed, stream, answer: expected });
    }
  });

  it('match keys alike', async () => {
    const alphabet = Array.from('abc*?[]^-\\*');
    const random = new Random(FIRST_SEED);
    let stream = `AUTH ${PASSWORD}\r\nFLUSHALL\r\n`;
    for (let left = RUNS; left > 0; left--) {
      const text = (length: number): string => Array.from({ length }, () => random.pick(alphabet)).join('');
      const key = text(1 + random.below(4));
      stream += respRequest('SET', key, '1') + respRequest('KEYS', text(random.below(7))) + respRequest('DEL', key);
    }
    expect(ours(stream, random)).toBe(await theirs(stream));
  });
});
