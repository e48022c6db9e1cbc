import {
  MemcacheConnectError,
  MemcacheError,
  MemcacheIllegalInputError,
  MemcacheNoServersError,
  MemcachePartialError,
  MemcacheUnknownCommandError,
} from '../errors';
import { Failures } from '../client/certainty';
import type { Command, KeyCommand, KeysCommand, ServerCommand } from '../client/command';
import { rejected } from '../client/abort';
import { Closings } from '../client/closing';
import type { ConnectionObserver } from '../client/connection';
import type { ExecuteOptions, Executor, Monitor } from '../client/executor';
import { ServerMeter } from '../client/meter';
import { nextClientId, serverLists, type ServerState } from '../client/observe';
import { keyText, type KeyPart } from '../protocol/key';
import type { Hasher } from './placement/hasher';
import { isSame, type Member } from './discovery/member';
import { Guard } from '../client/policies/fail-fast';
import { isServersFault, ServerHealth, type HealthSettings } from '../client/policies/server-health';

/** An executor for one server, and how many calls wait on it. */
export interface ServerExecutor extends Executor {
  readonly pending: number;
}

/** Opens the way to one server of a cluster. */
export type OpenServer = (member: Member, observer: ConnectionObserver) => ServerExecutor;

/** A server of a cluster, as `servers()` shows it. */
export interface ServerStatus {
  /** Its node name: `host:port`, or the path of its socket. */
  readonly name: string;
  /** Its share of the keys, relative to the others. */
  readonly weight: number;
  readonly state: ServerState;
  /** Failures since it was last healthy. */
  readonly failures: number;
  /** Milliseconds until it may be probed, which the next call after that does; 0 when it is healthy. */
  readonly nextProbe: number;
  /** Calls that wait for it. */
  readonly inFlight: number;
}

interface Node {
  readonly name: string;
  readonly member: Member;
  readonly meter: ServerMeter;
  readonly executor: ServerExecutor;
  /** Fails calls fast while the server is in trouble. */
  readonly guard: Guard;
}

/** Which cluster has a hasher, or had it last. */
const holders = new WeakMap<Hasher, HashRouter>();

/** The keys of a call that one server owns. */
interface Share {
  readonly node: Node;
  readonly place: number;
  readonly indices: number[];
}

/**
 * Sends each command to the server that owns its key, splits one for several keys among their owners, and sends a server
 * command to all servers at once.
 *
 * A server in trouble keeps its keys while it is failing, so that brief trouble does not scatter them; calls for it fail at
 * once. When it is dead its keys move to the others, until a probe is answered.
 */
