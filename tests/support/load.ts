import { MemcacheError, type Client } from '../../src';

/** What a load has seen of one server, or of all. */
export interface LoadReport {
  /** Calls that succeeded, hits and misses. */
  readonly done: number;
  /** Calls that were rejected with an error of ours, by code. */
  readonly failed: ReadonlyMap<string, number>;
  /** Milliseconds that the successful calls took, sorted. */
  readonly latencies: Float64Array;
}

/** The latency that 99 of 100 calls stayed below, in milliseconds. */
export function p99({ latencies }: LoadReport): number {
  return latencies[Math.floor(latencies.length * 0.99)] ?? NaN;
}

/** The value of a key: it names its key, so that one delivered to another caller is seen. */
function valueOf(key: string, round: number): string {
  return `${key}#${round}#${'x'.repeat(round % 50)}`;
}

function check(key: string, value: unknown): void {
  if (value === undefined) return;
  if (typeof value !== 'string') throw new Error(`a value of another type for ${key}`);
  const [name, round = '', rest = ''] = value.split('#');
  if (name !== key || rest.length !== Number(round) % 50) throw new Error(`wrong value for ${key}: ${value.slice(0, 80)}`);
}

/** This many callers that get, set, getMany and delete without a pause, and check all that they are given. */
export class Load {
  readonly #client: Client;
  readonly #keys: readonly string[];
  readonly #groupOf: (key: string) => string;
  readonly #callers: Promise<void>[] = [];
  #stopped = false;
  #random: number;
  #done = new Map<string, number[]>();
  #failed = new Map<string, Map<string, number>>();

  /** @param groupOf tells under what name the calls for a key are reported */
  constructor(client: Client, keys: readonly string[], callers: number, seed: number, groupOf: (key: string) => string = () => '') {
    this.#client = client;
    this.#keys = keys;
    this.#random = seed;
    this.#groupOf = groupOf;
    for (let i = 0; i < callers; i++) this.#callers.push(this.#call(i));
  }

  /** What was seen since the last look. */
  take(group = ''): LoadReport {
    const latencies = Float64Array.from(this.#done.get(group) ?? []).sort();
    const failed = this.#failed.get(group) ?? new Map<string, number>();
    this.#done.delete(group);
    this.#failed.delete(group);
    return { done: latencies.length, failed, latencies };
  }

  /** Ends the load; rejects when a caller was given a wrong value, or a stranger's error. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#callers);
  }

  async #call(caller: number): Promise<void> {
    for (let round = 0; !this.#stopped; round++) {
      const key = this.#pick();
      const group = this.#groupOf(key);
      const started = performance.now();
      try {
        await this.#operate(caller + round, key, round);
        const done = this.#done.get(group);
        if (done === undefined) this.#done.set(group, [performance.now() - started]);
        else done.push(performance.now() - started);
      } catch (error) {
        if (!(error instanceof MemcacheError)) throw error;
        const failed = this.#failed.get(group) ?? new Map<string, number>();
        failed.set(error.code, (failed.get(error.code) ?? 0) + 1);
        this.#failed.set(group, failed);
        // A call that is refused at once would otherwise spin.
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    }
  }

  async #operate(kind: number, key: string, round: number): Promise<void> {
    if (kind % 10 < 6) check(key, await this.#client.get(key));
    else if (kind % 10 < 8) await this.#client.set(key, valueOf(key, round));
    else if (kind % 10 < 9) await this.#client.delete(key);
    else for (const [name, value] of await this.#client.getMany(this.#pickLike(key))) check(name, value);
  }

  /** Three keys of one group, so that what the call meets is that group's. */
  #pickLike(key: string): string[] {
    const keys = [key];
    while (keys.length < 3) {
      const other = this.#pick();
      if (this.#groupOf(other) === this.#groupOf(key)) keys.push(other);
    }
    return keys;
  }

  #pick(): string {
    this.#random = (this.#random * 48_271) % 2_147_483_647;
    return this.#keys[this.#random % this.#keys.length] ?? '';
  }
}
