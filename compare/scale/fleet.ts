/**
 * Many processes and many servers in one, in virtual time. Each process is a real client of this package (its connections, health
 * checks, discovery), each connection a real session of the embedded server behind a delay of 0.1 to 2.1 ms; the sockets between
 * them are in memory, and the clock jumps from event to event. One seed, one course of events.
 */
import { ElastiCacheClient, HashClient, MemcacheError, type Client, type ElastiCacheClientOptions } from '../../src';
import type { Connect } from '../../src/client/wire/transport';
import type { SeededRandom } from '../../tests/support/seeded-random';
import { SimulatedNetwork, type SimulatedServer } from '../../tests/support/simulation';
import { Series } from './series';

export interface FleetOptions {
  readonly processes: number;
  readonly servers: number;
  readonly seed?: number | undefined;
  /** Whether random waits are random; otherwise each is as long as it can be, as in a client without them. @default true */
  readonly spread?: boolean | undefined;
  /** Options of the clients, beside the defaults. */
  readonly client?: ElastiCacheClientOptions | undefined;
  /** Makes the client of a process; by default a cluster client that asks the endpoint. */
  readonly make?: ((servers: readonly string[], options: ElastiCacheClientOptions) => Client) | undefined;
}

/** What becomes of calls. */
export interface Outcomes {
  readonly calls: Series;
  readonly misses: Series;
  readonly errors: Series;
  /** Errors by code. */
  readonly codes: Map<string, number>;
}

const ENDPOINT = 'endpoint:11211';
/** Calls and errors are counted by tenths of a second, connections by hundredths. */
const COARSE = 100;
const FINE = 10;

export class Fleet {
  readonly network: SimulatedNetwork;
  /** The names of the servers. */
  readonly servers: readonly string[];
  readonly clients: readonly Client[];
  /** Connections that were begun, by server. */
  readonly #attempts = new Map<string, Series>();
  readonly outcomes: Outcomes = { calls: new Series(COARSE), misses: new Series(COARSE), errors: new Series(COARSE), codes: new Map() };
  readonly #random: SeededRandom;
  #over = false;

  constructor({ processes, servers, seed = 1, spread = true, client = {}, make = (_, options) => new ElastiCacheClient(ENDPOINT, options) }: FleetOptions) {
    this.network = new SimulatedNetwork({ seed, toxics: [], toxicity: 0, refusals: 0, mortal: false });
    const { clock, random } = this.network;
    this.#random = random.fork();
    const nodes = Array.from({ length: servers }, (_, i) => ({ host: `server-${i}`, ip: `10.0.${i >> 8}.${i & 255}`, port: 11211 }));
    this.servers = nodes.map(({ ip, port }) => `${ip}:${port}`);
    this.server(ENDPOINT).context.cluster = { version: 1, nodes };
    this.clients = Array.from({ length: processes }, () => {
      const own = random.fork();
      return make(this.servers, { clock, connect: this.#connect, random: spread ? own.next : () => 1, ...client });
    });
  }

  get now(): number {
    return this.network.clock.now();
  }

  server(name: string): SimulatedServer {
    return this.network.server(name);
  }

  /** The first server: the one that things happen to. */
  get watched(): string {
    return this.servers[0] ?? '';
  }

  /** When connections to a server were begun, in hundredths of a second. */
  attempts(name: string): Series {
    let series = this.#attempts.get(name);
    if (series === undefined) this.#attempts.set(name, (series = new Series(FINE)));
    return series;
  }

  /** The same for the endpoint: each look at the list is one connection. */
  get looks(): Series {
    return this.attempts(ENDPOINT);
  }

  readonly #connect: Connect = (address, options, handler) => {
    this.attempts(address.name).add(this.now);
    return this.network.connect(address, options, handler);
  };

  /** All processes start within this many milliseconds, and each opens a connection to every server. */
  async start(within: number): Promise<void> {
    for (const client of this.clients) {
      void this.network.clock.setTimeout(() => void client.version().catch(() => undefined), this.#random.next() * within);
    }
    await this.pass(within + 1000);
  }

  /** Lets time pass. */
  async pass(milliseconds: number): Promise<void> {
    const { clock } = this.network;
    let reached = false;
    clock.at(clock.now() + milliseconds, () => {
      reached = true;
    });
    await clock.run(() => reached);
  }

  /** This many keys of a server. */
  keysOf(name: string, count: number): string[] {
    const [client] = this.clients;
    const keys: string[] = [];
    for (let i = 0; keys.length < count && i < 1_000_000; i++) {
      if (!(client instanceof HashClient) || client.serverFor(`key:${i}`) === name) keys.push(`key:${i}`);
    }
    return keys;
  }

  /** Stores what is read later. */
  async fill(keys: readonly string[]): Promise<void> {
    const stored = this.clients[0]?.setMany(keys.map((key): [string, string] => [key, 'value']));
    await this.pass(1000);
    await stored;
  }

  /**
   * From now on each process reads one of the keys this many times a second, at random times, whether it has the answers to those
   * before or not. What is missing it stores, as programs do that have asked their database.
   */
  load(keys: readonly string[], perSecond: number): void {
    for (const client of this.clients) {
      const random = this.#random.fork();
      const next = (): void => {
        void this.network.clock.setTimeout(
          () => {
            if (this.#over) return;
            void this.#read(client, random.pick(keys));
            next();
          },
          (-Math.log(1 - random.next()) * 1000) / perSecond,
        );
      };
      next();
    }
  }

  async #read(client: Client, key: string): Promise<void> {
    const { calls, misses, errors, codes } = this.outcomes;
    calls.add(this.now);
    try {
      if ((await client.get(key)) !== undefined) return;
      misses.add(this.now);
      await client.set(key, 'value');
    } catch (error) {
      errors.add(this.now);
      const code = error instanceof MemcacheError ? error.code : String(error);
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
  }

  /** A server goes: its connections break, and new ones are refused. */
  kill(name: string): void {
    this.server(name).state = 'refusing';
    this.network.breakConnections(name);
  }

  /** A server stops: nothing that is sent to it is answered. */
  silence(name: string): void {
    this.server(name).state = 'blackHole';
  }

  /** A server is there again, as empty as a new one. */
  revive(name: string): void {
    const server = this.server(name);
    const { store } = server.context;
    for (const { key } of [...store.items()]) store.delete(key);
    server.state = 'up';
  }

  /** In how many processes a server is in this state. */
  count(name: string, state: 'healthy' | 'failing' | 'dead'): number {
    return this.clients.filter((client) => client instanceof HashClient && client.servers().some((server) => server.name === name && server.state === state)).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over = true;
    const closed = Promise.all(this.clients.map((client) => client.close()));
    await this.pass(5000);
    await closed;
    for (const { context } of this.network.servers.values()) context.close();
  }
}