export class HashRouter implements Executor {
  /** Undefined before {@link hold}, and when another cluster has it since. */
  #hasher: Hasher | undefined;
  readonly #open: OpenServer;
  readonly #health: HealthSettings;
  readonly #onTrouble: () => void;
  readonly #nodes = new Map<string, Node>();
  /** The meters of the servers, and of some that were removed: these continue when the server comes back. */
  readonly #meters = new Map<string, ServerMeter>();
  readonly monitor: Monitor = {
    clientId: nextClientId(),
    serverFor: (part) => this.serverFor(part),
    metrics: () => new Map(this.#all.map(({ name, meter, executor }) => [name, meter.snapshot(executor.pending)])),
  };
  /** How many servers are dead: these must be probed. */
  #dead = 0;
  /** Of servers that were removed. */
  readonly #closings = new Closings();

  /** Whether it was closed, so that another cluster may have its hasher. */
  #closed = false;

  /** @param onTrouble called whenever a server is in trouble */
  constructor(health: HealthSettings, open: OpenServer, onTrouble: () => void) {
    this.#health = health;
    this.#open = open;
    this.#onTrouble = onTrouble;
  }

  /**
   * Takes the hasher, which learns of the servers only now: to be called when all else of a client has been made. No other cluster may
   * have it until this one is closed.
   *
   * @throws MemcacheIllegalInputError when another cluster has it
   */
  hold(hasher: Hasher): void {
    const before = holders.get(hasher);
    if (before) {
      if (!before.#closed) throw new MemcacheIllegalInputError('hasher belongs to another client');
      // It leaves none of its servers there, and has none from now on.
      before.replace([]);
      before.#hasher = undefined;
    }
    holders.set(hasher, this);
    this.#hasher = hasher;
    for (const { name, member } of this.#all) hasher.addNode(name, member.weight);
  }

  execute<R>(command: Command<R>, options?: ExecuteOptions): Promise<R> {
    if (this.#dead > 0) this.#probeDead();
    switch (command.scope) {
      case 'key':
        return this.#toOwner(command, options);
      case 'keys':
        return this.#toOwners(command, options);
      case 'server':
        return this.#toAll(command, options);
    }
  }

  /**
   * Adds a server; it owns its share of the keys from now on.
   *
   * @throws MemcacheIllegalInputError when it is in the cluster already
   */
  add(member: Member): void {
    this.#add(member);
    this.#tell([member.name], []);
  }

  #add(member: Member): void {
    const { name, weight } = member;
    if (this.#nodes.has(name)) throw new MemcacheIllegalInputError(`server ${name} is in the cluster already`);
    const meter = this.#meterOf(name);
    const executor = this.#open(member, {
      meter,
      onTrouble: (failure) => {
        guard.onTrouble(failure);
        this.#onTrouble();
      },
    });
    const guard = new Guard(executor, new ServerHealth(this.#health), {
      meter,
      refusal: (message, _, options) => new MemcacheConnectError(message, options),
      onChange: (before) => {
        this.#onChange(node, before);
      },
    });
    const node: Node = { name, member, meter, executor, guard };
    this.#hasher?.addNode(name, weight);
    this.#nodes.set(name, node);
  }

  /**
   * Removes a server for good. Its calls in flight finish; the returned promise resolves after that.
   *
   * @throws MemcacheIllegalInputError when it is not in the cluster
   */
  remove(name: string): Promise<void> {
    const closed = this.#remove(name);
    this.#tell([], [name]);
    return closed;
  }

  #remove(name: string): Promise<void> {
    const node = this.#nodes.get(name);
    if (node === undefined) throw new MemcacheIllegalInputError(`server ${name} is not in the cluster`);
    this.#nodes.delete(name);
    if (node.guard.health.state === 'dead') this.#dead--;
    else this.#hasher?.removeNode(name);
    const closed = node.executor.close();
    void this.#closings.add(closed);
    return closed;
  }

  /** Makes these the servers of the cluster and no others; those that stay as they are keep their connections and their health. */
  replace(members: readonly Member[]): void {
    const wanted = new Map(members.map((member) => [member.name, member]));
    const before = new Set(this.#nodes.keys());
    const left: string[] = [];
    for (const [name, { member }] of this.#nodes) if (!isSame(member, wanted.get(name))) left.push(name);
    const addMissing = (): void => {
      for (const member of wanted.values()) if (!this.#nodes.has(member.name)) this.#add(member);
    };
    // New servers are added first, so that there is always a server to ask.
    addMissing();
    // Their calls under way finish in the background.
    for (const name of left) void this.#remove(name);
    // Those that have changed.
    addMissing();
    this.#tell([...wanted.keys()].filter((name) => !before.has(name)), left.filter((name) => !wanted.has(name)));
  }

  #meterOf(name: string): ServerMeter {
    const meter = this.#meters.get(name) ?? new ServerMeter(name, this.monitor.clientId);
    this.#meters.delete(name);
    this.#meters.set(name, meter);
    for (const old of this.#meters.keys()) {
      if (this.#meters.size > this.#nodes.size + MAX_REMEMBERED && !this.#nodes.has(old)) this.#meters.delete(old);
    }
    return meter;
  }

  #tell(added: readonly string[], removed: readonly string[]): void {
    if (!serverLists.hasSubscribers || added.length + removed.length === 0) return;
    serverLists.publish({ clientId: this.monitor.clientId, added, removed });
  }

  /** The name of the server that owns the key placed by `part`. */
  serverFor(part: KeyPart): string | undefined {
    return this.#hasher?.getNode(keyText(part), typeof part === 'string' ? undefined : part);
  }

  servers(): ServerStatus[] {
    return this.#all.map(({ name, member: { weight }, executor, guard: { health } }) => ({
      name,
      weight,
      state: health.state,
      failures: health.failures,
      nextProbe: health.untilNextProbe,
      inFlight: executor.pending,
    }));
  }

