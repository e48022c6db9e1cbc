import { MemcacheError, type Client, type Serde, type SerializedValue } from '../../src';
import { crc32 } from '../../src/runtime/crc32';
import type { SeededRandom } from './seeded-random';

/** A value that says whose it is. */
export interface Told {
  readonly key: string;
  readonly version: number;
}

/** Values that name their key and version, with a checksum over a body that depends on both. */
export class ToldSerde implements Serde<Told> {
  serialize({ key, version }: Told): SerializedValue {
    const text = `${key}|${version}|${bodyOf(key, version)}`;
    return { data: `${text}|${crc32(text)}`, flags: 0 };
  }

  deserialize(data: Buffer): Told {
    const text = data.toString('latin1');
    const at = text.lastIndexOf('|');
    if (at < 0 || String(crc32(text.slice(0, at))) !== text.slice(at + 1)) throw new Error('the checksum is wrong');
    const [key = '', version] = text.split('|');
    return { key, version: Number(version) };
  }
}

/** Bodies look like the protocol now and then. */
function bodyOf(key: string, version: number): string {
  const filler = version % 7 === 0 ? '\r\nEND\r\n' : version % 5 === 0 ? `\r\nVALUE ${key} 0 3\r\n` : 'body';
  return filler.repeat(version % 13);
}

/** What the clients of a run have been told, and what was wrong with it. */
export class Oracle {
  operations = 0;
  hits = 0;
  /** Each ends a test. */
  readonly wrong: string[] = [];
  /** Milliseconds by which the latest settlement was late. */
  latest = 0;
  readonly errors = new Map<string, number>();
  readonly #now: () => number;
  readonly #limit: number;

  readonly #pause: () => Promise<void>;

  /**
   * @param limit how many milliseconds a call may take
   * @param pause is awaited by those whose call has failed
   */
  constructor(now: () => number, limit: number, pause: () => Promise<void>) {
    this.#now = now;
    this.#limit = limit;
    this.#pause = pause;
  }

  /** Makes a call, and checks what it is told; `keys` are those it may hear of. */
  async call<R>(run: () => Promise<R>, check: (result: R) => void = () => undefined): Promise<R | undefined> {
    const started = this.#now();
    this.operations++;
    let failed = true;
    try {
      const result = await run();
      failed = false;
      check(result);
      return result;
    } catch (error) {
      if (!(error instanceof MemcacheError)) this.wrong.push(`a stranger's error: ${String(error)}`);
      else this.errors.set(error.code, (this.errors.get(error.code) ?? 0) + 1);
      return undefined;
    } finally {
      this.latest = Math.max(this.latest, this.#now() - started - this.#limit);
      if (failed) await this.#pause();
    }
  }

  expectOf(key: string, value: unknown): void {
    if (value === undefined) return;
    this.hits++;
    const told = value as Told;
    if (told.key !== key) this.wrong.push(`${key} was given the value of ${told.key}`);
  }
}

const KEYS = Array.from({ length: 300 }, (_, i) => `key-${i}`);

/** One of those who use a client at the same time: calls of all kinds until this many have been made. */
export async function useClient(client: Client<Told>, oracle: Oracle, random: SeededRandom, until: number): Promise<void> {
  let version = 0;
  while (oracle.operations < until) {
    const key = random.pick(KEYS);
    const write = { key, version: ++version };
    switch (random.below(12)) {
      case 0:
        await oracle.call(() => client.set(key, write));
        break;
      case 1:
        await oracle.call(() => client.set(key, write, { noreply: true }));
        break;
      case 2:
        await oracle.call(() => client.getMany([key, random.pick(KEYS), random.pick(KEYS)]), (found) => {
          for (const [name, value] of found) oracle.expectOf(name, value);
        });
        break;
      case 3:
        await oracle.call(() => client.gets(key), ([value]) => {
          oracle.expectOf(key, value);
        });
        break;
      case 4:
        await oracle.call(() => client.metaGet(key), (item) => {
          oracle.expectOf(key, item?.value);
        });
        break;
      case 5:
        await oracle.call(() => client.delete(key, { noreply: random.chance(0.5) }));
        break;
      case 6:
        await oracle.call(() => client.gat(key, 100), (value) => {
          oracle.expectOf(key, value);
        });
        break;
      case 7:
        await oracle.call(() => client.add(key, write));
        break;
      case 8: {
        const many = [key, random.pick(KEYS), random.pick(KEYS)];
        await Promise.all(many.map((name) => oracle.call(() => client.get(name), (value) => {
          oracle.expectOf(name, value);
        })));
        break;
      }
      default:
        await oracle.call(() => client.get(key), (value) => {
          oracle.expectOf(key, value);
        });
    }
  }
}
