import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Session } from '../../src/server/memcached/session';
import { ServerContext } from '../../src/server/memcached/commands/context';
import { memcachedBinary, startMemcached, type MemcachedProcess } from '../support/memcached';
import { CommandWriter, Random } from '../server/command-sequences';
import { fromEnvironment, report } from './report';

/** Random sequences of commands, replayed against a real memcached and against a session: the answers must be equal. */
const RUNS = fromEnvironment('RELIABILITY_SEQUENCES', 50_000);
const FIRST_SEED = fromEnvironment('RELIABILITY_SEED', 1);

/** Ends what a broken block may have left open, so that the mark behind it is read as a command. */
const REALIGN = '\r\n'.repeat(4);

/** A session and what it has answered. */
class Recorder {
  readonly session: Session;
  readonly context = new ServerContext();
  #answer = '';

  constructor() {
    this.session = new Session(this.context, {
      write: (data) => {
        this.#answer += typeof data === 'string' ? data : Buffer.from(data).toString('latin1');
      },
      end: () => undefined,
    });
  }

  push(text: string): void {
    const bytes = Buffer.from(text, 'latin1');
    this.session.push(bytes, 0, bytes.length);
  }

  take(): string {
    const answer = this.#answer;
    this.#answer = '';
    return answer;
  }
}

/** A connection to the real server. */
class Peer {
  readonly #socket: Socket;
  #received = '';
  #wake: () => void = () => undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true).setEncoding('latin1');
    socket.on('data', (text: string) => {
      this.#received += text;
      this.#wake();
    });
    socket.on('close', () => {
      this.#received += '<closed>';
      this.#wake();
    });
  }

  /** Sends `text`, and reads until the answer ends with `mark`. */
  async ask(text: string, mark: string): Promise<string> {
    this.#received = '';
    this.#socket.write(text, 'latin1');
    while (!this.#received.endsWith(mark)) {
      if (this.#received.endsWith('<closed>')) throw new Error(`closed after ${this.#received}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#received;
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** What depends on when the second turns: seconds may differ by two. */
const SECONDS = /(?<=^(?:HD|VA|ME) [^\r]*)\b(?:t|l|exp=|la=)\d+/gm;

function normalise(answer: string): { text: string; seconds: number[] } {
  const seconds: number[] = [];
  const text = answer.replace(SECONDS, (token) => {
    seconds.push(Number(/\d+/.exec(token)?.[0]));
    return token.replace(/\d+/, '#');
  });
  return { text, seconds };
}

function expectAlike(ours: string, theirs: string): void {
  if (ours === theirs) return;
  const left = normalise(ours);
  const right = normalise(theirs);
  expect(left.text).toBe(right.text);
  for (const [index, seconds] of left.seconds.entries()) {
    expect(Math.abs(seconds - (right.seconds[index] ?? NaN))).toBeLessThanOrEqual(2);
  }
}

/** Of the statistics those that do not depend on when memcached's background threads run. */
const COUNTED = /^STAT (?:cmd_|get_(?:hits|misses)|delete_|incr_|decr_|cas_|touch_|store_too_large)\S* \d+$/gm;

/** The embedded server speaks as today's memcached; tests/server/transcripts.test.ts compares with older ones. */
function isOfToday(): boolean {
  const binary = memcachedBinary();
  if (binary === undefined) return false;
  const [, minor = 0, patch = 0] = /(\d+)\.(\d+)(?=\D*$)/.exec(spawnSync(binary, ['-V'], { encoding: 'utf8' }).stdout)?.map(Number) ?? [];
  return minor > 6 || (minor === 6 && patch >= 40);
}

(isOfToday() ? describe : describe.skip)('a session beside a real memcached, 1.6.40 or later', () => {
  let memcached: MemcachedProcess;
  let peer: Peer;

  beforeAll(async () => {
    memcached = await startMemcached(['-t', '1']);
    const socket = connect(memcached.port, '127.0.0.1');
    await once(socket, 'connect');
    peer = new Peer(socket);
  });

  afterAll(async () => {
    peer.close();
    await memcached.stop();
  });

  it(`answers ${RUNS} random sequences alike`, async () => {
    const whole = new Recorder();
    const split = new Recorder();
    for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS; seed++) {
      const random = new Random(seed);
      const writer = new CommandWriter(random, (key) => Number(whole.context.store.find(key)?.cas ?? 1));
      const mark = `kend-of-${seed} W\r\n`;
      let sent = 'flush_all\r\n';
      whole.push(sent);
      for (let left = 1 + random.below(12); left > 0; left--) {
        const command = writer.next();
        whole.push(command);
        sent += command;
      }
      // Ends the answer, and shows whether both have given out as many cas numbers.
      const end = `${REALIGN}mg end-of-${seed} N-1 c k\r\n`;
      whole.push(end);
      sent += end;
      for (let at = 0; at < sent.length; ) {
        const size = 1 + random.below(random.pick([2, 20, 200, 20_000]));
        split.push(sent.slice(at, at + size));
        at += size;
      }
      const answer = whole.take();
      try {
        expect(split.take()).toBe(answer);
        expectAlike(answer, await peer.ask(sent, mark));
        if (seed % 20 !== 0) continue;
        whole.push('stats\r\n');
        expect(whole.take().match(COUNTED)).toEqual((await peer.ask('stats\r\n', 'END\r\n')).match(COUNTED));
      } catch (error) {
        throw new Error(`sequence ${seed}: ${JSON.stringify(sent)}`, { cause: error });
      }
    }
    report({ goal: 'G24', claim: 'Random command sequences answered as memcached answers them', seed: FIRST_SEED, n: RUNS, value: 0, limit: 0, pass: true });
  }, 3_600_000);
});
