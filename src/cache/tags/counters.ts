import { MemcacheError, MemcacheUnknownCommandError } from '../../errors';
import type { Executor } from '../../client/executor';
import { StoreCommand } from '../../client/commands/storage';
import { ArithmeticCommand } from '../../client/commands/item';
import type { Random } from '../../runtime/random';
import { CounterCommand, type Version } from '../exchange/counter';
import type { Gate } from '../exchange/gate';
import type { Place } from '../exchange/leases';
import { PlainGet } from '../exchange/plain-get';
import type { KeySpace } from '../key-space';
import type { Counters } from './versions';

/** The counters of tags and namespaces on the server. */
export class ServerCounters implements Counters {
  readonly #executor: Executor;
  readonly #gate: Gate;
  readonly #random: Random;
  readonly #keys: KeySpace;
  readonly #limit: number;
  readonly #serverOf: (place: Place) => string;

  /**
   * @param limit milliseconds to wait until it is known what the servers can do
   * @param serverOf the server that owns a key; '' where that is not known
   */
  constructor(executor: Executor, gate: Gate, random: Random, keys: KeySpace, limit: number, serverOf: (place: Place) => string) {
    this.#executor = executor;
    this.#gate = gate;
    this.#random = random;
    this.#keys = keys;
    this.#limit = limit;
    this.#serverOf = serverOf;
  }

  opened(name: string): Promise<void> | undefined {
    return this.#gate.isOpening ? this.#known(this.#keys.counter(name)) : undefined;
  }

  async read(name: string): Promise<Version> {
    return this.#send(name, false);
  }

  async change(name: string): Promise<Version> {
    return this.#send(name, true);
  }

  async #send(name: string, change: boolean): Promise<Version> {
    const place = this.#keys.counter(name);
    // Nothing is awaited in vain: the question is to travel with that for the entry.
    if (this.#gate.isOpening || this.#gate.abilities === undefined) await this.#known(place);
    const first = 1 + Math.floor(this.#random() * 2 ** 52);
    if (this.#gate.abilities?.leases === true) {
      try {
        return await this.#executor.execute(new CounterCommand(place.wireKey, place.key, first, change));
      } catch (error) {
        // Something between tells a version and refuses meta commands.
        if (!(error instanceof MemcacheUnknownCommandError)) throw error;
        this.#gate.suspect(error);
        await this.#gate.ready(this.#limit);
      }
    }
    return change ? this.#changeClassic(place, first) : this.#readClassic(place, first);
  }

  /** Until it is known what the servers can do. The making of the first connection takes nothing of the time for that. */
  async #known(counter: Place): Promise<void> {
    await this.#gate.opened(() => this.#serverOf(counter));
    if (this.#gate.abilities === undefined) await this.#gate.ready(this.#limit);
  }

  async #readClassic({ wireKey, key }: Place, first: number): Promise<Version> {
    for (let round = 0; round < 3; round++) {
      // An older cache of a fallback has its own counter.
      const item = await this.#executor.execute(new PlainGet('get', wireKey, key, true));
      // Without meta commands it is not known when it was changed.
      if (item !== undefined) {
        const number = item.bytes.toString('latin1').trim();
        if (!/^\d{1,20}$/.test(number)) throw new MemcacheError('the counter of a tag or a namespace is not a number');
        return { number, age: 0 };
      }
      await this.#executor.execute(new StoreCommand('add', wireKey, key, { block: String(first), flags: 0, exptime: 0 }, false));
    }
    throw new MemcacheError('the server does not keep the counter of a tag');
  }

  async #changeClassic(place: Place, first: number): Promise<Version> {
    const { wireKey, key } = place;
    const number = await this.#executor.execute(new ArithmeticCommand('incr', wireKey, key, 1n, false));
    if (number !== undefined) return { number: String(number), age: 0 };
    const item = { block: String(first), flags: 0, exptime: 0 };
    const added = await this.#executor.execute(new StoreCommand('add', wireKey, key, item, false));
    return added ? { number: item.block, age: 0 } : this.#changeClassic(place, first);
  }
}
