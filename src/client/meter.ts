/** What is always counted per server: whole numbers, and how long replies took. */
import { MemcacheError, MemcachePartialError } from '../errors';
import { addLatencies, Histogram, type Latency } from './latency';
import type { ServerState } from './observe';
import { HIT, OK, type Outcome, type Tally } from './outcomes';

/** The part of a command that a meter uses. */
export interface Counted<R> {
  /** The protocol's verb. */
  readonly verb: string;
  readonly scope: 'key' | 'keys' | 'server';
  /** How many keys it concerns; 0 for a command to servers, which counts as one call. */
  readonly keyCount: number;
  /** Whether a caller asked for it; else it is not counted. */
  readonly ofCaller: boolean;
  /** The outcome of a command for one key. */
  outcome(result: R): Outcome;
  /** Tells `tally` the outcome of each key. */
  tally(result: R, tally: Tally): void;
}

/** What `client.metrics()` returns for one server. Numbers only grow, except `connections` and `pending`. */
export interface ServerMetrics {
  /** As in `servers()`. For a server whose health is not watched: `failing` from a failure of its connection to the next answer. */
  readonly state: ServerState;
  /** Connections that can be used. */
  readonly connections: number;
  /** Calls that wait for a connection or for their reply, those that `close` lets finish among them. */
  readonly pending: number;
  /**
   * Calls that have settled, by the protocol's verb; a call for several keys counts once per key, and every attempt counts.
   * Their sum is that of `hits`, `misses`, `stored`, `notStored`, `exists`, `ok`, `aborted` and all `errors`.
   */
  readonly calls: Readonly<Record<string, number>>;
  /** Keys that were read and found. */
  readonly hits: number;
  /** Keys that were not there, whatever the command: also `delete`, `touch`, `incr`, `decr` and `cas`. */
  readonly misses: number;
  /** Keys whose read was answered: `hits`, and the misses of commands that read. */
  readonly lookups: number;
  /** Values that were stored. */
  readonly stored: number;
  /** Values that were not stored by the command's own rule: `add` of a key that was there, `replace` of one that was not. */
  readonly notStored: number;
  /** `cas` that was refused because the item had changed. */
  readonly exists: number;
  /** Everything else that succeeded, and `noreply` commands once they are written. */
  readonly ok: number;
  /** Calls that were aborted by their signal. */
  readonly aborted: number;
  /** Calls that failed, by the code of the error; of a `MemcachePartialError`, that of its `cause`. */
  readonly errors: Readonly<Record<string, number>>;
  /** Of the errors, those that `ignoreErrors` turned into misses. */
  readonly ignored: number;
  /** How often a call was repeated after a failure of this server. */
  readonly retries: number;
  /** Connections that were made. */
  readonly connects: number;
  /** Connections that could not be made. */
  readonly connectFailures: number;
  /** Connections that have ended, whoever ended them. */
  readonly disconnects: number;
  /** Bytes of the protocol that came over its connections. */
  readonly bytesRead: number;
  /** Bytes of the protocol that were handed to the system; of a connection that is reset not all may have left. */
  readonly bytesWritten: number;
  /** How long replies took. */
  readonly latency: Latency;
  /** How long calls waited for a connection of a pool, for those that had to; without a pool there are none. */
  readonly poolWait: Latency;
}

/** What `client.metrics()` returns: the metrics of each server, by its name. */
export type ClientMetrics = Map<string, ServerMetrics>;

/** How many keys a failed call had, if not one. */
const keysOfError = new WeakMap<object, number>();

/** For how many keys a call failed with `error`. */
export function failedKeys(error: object): number {
  return keysOfError.get(error) ?? 1;
}

/**
 * Counts what happens to the calls for one server. A call is counted when it settles, once, so that at any moment the
 * sum of `calls` is that of the outcomes and errors.
 */
export class ServerMeter implements Tally {
  /** The server's name. */
  readonly server: string;
  /** The id of the client for which it counts. */
  readonly clientId: number;
  /** By {@link Outcome}. */
  readonly #outcomes = new Float64Array(7);
  readonly #calls = new Map<string, number>();
  /** Calls of one verb in a row that are not yet in `#calls`: most calls follow one of the same verb. */
  #verb = '';
  #run = 0;
  /** Calls for one key in a row, of that verb and with this outcome, that are counted nowhere else yet: most follow one alike. */
  #outcome: Outcome = HIT;
  #alike = 0;
  readonly #errors = new Map<string, number>();
  readonly #latency = new Histogram();
  /** A pool adds to it. */
  readonly poolWaits = new Histogram();
  #aborted = 0;
  #connects = 0;
  #connectFailures = 0;
  #disconnects = 0;
  #bytesRead = 0;
  #bytesWritten = 0;
  #troubled = false;
  #watch: { readonly state: ServerState } | undefined;

  constructor(server: string, clientId: number) {
    this.server = server;
    this.clientId = clientId;
  }

  // ── calls ───────────────────────────────────────────────────────────────────────────────────────────────

  succeed<R>(command: Counted<R>, result: R): void {
    if (command.scope === 'key') {
      this.succeedAs(command.verb, command.outcome(result));
      return;
    }
    // First, since that of a command of somebody's own may throw.
    command.tally(result, this);
    this.#count(command.verb, command.keyCount);
  }

