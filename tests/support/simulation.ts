import type { Connect, Transport, TransportHandler } from '../../src/client/wire/transport';
import type { Clock } from '../../src/runtime/clock';
import { ServerContext, Session } from '../../src/server';
import { SeededRandom } from './seeded-random';
import { SimulatedClock } from './simulated-clock';
import { ToxicStream, type Step, type Toxic } from './toxics';
import { WireParser, type WireCommand } from './wire-parser';

/** How a network misbehaves. */
export interface NetworkOptions {
  readonly seed: number;
  /** The toxics that connections may have; each connection has one at the most. */
  readonly toxics: readonly Toxic[];
  /** The part of the connections that have one. @default 0.5 */
  readonly toxicity?: number;
  /** Whether connections end after some answers. @default true */
  readonly mortal?: boolean;
  /** How often a connection cannot be made. @default 0.05 */
  readonly refusals?: number;
  /** How often what a client has written arrives in two pieces, some time apart. @default 0 */
  readonly splits?: number;
}

/** Servers and the way to them, without sockets: a real session each, behind toxics. */
export class SimulatedNetwork {
  readonly clock = new SimulatedClock();
  readonly random: SeededRandom;
  readonly options: NetworkOptions;
  readonly servers = new Map<string, SimulatedServer>();
  /** How often each toxic has struck. */
  readonly strikes = new Map<string, number>();
  /** Commands that no client may ever have sent. */
  readonly violations: unknown[] = [];
  opened = 0;

  constructor(options: NetworkOptions) {
    this.options = options;
    this.random = new SeededRandom(options.seed);
  }

  /** The option `connect` of clients. */
  readonly connect: Connect = (address, _options, handler) => {
    this.opened++;
    const server = this.server(address.name);
    const transport = new SimulatedTransport(this, server, handler);
    server.transports.add(transport);
    return transport;
  };

  server(name: string): SimulatedServer {
    let server = this.servers.get(name);
    if (server === undefined) this.servers.set(name, (server = new SimulatedServer(this.clock)));
    return server;
  }

  /** Breaks all connections to a server. */
  breakConnections(name: string): void {
    for (const transport of this.server(name).transports) transport.break();
  }

  strike(what: string): void {
    this.strikes.set(what, (this.strikes.get(what) ?? 0) + 1);
  }
}

/** A server as the simulation knows it: what it holds, what it has executed, and whether it can be reached. */
export class SimulatedServer {
  readonly context: ServerContext;
  /** The connections that are open. */
  readonly transports = new Set<SimulatedTransport>();
  state: 'up' | 'refusing' | 'blackHole' = 'up';
  /** Called with each connection that was made. */
  onConnection: () => void = () => undefined;
  /** Called with each command that was executed. */
  onCommand: (command: WireCommand) => void = () => undefined;

  constructor(clock: Clock) {
    this.context = new ServerContext({ clock, maxBytes: 256 * 1024 * 1024 });
  }
}

class SimulatedTransport implements Transport {
  readonly #network: SimulatedNetwork;
  readonly #server: SimulatedServer;
  readonly #handler: TransportHandler;
  readonly #random: SeededRandom;
  readonly #toxics: ToxicStream;
  readonly #session: Session;
  readonly #parser: WireParser;
  readonly #latency: number;
  /** After this many answers it is closed: others get their turn. */
  #life: number;
  #outgoing: string[] = [];
  #onTheWay = 0;
  #answer: Buffer[] = [];
  /** When what was sent last arrives: bytes do not overtake each other. */
  #arrival = 0;
  #closed = false;

