import { setTimeout as pause } from 'node:timers/promises';
import { HashClient, RetryingClient } from '../../src';
import { activeResources, usedMemory } from './alone';
import { Load } from './load';
import { startMemcached, type MemcachedProcess } from './memcached';

/** What a soak is told. */
export interface SoakOptions {
  readonly seed: number;
  readonly seconds: number;
  readonly onProgress?: (line: string) => void;
}

/** What a soak has seen. */
export interface SoakReport {
  readonly seed: number;
  readonly seconds: number;
  readonly done: number;
  readonly failed: Readonly<Record<string, number>>;
  /** What was done to the servers, by name. */
  readonly events: Readonly<Record<string, number>>;
  /** Growth of the heap and of buffers from the warm start to the end, in bytes. */
  readonly heapGrowth: number;
  readonly bufferGrowth: number;
  /** Sockets and timers that were not there before. */
  readonly leftOver: number;
}

const KEYS = Array.from({ length: 2000 }, (_, i) => `key-${i}`);
const SERVERS = 4;

async function measure(): Promise<{ heap: number; buffers: number; resources: number }> {
  await pause(150);
  return { ...(await usedMemory()), resources: activeResources() };
}

/**
 * A cluster under load whose servers are killed, stopped, removed and added at random, the same for the same seed; to be run
 * with --expose-gc. Rejects when a caller is given a wrong value; what is left over in the end is for the caller to judge.
 */
export async function soakCluster({ seed, seconds, onProgress }: SoakOptions): Promise<SoakReport> {
  const cluster = new Cluster(seed);
  await cluster.start();
  // One round first, so that what is made once is made.
  await runLoad(cluster, seed, Math.min(2, seconds / 4), () => undefined);
  const before = await measure();
  const started = performance.now();
  const totals = await runLoad(cluster, seed, seconds, (line) => {
    onProgress?.(`${((performance.now() - started) / 1000).toFixed(0)} s of ${seconds} s: ${line}`);
  });
  const after = await measure();
  await cluster.stop();
  return {
    seed,
    seconds,
    ...totals,
    heapGrowth: after.heap - before.heap,
    bufferGrowth: after.buffers - before.buffers,
    leftOver: after.resources - before.resources,
  };
}

async function runLoad(cluster: Cluster, seed: number, seconds: number, onProgress: (line: string) => void): Promise<Pick<SoakReport, 'done' | 'failed' | 'events'>> {
  const addresses = cluster.processes.map(({ address }) => address);
  const hash = new HashClient(addresses, { timeout: 300, connectTimeout: 200, retryTimeout: 100, deadTimeout: 300, usePooling: seed % 2 === 0 });
  const client = new RetryingClient(hash, { attempts: 2, retryDelay: 20 });
  const load = new Load(client, KEYS, 200, seed);
  const events: Record<string, number> = {};
  const failed: Record<string, number> = {};
  let done = 0;
  const look = (): void => {
    const report = load.take();
    done += report.done;
    for (const [code, count] of report.failed) failed[code] = (failed[code] ?? 0) + count;
  };
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    const event = await cluster.disturb(hash);
    events[event] = (events[event] ?? 0) + 1;
    look();
    onProgress(`${done} calls, ${Object.values(failed).reduce((a, b) => a + b, 0)} failed, last: ${event}`);
  }
  cluster.heal(hash);
  await load.stop();
  look();
  await client.close();
  return { done, failed, events };
}

/** Real servers, and what is done to them. */
class Cluster {
  processes: MemcachedProcess[] = [];
  readonly #removed = new Set<string>();
  #random: number;

  constructor(seed: number) {
    this.#random = seed;
  }

  async start(): Promise<void> {
    this.processes = await Promise.all(Array.from({ length: SERVERS }, () => startMemcached()));
  }

  async stop(): Promise<void> {
    await Promise.all(this.processes.map((one) => one.stop()));
  }

  /** Does one harm to one server, and makes good for it a moment later. */
  async disturb(client: HashClient): Promise<string> {
    const index = this.#next(SERVERS);
    const victim = this.processes[index];
    if (victim === undefined) throw new Error('no such server');
    const kind = (['kill', 'stop', 'remove', 'nothing'] as const)[this.#next(4)] ?? 'nothing';
    if (kind === 'kill') {
      await victim.stop();
      await pause(50 + this.#next(300));
      this.processes[index] = await startMemcached([], victim.port);
    } else if (kind === 'stop') {
      process.kill(victim.pid, 'SIGSTOP');
      await pause(50 + this.#next(600));
      process.kill(victim.pid, 'SIGCONT');
    } else if (kind === 'remove') {
      void client.removeServer(victim.address);
      this.#removed.add(victim.address);
      await pause(this.#next(200));
      this.heal(client);
    }
    await pause(this.#next(200));
    return kind;
  }

  /** Brings back what was removed. */
  heal(client: HashClient): void {
    for (const address of this.#removed) void client.addServer(address);
    this.#removed.clear();
  }

  #next(bound: number): number {
    this.#random = (this.#random * 48_271) % 2_147_483_647;
    return this.#random % bound;
  }
}
