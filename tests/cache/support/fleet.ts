import { Client, MemcacheConnectError, MemcacheTimeoutError, type Command, type ExecuteOptions, type Executor } from '../../../src';
import { ReadThroughCache, type CacheOptions, type EntryOptions, type LoadContext } from '../../../src/cache';
import { EmbeddedClient, MemoryStore } from '../../../src/embedded';
import type { CacheValue } from '../../../src/serde';
import { SeededRandom } from '../../support/seeded-random';
import { SimulatedClock } from '../../support/simulated-clock';

/** The way from a process to the cache, which may be cut. */
export class Line implements Executor {
  readonly #next: Executor;
  readonly #clock: SimulatedClock;
  state: 'up' | 'down' | 'blackHole' | 'dead' = 'up';
  get #isDead(): boolean {
    return this.state === 'dead';
  }

  /** Milliseconds that an answer takes. */
  delay = 0;
  /** What was sent. */
  readonly sent: string[] = [];
  /** Told of each command before it is sent; what it returns is awaited first. */
  onCommand: (command: Command<unknown>) => void | Promise<void> = () => undefined;

  constructor(next: Executor, clock: SimulatedClock) {
    this.#next = next;
    this.#clock = clock;
  }

  async execute<R>(command: Command<R>, options?: ExecuteOptions): Promise<R> {
    this.sent.push(command.verb);
    if (this.state === 'dead') return new Promise<R>(() => undefined);
    if (this.state === 'down') throw new MemcacheConnectError('nobody is there', { server: 'embedded', command: command.verb });
    if (this.state === 'blackHole') {
      await this.#clock.sleep(1000);
      throw new MemcacheTimeoutError('no answer', { server: 'embedded', command: command.verb, certainty: 'maybeExecuted' });
    }
    const wait = this.onCommand(command);
    const result = this.#next.execute(command, options);
    if (wait !== undefined) {
      result.catch(() => undefined);
      await wait;
    }
    if (this.delay > 0) {
      result.catch(() => undefined);
      await this.#clock.sleep(this.delay);
    }
    const value = await result;
    return this.#isDead ? new Promise<R>(() => undefined) : value;
  }

  close(): Promise<void> {
    return this.#next.close();
  }
}

/** One process of a fleet. */
export class Process {
  readonly client: Client;
  readonly line: Line;
  readonly cache: ReadThroughCache;
  readonly name: string;
  dead = false;
  readonly #database: Database;

  constructor(name: string, store: MemoryStore, clock: SimulatedClock, database: Database, options: CacheOptions, seed: number, around?: (client: Client) => Client) {
    this.name = name;
    this.#database = database;
    const embedded = new EmbeddedClient(store, { clock });
    this.line = new Line(embedded.executor, clock);
    this.client = around?.(new Client(this.line, embedded.options)) ?? new Client(this.line, embedded.options);
    const random = new SeededRandom(seed);
    this.cache = new ReadThroughCache(this.client, { clock, random: () => random.next(), ...options });
  }

  /** Reads through the fleet's database. */
  get(key: string, options?: EntryOptions<CacheValue>): Promise<CacheValue | undefined> {
    return this.cache.get<CacheValue>(key, (context) => this.#database.load(key, this, context), options);
  }

  /** What was under way stays under way for ever. */
  crash(): void {
    this.dead = true;
    this.line.state = 'dead';
  }
}

/** What values are made of, and how often they were asked for. */
export class Database {
  readonly #clock: SimulatedClock;
  /** Milliseconds that a load takes. */
  duration: number;
  loads = 0;
  atOnce = 0;
  mostAtOnce = 0;
  readonly startedAt: number[] = [];
  readonly versions = new Map<string, number>();
  /** Told when a load begins (1) and ends (-1). */
  onLoad: (key: string, process: string, change: 1 | -1) => void = () => undefined;
  /** What a load gives: by default the version of its key as it was when it began. */
  value: (key: string, version: number, load: number, context: LoadContext<CacheValue>) => CacheValue | undefined = (key, version) => `${key}@${version}`;

  constructor(clock: SimulatedClock, duration: number) {
    this.#clock = clock;
    this.duration = duration;
  }

  write(key: string): number {
    const version = (this.versions.get(key) ?? 0) + 1;
    this.versions.set(key, version);
    return version;
  }

  async load(key: string, process: { readonly dead: boolean; readonly name: string }, context: LoadContext<CacheValue>): Promise<CacheValue> {
    const load = ++this.loads;
    this.startedAt.push(this.#clock.now());
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.atOnce);
    this.onLoad(key, process.name, 1);
    const version = this.versions.get(key) ?? 0;
    try {
      if (this.duration > 0) await this.#clock.sleep(this.duration);
    } finally {
      this.atOnce--;
      this.onLoad(key, process.name, -1);
    }
    if (process.dead) return new Promise<CacheValue>(() => undefined);
    return this.value(key, version, load, context) as CacheValue;
  }
}

/** Several processes over one store, in simulated time. */
export class Fleet {
  readonly clock: SimulatedClock;
  readonly store: MemoryStore;
  readonly database: Database;
  readonly processes: Process[];
  readonly #options: CacheOptions;
  readonly #around: ((client: Client) => Client) | undefined;
  #seed: number;

  constructor(processes: number, duration: number, options: CacheOptions = {}, around?: (client: Client) => Client, seed = 1) {
    this.#seed = seed;
    this.clock = new SimulatedClock();
    this.store = new MemoryStore({ clock: this.clock });
    this.database = new Database(this.clock, duration);
    this.#options = options;
    this.#around = around;
    this.processes = Array.from({ length: processes }, (_, i) => this.process(`p${i}`));
  }

  process(name: string): Process {
    return new Process(name, this.store, this.clock, this.database, this.#options, this.#seed++, this.#around);
  }

  /** That many calls in each process, all at once: their values, and how long each took. */
  async herd(calls: number, key: string | ((call: number) => string), options?: EntryOptions<CacheValue>): Promise<{ values: unknown[]; times: number[] }> {
    const times: number[] = [];
    const started = this.clock.now();
    const all = this.processes.flatMap((process) =>
      Array.from({ length: calls }, async (_, i) => {
        const value = await process.get(typeof key === 'string' ? key : key(i), options);
        times.push(this.clock.now() - started);
        return value;
      }),
    );
    const values = await this.clock.until(Promise.all(all));
    return { values, times };
  }

  /** While all load the key, the last process sets it; a while later both are done. */
  async setDuringLoad(key: string): Promise<void> {
    const herd = this.herd(1, key);
    await this.clock.pass(100);
    await this.clock.until(this.processes.at(-1)!.cache.set(key, 'set'));
    await herd;
    await this.clock.pass(100);
  }

  /** The server loses everything. */
  flush(): void {
    for (const { key } of [...this.store.items()]) this.store.delete(key);
  }

  /** The sum of a counter over all processes. */
  count(name: keyof ReturnType<ReadThroughCache['stats']>): number {
    return this.processes.reduce((sum, { cache }) => sum + cache.stats()[name], 0);
  }
}
