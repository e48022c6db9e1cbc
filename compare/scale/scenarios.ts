/** What happens to the fleet, and what was seen of it. */
import { Client, HashClient, type ElastiCacheClientOptions } from '../../src';
import { Fleet } from './fleet';
import { coarser } from './series';

/** How large a run is. */
export interface Size {
  readonly processes: number;
  readonly servers: number;
  readonly seed?: number | undefined;
}

const SECOND = 1000;

/** The connections that are open now: in all, and the most at one server. */
function connectionsOf(fleet: Fleet): { connections: number; perServer: number } {
  const counts = fleet.servers.map((name) => fleet.server(name).transports.size);
  return { connections: counts.reduce((sum, count) => sum + count, 0), perServer: Math.max(...counts) };
}

// ── start ─────────────────────────────────────────────────────────────────────────────────────────────────

export interface Start extends Size {
  readonly spread: boolean;
  /** Connections in all, and at each server. */
  readonly connections: number;
  readonly perServer: number;
  /** Connections begun at one server in the fullest 10 ms of the start. */
  readonly mostAttempts: number;
  /** Looks after the first half minute. */
  readonly looksPerMinute: number;
  /** Looks in each second. */
  readonly looks: readonly number[];
}

/** All processes start within a second and follow the list of servers for some minutes. */
export async function start(size: Size, spread: boolean, minutes: number): Promise<Start> {
  await using fleet = new Fleet({ ...size, spread });
  await fleet.start(SECOND);
  const connections = connectionsOf(fleet);
  await fleet.pass(minutes * 60 * SECOND - fleet.now);
  const end = fleet.now;
  const from = 30 * SECOND;
  return {
    ...size,
    spread,
    ...connections,
    mostAttempts: fleet.attempts(fleet.watched).most(0, 2 * SECOND),
    looksPerMinute: fleet.looks.sum(from, end) / ((end - from) / 60 / SECOND),
    looks: coarser(fleet.looks.between(0, end), 100),
  };
}

// ── one server restarts ───────────────────────────────────────────────────────────────────────────────────

export interface Restart extends Size {
  readonly spread: boolean;
  /** How long it was away, in milliseconds. */
  readonly away: number;
  readonly callsPerSecond: number;
  readonly client: ElastiCacheClientOptions;
  /** Connections begun at it: in the fullest 10 ms of the first 100 ms, in the fullest later, and in all. */
  readonly mostAtOnce: number;
  readonly mostAttempts: number;
  readonly attempts: number;
  /** Looks at the list in the fullest 10 ms, and in the five seconds after its end. */
  readonly mostLooks: number;
  readonly looks: number;
  /** Of the calls for its keys in the five seconds after its end, in per cent. */
  readonly errors: number;
  /** The processes that called it dead, in per cent, a second after it was back. */
  readonly dead: number;
  /** By time from its end: connections begun and looks per 10 ms. */
  readonly attemptsByTime: readonly number[];
  readonly looksByTime: readonly number[];
}

const RESTART = { callsPerSecond: 50, seen: 5 * SECOND };

/** A server is killed under load and is there again, empty, after a while. */
export async function restart(size: Size, spread: boolean, away: number, client: ElastiCacheClientOptions = {}): Promise<Restart> {
  await using fleet = new Fleet({ ...size, spread, client });
  await fleet.start(SECOND);
  const keys = fleet.keysOf(fleet.watched, 10);
  await fleet.fill(keys);
  // The processes have been up for a while: none looks at the list by itself in the seconds to come.
  const begin = 10 * SECOND;
  await fleet.pass(begin - SECOND - fleet.now);
  fleet.load(keys, RESTART.callsPerSecond);
  await fleet.pass(SECOND);
  fleet.kill(fleet.watched);
  await fleet.pass(away);
  fleet.revive(fleet.watched);
  await fleet.pass(SECOND);
  const dead = fleet.count(fleet.watched, 'dead');
  const end = begin + RESTART.seen;
  await fleet.pass(end - fleet.now);
  const { outcomes, looks } = fleet;
  const attempts = fleet.attempts(fleet.watched);
  const calls = outcomes.calls.sum(begin, end);
  return {
    ...size,
    spread,
    away,
    callsPerSecond: RESTART.callsPerSecond,
    client,
    mostAtOnce: attempts.most(begin, begin + 100),
    mostAttempts: attempts.most(begin + 100, end),
    attempts: attempts.sum(begin, end),
    mostLooks: looks.most(begin, end),
    looks: looks.sum(begin, end),
    errors: (outcomes.errors.sum(begin, end) / calls) * 100,
    dead: (dead / size.processes) * 100,
    attemptsByTime: attempts.between(begin, begin + 3 * SECOND),
    looksByTime: looks.between(begin, begin + 3 * SECOND),
  };
}

// ── a third of the servers goes ───────────────────────────────────────────────────────────────────────────

export type Manner = 'killed' | 'silent';

export interface Failover extends Size {
  readonly manner: Manner;
  readonly away: number;
  readonly gone: number;
  readonly client: ElastiCacheClientOptions;
  readonly callsPerSecond: number;
  /** Errors and misses in per cent of the calls of the worst second. */
  readonly worstErrors: number;
  readonly worstMisses: number;
  /** Seconds from the end of the servers until less than 0.1 % of the calls fail, or 1 % miss. */
  readonly errorsFor: number;
  readonly missesFor: number;
  /** Seconds from the return of the servers until the last miss-laden second is over. */
  readonly returnFor: number;
  /** The calls that the other servers had in a second while these were dead, to those before. */
  readonly othersLoad: number;
  /** Per cent of the calls, by second. */
  readonly errors: readonly number[];
  readonly misses: readonly number[];
  /** Errors by code. */
  readonly codes: Readonly<Record<string, number>>;
}

