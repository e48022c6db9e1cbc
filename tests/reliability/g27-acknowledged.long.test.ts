/**
 * One writer for each key makes one change after the other, others read. What a writer was told is compared with what readers get and
 * with what the servers executed, while connections break, replies are cut off, and requests arrive in part.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { CHANNELS, Client, HashClient, MemcacheError, PooledClient, RetryingClient, type Client as AnyClient, type ClientOptions } from '../../src';
import { ToldSerde, type Told } from '../support/oracle';
import type { SeededRandom } from '../support/seeded-random';
import { SimulatedNetwork } from '../support/simulation';
import { TRANSPORT_TOXICS } from '../support/toxics';
import { fromEnvironment, report } from './report';

const OPERATIONS = fromEnvironment('RELIABILITY_ACKNOWLEDGED', 90_000);
const PER_RUN = 2500;
const WRITERS = 10;
const READERS = 10;
const TIMEOUT = 500;
const SERVERS = ['a', 'b', 'c'];

type Make = (options: ClientOptions<Told>) => AnyClient<Told>;
const kinds: readonly (readonly [name: string, make: Make])[] = [
  ['Client', (options) => new Client('a', options)],
  ['Client that fails fast', (options) => new Client('a', { ...options, retryTimeout: 200 })],
  ['PooledClient', (options) => new PooledClient('a', { ...options, maxPoolSize: 3 })],
  // Where a server is never dead, no key moves to another, which may hold an older value.
  ['HashClient', (options) => new HashClient(SERVERS, { ...options, retryAttempts: 1_000_000, retryTimeout: 200 })],
  ['RetryingClient', (options) => new RetryingClient(new Client('a', options), { attempts: 3, retryDelay: 10 })],
  ['RetryingClient over pools', (options) => new RetryingClient(new PooledClient('a', { ...options, maxPoolSize: 3 }), { attempts: 3 })],
];

/** What a writer knows of its key. */
interface Writing {
  /** What was acknowledged last: its version, and whether the key was there then. */
  version: number;
  there: boolean;
  /** Whether a change is under way. */
  busy: boolean;
  /** Whether a change was made since then of which it is not known what became of it. */
  doubtful: boolean;
  /** When such a change ended last: over another connection it may arrive a little later. */
  doubtAt: number;
}

class Run {
  readonly wrong: string[] = [];
  operations = 0;
  hits = 0;
  failures = 0;
  readonly #network: SimulatedNetwork;
  readonly #client: AnyClient<Told>;
  readonly #writings = new Map<string, Writing>();
  readonly #arrived = new Set<number>();
  #increments = 0;
  readonly #counted = { surely: 0, perhaps: 0 };
  #version = 0;

  constructor(network: SimulatedNetwork, client: AnyClient<Told>) {
    this.#network = network;
    this.#client = client;
    for (const name of SERVERS) {
      network.server(`${name}:11211`).onCommand = ({ verb, data = '' }) => {
        if (verb === 'incr') this.#increments++;
        const version = /^key-\d+\|(\d+)\|/.exec(data)?.[1];
        if (version !== undefined) this.#arrived.add(Number(version));
      };
    }
  }