  async close(): Promise<void> {
    await Promise.all([this.#closings.add(undefined), ...this.#all.map(({ executor }) => executor.close())]);
    this.#closed = true;
  }

  get #all(): Node[] {
    return [...this.#nodes.values()];
  }

  #toOwner<R>(command: KeyCommand<R>, options: ExecuteOptions | undefined): Promise<R> {
    const node = this.#nodes.get(this.serverFor(command.routingPart) ?? '');
    return node === undefined ? rejected(this.#noServers(command, options)) : node.guard.execute(command, options);
  }

  #toOwners<R>(command: KeysCommand<R, unknown>, options: ExecuteOptions | undefined): Promise<R> {
    const shares = new Map<string | undefined, Share>();
    /** For each key, the index of its share. */
    const owners: number[] = [];
    let index = 0;
    for (const part of command.routingParts()) {
      const name = this.serverFor(part);
      let share = shares.get(name);
      if (share === undefined) {
        const node = this.#nodes.get(name ?? '');
        if (node === undefined) return this.#whenNotSent(command, this.#noServers(command, options));
        shares.set(name, (share = { node, place: shares.size, indices: [] }));
      }
      share.indices.push(index++);
      owners.push(share.place);
    }
    const all = [...shares.values()];
    const [only] = all;
    if (all.length === 1 && only !== undefined) return this.#sendPart(only.node, command, options);
    const several = ofSeveral(options);
    const parts = all.map(({ node, indices }) => this.#sendPart(node, command.pick(indices), several));
    return this.#gather(command, all.map(({ node }) => node), parts, (results, places) =>
      // Most calls have the results of all parts, each in its place.
      command.merge(results, results.length === parts.length ? owners : owners.map((owner) => places[owner] ?? -1)),
    );
  }

  #toAll<R>(command: ServerCommand<R>, options: ExecuteOptions | undefined): Promise<R> {
    const nodes = this.#all;
    if (nodes.length === 0) return rejected(this.#noServers(command, options));
    const several = nodes.length === 1 ? options : ofSeveral(options);
    const results = nodes.map(({ name, guard }) => guard.execute(command.to?.(name) ?? command, several));
    return this.#gather(command, nodes, results, (answers) => command.merge(answers));
  }

  #sendPart<R>(node: Node, command: KeysCommand<R, unknown>, options: ExecuteOptions | undefined): Promise<R> {
    return node.guard.execute(command, options).catch((error: unknown) => this.#whenNotSent(command, error));
  }

  /** The command's result for that case; rejects with the error if it has none, or if it was another case. */
  #whenNotSent<R>(command: KeysCommand<R, unknown>, error: unknown): Promise<R> {
    const isLost = error instanceof MemcacheError && error.certainty === 'notSent' && isServersFault(error);
    const result = isLost ? command.whenNotSent : undefined;
    return result === undefined ? rejected(error) : Promise.resolve(result);
  }

  /** @param merge is given the results, and for each part where its result is among them: -1 for one that failed and has none */
  async #gather<P, R>(command: Command<R>, nodes: Node[], parts: Promise<P>[], merge: (results: P[], places: number[]) => R): Promise<R> {
    const settled = await Promise.allSettled(parts);
    const results: P[] = [];
    const places: number[] = [];
    const failures = new Failures();
    for (const [index, outcome] of settled.entries()) {
      places.push(results.length);
      if (outcome.status === 'fulfilled') results.push(outcome.value);
      // Behind this server is a proxy, one of whose servers failed: the result of the others is kept.
      else if (outcome.reason instanceof MemcachePartialError) results.push(outcome.reason.partial as P);
      else places[index] = -1;
      failures.addOutcome(outcome, nodes[index]?.name);
    }
    const merged = merge(results, places);
    if (failures.any) throw unknownToAll(settled) ?? failures.toError(command.verb, merged);
    return merged;
  }

  // ── health ──────────────────────────────────────────────────────────────────────────────────────────────

  /** The keys of a dead server move to the others. */
  #onChange(node: Node, before: ServerState): void {
    if (this.#nodes.get(node.name) !== node) return;
    if (node.guard.health.state === 'dead') {
      this.#dead++;
      this.#hasher?.removeNode(node.name);
    } else if (before === 'dead') {
      this.#dead--;
      this.#hasher?.addNode(node.name, node.member.weight);
    }
  }

  /** A dead server owns no keys, so no call of a user would find out that it is back. */
  #probeDead(): void {
    for (const { guard } of this.#all) {
      if (guard.health.state !== 'dead') continue;
      if (this.#dead === this.#nodes.size) guard.health.hurry();
      guard.probe();
    }
  }

  #noServers({ verb: command }: Command<unknown>, options: ExecuteOptions | undefined): unknown {
    if (options?.signal?.aborted) return options.signal.reason;
    const why = this.#nodes.size === 0 ? 'the cluster has no servers; see addServer' : 'all servers are dead; see servers()';
    return new MemcacheNoServersError(why, { command });
  }
}

/** What all servers have answered to a command that none of them knows. */
function unknownToAll(outcomes: readonly PromiseSettledResult<unknown>[]): MemcacheUnknownCommandError | undefined {
  const errors = outcomes.map((outcome): unknown => (outcome as Partial<PromiseRejectedResult>).reason);
  return errors.every((error) => error instanceof MemcacheUnknownCommandError) ? errors[0] : undefined;
}

/** The meters of this many removed servers are kept. */
const MAX_REMEMBERED = 64;

/** A call to several servers has no single server for its trace to name. */
function ofSeveral(options: ExecuteOptions | undefined): ExecuteOptions | undefined {
  return options?.trace === undefined ? options : { ...options, trace: undefined };
}