  /** A call for one key with a known outcome: the hot path. */
  succeedAs(verb: string, outcome: Outcome): void {
    if (outcome !== this.#outcome || verb !== this.#verb) {
      if (verb !== this.#verb) this.#turnTo(verb);
      this.#addAlike();
      this.#outcome = outcome;
    }
    this.#alike++;
  }

  /** A `noreply` command was written. */
  unanswered({ verb, keyCount, ofCaller }: Counted<never>): void {
    if (!ofCaller) return;
    this.#count(verb, keyCount);
    this.add(OK, keyCount || 1);
  }

  fail({ verb, keyCount, ofCaller }: Counted<never>, error: unknown): void {
    if (!ofCaller) return;
    const keys = keyCount || 1;
    this.#count(verb, keyCount);
    // What failed in part is counted as what went wrong, like what failed as a whole.
    const failure = error instanceof MemcachePartialError ? error.cause : error;
    let code = 'ERROR';
    if (failure instanceof MemcacheError) {
      code = failure.code;
      if (keys > 1) keysOfError.set(error as MemcacheError, keys);
    }
    this.#errors.set(code, (this.#errors.get(code) ?? 0) + keys);
  }

  /** A call was aborted by its signal. */
  abort({ verb, keyCount }: Counted<never>): void {
    this.#count(verb, keyCount);
    this.#aborted += keyCount || 1;
  }

  add(outcome: Outcome, keys: number): void {
    this.#outcomes[outcome] = this.#of(outcome) + keys;
  }

  #count(verb: string, keyCount: number): void {
    if (verb !== this.#verb) this.#turnTo(verb);
    this.#run += keyCount || 1;
  }

  #addAlike(): void {
    this.#run += this.#alike;
    this.#outcomes[this.#outcome] = this.#of(this.#outcome) + this.#alike;
    this.#alike = 0;
  }

  #turnTo(verb: string): void {
    this.#addAlike();
    if (this.#run > 0) this.#calls.set(this.#verb, (this.#calls.get(this.#verb) ?? 0) + this.#run);
    this.#verb = verb;
    this.#run = 0;
  }

  #of(outcome: Outcome): number {
    return this.#outcomes[outcome] ?? 0;
  }

  // ── connections ─────────────────────────────────────────────────────────────────────────────────────────

  connected(): void {
    this.#connects++;
  }

  connectFailed(): void {
    this.#connectFailures++;
    this.#troubled = true;
  }

  /** A usable connection has ended. */
  disconnected(failed: boolean): void {
    this.#disconnects++;
    if (failed) this.#troubled = true;
  }

  wrote(bytes: number): void {
    this.#bytesWritten += bytes;
  }

  read(bytes: number): void {
    this.#bytesRead += bytes;
  }

  /** Calls that left together were answered together, `time` milliseconds later. */
  answered(calls: number, time: number): void {
    this.#latency.add(time, calls);
    this.#troubled = false;
  }

  /** From now on the state is that of `watch`. */
  watchedBy(watch: { readonly state: ServerState }): void {
    this.#watch = watch;
  }

  // ── reading ─────────────────────────────────────────────────────────────────────────────────────────────

  /** @param pending - calls that wait */
  snapshot(pending: number): ServerMetrics {
    this.#turnTo('');
    const [hits = 0, missedReads = 0, notFound = 0, stored = 0, notStored = 0, exists = 0, ok = 0] = this.#outcomes;
    return {
      state: this.#watch?.state ?? (this.#troubled ? 'failing' : 'healthy'),
      connections: this.#connects - this.#disconnects,
      pending,
      calls: Object.fromEntries(this.#calls),
      hits,
      misses: missedReads + notFound,
      lookups: hits + missedReads,
      stored,
      notStored,
      exists,
      ok,
      aborted: this.#aborted,
      errors: Object.fromEntries(this.#errors),
      ignored: 0,
      retries: 0,
      connects: this.#connects,
      connectFailures: this.#connectFailures,
      disconnects: this.#disconnects,
      bytesRead: this.#bytesRead,
      bytesWritten: this.#bytesWritten,
      latency: this.#latency.snapshot(),
      poolWait: this.poolWaits.snapshot(),
    };
  }
}

const SEVERITY: readonly ServerState[] = ['healthy', 'failing', 'dead'];

/** Adds up two metrics of one server; its state is the worse of the two. */
export function addMetrics(a: ServerMetrics, b: ServerMetrics): ServerMetrics {
  const sums = Object.fromEntries(
    Object.entries(a).flatMap(([name, value]: [string, unknown]) =>
      typeof value === 'number' ? [[name, value + (b[name as keyof ServerMetrics] as number)]] : [],
    ),
  );
  return {
    ...a,
    ...sums,
    state: SEVERITY.indexOf(a.state) >= SEVERITY.indexOf(b.state) ? a.state : b.state,
    calls: addByName(a.calls, b.calls),
    errors: addByName(a.errors, b.errors),
    latency: addLatencies(a.latency, b.latency),
    poolWait: addLatencies(a.poolWait, b.poolWait),
  };
}

function addByName(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): Record<string, number> {
  const sum = { ...a };
  for (const [name, count] of Object.entries(b)) sum[name] = (sum[name] ?? 0) + count;
  return sum;
}

/** The metrics of several sources by server, added up for servers that several of them have. */
export function mergeMetrics(sources: Iterable<ReadonlyMap<string, ServerMetrics>>): Map<string, ServerMetrics> {
  const merged = new Map<string, ServerMetrics>();
  for (const source of sources) {
    for (const [server, metrics] of source) {
      const known = merged.get(server);
      merged.set(server, known === undefined ? metrics : addMetrics(known, metrics));
    }
  }
  return merged;
}
