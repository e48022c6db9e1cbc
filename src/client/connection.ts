import { MemcacheOverloadedError, type MemcacheError } from '../errors';
import { rejected } from './abort';
import { startCall, type Call } from './call';
import { connectionSettings, type ConnectionOptions, type ConnectionSettings } from './client-options';
import { Closings } from './closing';
import type { Command } from './command';
import type { ExecuteOptions, Executor, Monitor } from './executor';
import { ServerMeter } from './meter';
import { nextClientId, overloads } from './observe';
import type { ServerAddress, ServerInput } from './server-address';
import { SilentConnections } from './wire/silent';
import { Wire, type Gathering, type WireOwner } from './wire/wire';

/**
 * How long each key has a line of its own after an error has broken a reply for several keys, in milliseconds. A proxy with a
 * dead server answers every such line in that way, and each costs the connection. The option `proxy: true` avoids even the
 * first one.
 */
const SEPARATELY_FOR = 60_000;

/** Is told what happens to a {@link Connection}: a pool that lends it, a cluster that watches its server's health. */
export interface ConnectionObserver {
  /** Counts what happens to the server; one of its own by default. */
  readonly meter?: ServerMeter | undefined;
  /** Takes those that fall silent; the observer ends them when it is closed. One of its own by default. */
  readonly silent?: SilentConnections | undefined;
  /** Nothing is awaited any more. */
  onIdle?(): void;
  /**
   * The connection could not be made, or was lost while something was awaited: once per connection, however many calls it had.
   *
   * @param heard whether the server has sent anything over it
   */
  onTrouble?(failure: MemcacheError, heard: boolean): void;
  /**
   * Offers calls that were certainly not executed, since the connection never worked; returns whether the observer takes them.
   *
   * @param noPlace whether the server has said that the connection is beyond its limit
   */
  takeBack?(calls: readonly Call<unknown>[], noPlace: boolean): boolean;
}

/**
 * A server that is reached over one connection at a time. It opens with the first call, carries any number of calls at
 * once, and opens anew with the next call after it was lost.
 */
export class Connection implements Executor {
  readonly #settings: ConnectionSettings;
  readonly #owner: WireOwner;
  #wire: Wire | undefined;
  /** That one, and those that only let their calls finish. */
  readonly #wires = new Set<Wire>();
  readonly #closings = new Closings();
  /** Those that fell silent, unless it is one of a pool, which then ends them. */
  readonly #silent: SilentConnections | undefined;
  readonly meter: ServerMeter;
  readonly monitor: Monitor;

  /** @throws MemcacheIllegalInputError naming the option or the part of the address that is not legal */
  constructor(server: ServerInput | ServerAddress, options: ConnectionOptions = {}, observer: ConnectionObserver = {}, gathering?: Gathering) {
    this.#settings = connectionSettings(server, options);
    let separatelyUntil = 0;
    const { clock, proxy } = this.#settings;
    this.meter = observer.meter ?? new ServerMeter(this.server, nextClientId());
    this.monitor = monitorOf(this.meter, () => this.pending);
    this.#owner = {
      meter: this.meter,
      gathering,
      silent: observer.silent ?? (this.#silent = new SilentConnections(clock)),
      get separately() {
        return proxy || (separatelyUntil > 0 && clock.now() < separatelyUntil);
      },
      onBrokenReply: () => {
        separatelyUntil = clock.now() + SEPARATELY_FOR;
      },
      takeBack: (calls, noPlace) => observer.takeBack?.(calls, noPlace),
      onIdle: () => observer.onIdle?.(),
      onEnd: (wire, unsent, failure) => {
        this.#wires.delete(wire);
        // Closed meanwhile, and not used again.
        const isClosed = this.#wire === undefined;
        if (this.#wire === wire) this.#wire = undefined;
        // No byte of these was sent: the next connection takes them. First, as who hears of the trouble may close it.
        if (wire.isHeard || unsent.length === 0 || !observer.takeBack?.(unsent, false)) for (const call of unsent) this.add(call);
        const closing = isClosed && this.#retire();
        if (failure !== undefined) observer.onTrouble?.(failure, wire.isHeard);
        if (this.pending === 0) observer.onIdle?.();
        return closing;
      },
    };
  }

  /** The server's name: `host:port`, or the path of its socket. */
  get server(): string {
    return this.#settings.address.name;
  }

  /** How many calls are waiting for their reply, or to be sent, those that finish before a connection is closed among them. */
  get pending(): number {
    return pendingOf(this.#wires);
  }

  /** Whether there is a connection over which the server has sent something. */
  get isHeard(): boolean {
    return this.#wire?.isHeard === true;
  }

  execute<R>(command: Command<R>, options?: ExecuteOptions): Promise<R> {
    if (options?.signal?.aborted) return refusedByCaller(this.meter, command, options.signal);
    const { maxPending, timeout } = this.#settings;
    if ((this.#wire?.pending ?? 0) < maxPending) return startCall(this, command, options);
    const why = `${maxPending} calls are already waiting for ${this.server}; slow down, use getMany/setMany, or raise maxPending`;
    return overloaded(this.meter, command, maxPending, timeout, why);
  }

  /** Takes a call that was made elsewhere; `maxPending` does not apply. */
  add(call: Call<unknown>): void {
    if (this.#wire !== undefined) {
      this.#wire.add(call);
      return;
    }
    const wire = new Wire(this.#settings, this.#owner);
    this.#wires.add((this.#wire = wire));
    wire.add(call);
    wire.open();
  }

  /** To be called when a call was aborted: perhaps nothing is awaited any more. */
  readonly onWithdrawn = (): void => {
    for (const wire of this.#wires) wire.onWithdrawn();
  };

  close(): Promise<void> {
    this.#silent?.end(false);
    return this.#closings.add(this.#retire());
  }

  #retire(): Promise<unknown> | undefined {
    const wire = this.#wire;
    this.#wire = undefined;
    return wire?.retire();
  }
}

/** How many calls wait on all of them together. */
export function pendingOf(carriers: Iterable<{ readonly pending: number }>): number {
  let pending = 0;
  for (const carrier of carriers) pending += carrier.pending;
  return pending;
}

/** Refuses a call, since `pending` others wait. */
export function overloaded(meter: ServerMeter, command: Command<unknown>, pending: number, limitMs: number, message: string): Promise<never> {
  const { server, clientId } = meter;
  const { verb } = command;
  if (overloads.hasSubscribers) overloads.publish({ clientId, server, command: verb, pending, limitMs });
  return refused(meter, command, new MemcacheOverloadedError(message, { server, command: verb }));
}

/** Rejects a call before it is made, and counts it. */
export function refused(meter: ServerMeter, command: Command<unknown>, error: MemcacheError): Promise<never> {
  meter.fail(command, error);
  return rejected(error);
}

/** Rejects a call whose signal fired before it was made, and counts it. */
export function refusedByCaller(meter: ServerMeter, command: Command<unknown>, signal: AbortSignal): Promise<never> {
  meter.abort(command);
  return rejected(signal.reason);
}

/** The monitor of an executor for one server. */
export function monitorOf(meter: ServerMeter, pending: () => number): Monitor {
  const { clientId, server } = meter;
  return { clientId, server, metrics: () => new Map([[server, meter.snapshot(pending())]]) };
}