/** After this many seconds, on the average, a key is read again, by any process. */
const READ_AGAIN = 4;

/** A third of the servers, a zone, goes for a while and returns empty. Each process makes `perServer` calls a second for each server. */
export async function failover(size: Size, manner: Manner, away: number, perServer: number, after: number, client: ElastiCacheClientOptions = {}): Promise<Failover> {
  await using fleet = new Fleet({ ...size, client });
  await fleet.start(SECOND);
  const callsPerSecond = perServer * size.servers;
  const keys = Array.from({ length: READ_AGAIN * callsPerSecond * size.processes }, (_, i) => `key:${i}`);
  await fleet.fill(keys);
  const zone = fleet.servers.slice(0, Math.round(size.servers / 3));
  const others = fleet.servers.slice(zone.length);
  let asked = 0;
  for (const name of others) fleet.server(name).onCommand = ({ verb }) => { if (verb === 'get') asked++; };
  fleet.load(keys, callsPerSecond);
  await fleet.pass(3 * SECOND);
  const begin = fleet.now;
  const before = asked / 3;
  for (const name of zone) {
    if (manner === 'killed') fleet.kill(name);
    else fleet.silence(name);
  }
  await fleet.pass(away - 2 * SECOND);
  asked = 0;
  await fleet.pass(2 * SECOND);
  const meanwhile = asked / 2;
  for (const name of zone) fleet.revive(name);
  await fleet.pass(after);
  const end = fleet.now;
  const perSecond = (series: 'calls' | 'errors' | 'misses'): number[] => coarser(fleet.outcomes[series].between(begin - 2 * SECOND, end), 10);
  const calls = perSecond('calls');
  const shareOf = (series: 'errors' | 'misses'): number[] => perSecond(series).map((count, i) => (count / (calls[i] ?? 1)) * 100);
  const errors = shareOf('errors');
  const misses = shareOf('misses');
  const back = 2 + away / SECOND;
  const lastAbove = (shares: readonly number[], limit: number, from: number, to: number): number => {
    for (let i = Math.min(to, shares.length) - 1; i >= from; i--) if ((shares[i] ?? 0) >= limit) return i + 1 - from;
    return 0;
  };
  return {
    ...size,
    manner,
    away,
    gone: zone.length,
    client,
    callsPerSecond,
    worstErrors: Math.max(...errors),
    worstMisses: Math.max(...misses.slice(2)),
    errorsFor: lastAbove(errors, 0.1, 2, back),
    missesFor: lastAbove(misses, 1, 2, back),
    returnFor: lastAbove(misses, 1, back, Infinity),
    othersLoad: meanwhile / before,
    errors,
    misses,
    codes: Object.fromEntries(fleet.outcomes.codes),
  };
}

// ── a single server, and pools ────────────────────────────────────────────────────────────────────────────

export interface Single {
  readonly processes: number;
  readonly retryTimeout: number;
  readonly callsPerSecond: number;
  /** Connections begun in the fullest 10 ms and in all while it was away. */
  readonly mostAttempts: number;
  readonly attempts: number;
}

/** Processes with a plain `Client` each, whose one server is away for two seconds. */
export async function single(processes: number, retryTimeout: number, seed?: number): Promise<Single> {
  await using fleet = new Fleet({ processes, servers: 1, seed, make: ([server], { clock, connect }) => new Client(server, { clock, connect, retryTimeout }) });
  await fleet.start(SECOND);
  fleet.load(fleet.keysOf(fleet.watched, 10), RESTART.callsPerSecond);
  await fleet.pass(SECOND);
  const begin = fleet.now;
  fleet.kill(fleet.watched);
  await fleet.pass(2 * SECOND);
  const attempts = fleet.attempts(fleet.watched);
  return {
    processes,
    retryTimeout,
    callsPerSecond: RESTART.callsPerSecond,
    mostAttempts: attempts.most(begin, begin + 2 * SECOND),
    attempts: attempts.sum(begin, begin + 2 * SECOND),
  };
}

export interface Pools extends Size {
  readonly maxPoolSize: number;
  /** Connections at one server after a burst, the most of any. */
  readonly perServer: number;
  readonly connections: number;
}

/** Clients with a pool for each server, after a burst of calls in each process: 50 for each server, at 1 ms intervals. */
export async function pools(size: Size, maxPoolSize: number): Promise<Pools> {
  await using fleet = new Fleet({
    ...size,
    make: (servers, { clock, connect, random }) => new HashClient(servers, { clock, connect, random, usePooling: true, maxPoolSize }),
  });
  const keys = Array.from({ length: 50 * size.servers }, (_, i) => `key:${i}`);
  for (let round = 0; round < 20; round++) {
    for (const client of fleet.clients) for (const key of keys.slice(round * size.servers, (round + 1) * size.servers)) void client.get(key).catch(() => undefined);
    await fleet.pass(1);
  }
  await fleet.pass(SECOND);
  return { ...size, maxPoolSize, ...connectionsOf(fleet) };
}