  constructor(network: SimulatedNetwork, server: SimulatedServer, handler: TransportHandler) {
    const { random, options, clock } = network;
    this.#network = network;
    this.#server = server;
    this.#handler = handler;
    this.#random = random.fork();
    this.#latency = 0.1 + this.#random.next() * 2;
    this.#life = options.mortal === false ? Infinity : 5 + this.#random.below(60);
    const toxic = this.#random.chance(options.toxicity ?? 0.5) && options.toxics.length > 0 ? this.#random.pick(options.toxics) : undefined;
    this.#toxics = new ToxicStream(toxic, this.#random);
    this.#parser = new WireParser((command) => server.onCommand(command));
    this.#session = new Session(server.context, {
      write: (data) => this.#answer.push(typeof data === 'string' ? Buffer.from(data, 'latin1') : Buffer.from(data)),
      end: () => {
        this.#close(undefined);
      },
    });
    if (server.state === 'refusing' || this.#random.chance(options.refusals ?? 0.05)) {
      network.strike('refused');
      this.#later(this.#latency, () => {
        this.#close(new Error('ECONNREFUSED'));
      });
    } else if (server.state === 'up') {
      clock.at(clock.now() + this.#latency, () => {
        if (this.#closed) return;
        server.onConnection();
        handler.onOpen();
      });
    }
  }

  get backlog(): number {
    return this.#onTheWay;
  }

  write(data: string | Uint8Array): void {
    const text = typeof data === 'string' ? data : Buffer.from(data).toString('latin1');
    this.#onTheWay += text.length;
    this.#outgoing.push(text);
    if (this.#outgoing.length === 1) this.#arriveLater(this.#latency);
  }

  #arriveLater(delay: number): void {
    this.#later(delay, () => {
      this.#arrive();
      this.#handler.onDrain();
    });
  }

  /** What was written arrives, and is answered. */
  #arrive(): void {
    const all = this.#outgoing.join('');
    const { splits = 0 } = this.#network.options;
    const isSplit = splits > 0 && all.length > 1 && this.#random.chance(splits);
    const now = isSplit ? all.slice(0, 1 + this.#random.below(all.length - 1)) : all;
    this.#outgoing = isSplit ? [all.slice(now.length)] : [];
    this.#onTheWay = all.length - now.length;
    if (this.#server.state !== 'up') return;
    if (isSplit) this.#arriveLater(this.#random.below(30));
    this.#execute(now);
    const answer = Buffer.concat(this.#answer);
    this.#answer = [];
    if (answer.length > 0) this.#reply(answer);
  }

  #execute(text: string): void {
    try {
      this.#parser.push(text);
    } catch (error) {
      this.#network.violations.push(error);
    }
    const bytes = Buffer.from(text, 'latin1');
    this.#session.push(bytes, 0, bytes.length);
  }

  #reply(answer: Buffer): void {
    const before = this.#toxics.strikes;
    const steps = this.#toxics.pass(answer);
    for (let i = before; i < this.#toxics.strikes; i++) this.#network.strike(this.#toxics.toxic ?? '');
    const { clock } = this.#network;
    let at = Math.max(clock.now() + this.#latency, this.#arrival);
    for (const step of joined(steps)) {
      if ('bytes' in step) {
        at += step.delay;
        const { bytes } = step;
        clock.at(at, () => {
          this.#deliver(bytes);
        });
      } else if (step.end !== 'hold') {
        const cause = step.end === 'rst' ? new Error('ECONNRESET') : undefined;
        clock.at(at, () => {
          this.#close(cause);
        });
      }
    }
    if (--this.#life === 0) {
      const cause = this.#random.chance(0.5) ? new Error('ECONNRESET') : undefined;
      clock.at(at, () => {
        this.#close(cause);
      });
    }
    this.#arrival = at;
  }

  /** As from a socket, the buffer is overwritten by the next read. */
  #deliver(bytes: Buffer): void {
    if (this.#closed) return;
    const shared = Buffer.from(bytes);
    this.#handler.onData(shared, shared.length);
    shared.fill('#');
  }

  #later(delay: number, callback: () => void): void {
    const { clock } = this.#network;
    clock.at(clock.now() + delay, () => {
      if (!this.#closed) callback();
    });
  }

  /** The way is cut. */
  break(): void {
    this.#arriveInPart();
    this.#close(new Error('ECONNRESET'));
  }

  #close(cause: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#server.transports.delete(this);
    this.#handler.onClose(cause);
  }

  cork(): void {
    // What is written in one tick arrives together anyhow.
  }

  uncork(): void {
    // See cork.
  }

  destroy(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#server.transports.delete(this);
    this.#arriveInPart();
    const { clock } = this.#network;
    clock.at(clock.now(), () => {
      this.#handler.onClose(undefined);
    });
  }

  /** What was on the way arrives, or some of it, or nothing; afterwards nothing of it will. */
  #arriveInPart(): void {
    const text = this.#outgoing.join('');
    this.#outgoing = [];
    if (text === '' || this.#server.state !== 'up' || this.#random.chance(0.3)) return;
    this.#execute(this.#random.chance(0.5) ? text : text.slice(0, this.#random.below(text.length)));
  }

  ref(): void {
    // Nothing here keeps a process alive.
  }

  unref(): void {
    // See ref.
  }
}

/** Neighbours without a delay between them are one read. */
function joined(steps: readonly Step[]): Step[] {
  const result: Step[] = [];
  let gathered: Buffer[] = [];
  const flush = (): void => {
    if (gathered.length > 0) result.push({ bytes: Buffer.concat(gathered), delay: 0 });
    gathered = [];
  };
  for (const step of steps) {
    if ('bytes' in step && step.delay === 0) {
      gathered.push(step.bytes);
      continue;
    }
    flush();
    result.push(step);
  }
  flush();
  return result;
}