  get #now(): number {
    return this.#network.clock.now();
  }

  writing(key: string): Writing {
    let writing = this.#writings.get(key);
    if (writing === undefined) this.#writings.set(key, (writing = { version: 0, there: false, busy: false, doubtful: false, doubtAt: -Infinity }));
    return writing;
  }

  /** The result; undefined with an error, after a pause. */
  async #call<R>(run: () => Promise<R>, onError: (error: MemcacheError) => void = () => undefined): Promise<{ result: R } | undefined> {
    this.operations++;
    try {
      return { result: await run() };
    } catch (error) {
      if (!(error instanceof MemcacheError)) throw error;
      this.failures++;
      onError(error);
      await this.#network.clock.sleep(this.#network.random.pick([0, 1, 30]));
      return undefined;
    }
  }

  async write(id: number, random: SeededRandom): Promise<void> {
    const key = `key-${id + WRITERS * random.below(5)}`;
    const writing = this.writing(key);
    const value = { key, version: ++this.#version };
    const isDelete = random.chance(0.2);
    writing.busy = true;
    const told = await this.#call(
      () => (isDelete ? this.#client.delete(key) : random.chance(0.3) ? this.#client.metaSet(key, value).then(({ status }) => status === 'done') : this.#client.set(key, value)),
      ({ code, certainty }) => {
        if (!isDelete && certainty === 'notSent' && this.#arrived.has(value.version)) this.wrong.push(`${key} ${value.version} was not sent (${code}), and arrived`);
        if (certainty === 'notSent') return;
        writing.doubtful = true;
        writing.doubtAt = this.#now;
      },
    );
    writing.busy = false;
    if (told === undefined) return;
    if (!isDelete && !this.#arrived.has(value.version)) this.wrong.push(`${key} ${value.version} is stored, and did not arrive`);
    Object.assign(writing, { version: value.version, there: !isDelete, doubtful: false });
  }

  async read(key: string, random: SeededRandom): Promise<void> {
    const writing = this.writing(key);
    const before = { ...writing };
    const wasSure = !before.busy && this.#isSettled(writing);
    const read = await this.#call(async () => {
      switch (random.below(4)) {
        case 0:
          return (await this.#client.gets(key))[0];
        case 1:
          return (await this.#client.metaGet(key))?.value;
        case 2:
          return (await this.#client.getMany([key, 'key-0'])).get(key);
        default:
          return this.#client.get(key);
      }
    });
    if (read === undefined) return;
    const { result } = read;
    if (result !== undefined) this.hits++;
    if (result !== undefined && result.version < before.version && this.#isSettled(writing)) this.wrong.push(`${key} is ${result.version} after ${before.version}`);
    const isUnchanged = wasSure && !before.doubtful && !writing.busy && !writing.doubtful && writing.version === before.version;
    if (isUnchanged && result === undefined && before.there) this.wrong.push(`${key} ${before.version} is lost`);
    if (isUnchanged && result !== undefined && !before.there) this.wrong.push(`${key} is there, and was deleted`);
  }

  /** Whether nothing of a change that failed can be under way any more. */
  #isSettled({ doubtAt }: Writing): boolean {
    return this.#now - doubtAt > 100;
  }

  async count(): Promise<void> {
    const counted = this.#counted;
    const told = await this.#call(() => this.#client.incr('count'), ({ certainty }) => {
      if (certainty !== 'notSent') counted.perhaps++;
    });
    if (told !== undefined) counted.surely++;
  }

  check(): void {
    const { surely, perhaps } = this.#counted;
    if (this.#increments < surely || this.#increments > surely + perhaps) this.wrong.push(`${this.#increments} increments, of ${surely} and perhaps ${perhaps}`);
    for (const [server, metrics] of this.#client.metrics()) {
      const { calls, errors, hits, misses, stored, notStored, exists, ok, aborted, pending, connections } = metrics;
      const sum = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((all, count) => all + count, 0);
      const outcomes = hits + misses + stored + notStored + exists + ok + aborted + sum(errors);
      if (sum(calls) !== outcomes) this.wrong.push(`${server} counts ${sum(calls)} calls, and ${outcomes} outcomes`);
      if (pending !== 0 || connections !== 0) this.wrong.push(`${server} has ${pending} calls and ${connections} connections after close()`);
    }
    if (this.#network.clock.timers > 0) this.wrong.push(`${this.#network.clock.timers} timers are left`);
  }
}

async function simulate(seed: number, make: Make): Promise<Run> {
  const network = new SimulatedNetwork({ seed, toxics: TRANSPORT_TOXICS, toxicity: 0.4, refusals: 0.1, splits: 0.15 });
  const { clock, connect, random } = network;
  const client = make({ clock, connect, serde: new ToldSerde(), timeout: TIMEOUT, connectTimeout: 200 });
  const run = new Run(network, client);
  const worker = async (step: (own: SeededRandom) => Promise<void>): Promise<void> => {
    const own = random.fork();
    while (run.operations < PER_RUN) {
      await step(own);
      if (own.chance(0.05)) await clock.sleep(own.below(200));
    }
  };
  let running = WRITERS + READERS;
  for (let id = 0; id < WRITERS; id++) void worker((own) => run.write(id, own)).finally(() => running--);
  for (let id = 0; id < READERS; id++) {
    void worker((own) => (own.chance(0.1) ? run.count() : run.read(`key-${own.below(WRITERS * 5)}`, own))).finally(() => running--);
  }
  const trouble = random.fork();
  const breakNow = (): void => {
    if (running === 0) return;
    network.breakConnections(`${trouble.pick(SERVERS)}:11211`);
    // Those who have closed it go on with new connections.
    if (trouble.chance(0.2)) void client.close();
    clock.setTimeout(breakNow, trouble.below(400));
  };
  breakNow();
  if (!(await clock.run(() => running === 0))) run.wrong.push(`${running} callers wait for ever`);
  let isClosed = false;
  void client.close().finally(() => (isClosed = true));
  if (!(await clock.run(() => isClosed))) run.wrong.push('close() does not end');
  await clock.pass(10_000);
  run.check();
  for (const { context } of network.servers.values()) context.close();
  return run;
}

const seen = { operations: 0, hits: 0, failures: 0 };

it.each(kinds)('%s: what was acknowledged stays so', async (_, make) => {
  const open = new Set<unknown>();
  const ends: string[] = [];
  const onStart = (message: unknown): void => void open.add(message);
  const onEnd = (message: unknown): void => {
    if (!open.delete(message)) ends.push('an end without a start');
  };
  subscribe(`tracing:${CHANNELS.command}:start`, onStart);
  subscribe(`tracing:${CHANNELS.command}:asyncEnd`, onEnd);
  try {
    for (let seed = 1; seed <= OPERATIONS / PER_RUN / kinds.length; seed++) {
      const { wrong, operations, hits, failures } = await simulate(seed, make);
      expect({ seed, wrong, open: open.size, ends }).toEqual({ seed, wrong: [], open: 0, ends: [] });
      seen.operations += operations;
      seen.hits += hits;
      seen.failures += failures;
    }
  } finally {
    unsubscribe(`tracing:${CHANNELS.command}:start`, onStart);
    unsubscribe(`tracing:${CHANNELS.command}:asyncEnd`, onEnd);
  }
});

it('enough of them succeeded, and failed', () => {
  expect(seen.hits).toBeGreaterThan(seen.operations / 10);
  expect(seen.failures).toBeGreaterThan(seen.operations / 100);
  report({
    goal: 'G27',
    claim: 'What was acknowledged stays: no older value after it, none lost, no increment twice, every start with one end (simulated)',
    seed: 1,
    n: seen.operations,
    value: 0,
    limit: 0,
    pass: seen.operations >= OPERATIONS,
  });
});
