import { NO_CAS } from '../../client/command';
import type { CallOptions, Executor } from '../../client/executor';
import type { Clock } from '../../runtime/clock';
import type { EntryReader } from '../format/entry-reader';
import { LeaseDelete } from './lease-delete';
import { LeaseGet, leaseTokens } from './lease-get';
import { LeaseSet } from './lease-set';
import type { Leases, NewEntry, Place } from './leases';
import { exptimeOf } from './lifetime';
import type { Ask, Reply, Stored } from './reply';
import { TimeLeft } from './time-left';
import type { CasNumbers } from './tokens';

/** Leases as memcached has them from 1.6.10 on: the server makes the place-holder, and gives one reader the token. */
export class MetaLeases implements Leases {
  readonly #executor: Executor;
  readonly #reader: EntryReader;
  readonly #clock: Clock;
  /** Undefined when the servers make all CAS numbers. */
  readonly #casNumbers: CasNumbers | undefined;
  /** Whether an older cache is asked for what the first misses: a place-holder must then not be made before that. */
  readonly #fallsThrough: boolean;
  /** The flags of the last read: most reads have the same. */
  #lease = -1;
  #refresh = -1;
  #high = '';
  #tokens = '';

  constructor(executor: Executor, reader: EntryReader, clock: Clock, casNumbers: CasNumbers | undefined, fallsThrough: boolean) {
    this.#executor = executor;
    this.#reader = reader;
    this.#clock = clock;
    this.#casNumbers = casNumbers;
    this.#fallsThrough = fallsThrough;
  }

  read(place: Place, ask: Ask): Promise<Reply> {
    return this.#fallsThrough && !ask.onlyFirst ? this.#readThrough(place, ask) : this.#read(place, ask);
  }

  store({ wireKey, key }: Place, { block, flags, fresh, keep }: NewEntry, unless: string | undefined, options?: CallOptions): Promise<Stored> {
    const exptime = fresh === 0 ? 0 : exptimeOf(fresh + keep, this.#clock);
    return this.#executor.execute(new LeaseSet(wireKey, key, { block, flags, exptime, unless, newCas: this.#casNumbers?.next() }), options);
  }

  release({ wireKey, key }: Place, cas: string): Promise<boolean> {
    if (cas === NO_CAS) return Promise.resolve(false);
    return this.#executor.execute(new LeaseDelete(wireKey, key, { unless: cas }));
  }

  takeOver({ wireKey, key }: Place, cas: string): Promise<boolean> {
    return this.#executor.execute(new LeaseDelete(wireKey, key, { unless: cas, mark: true, newCas: this.#casNumbers?.next() }));
  }

  /** Reads the item's time to live first: an entry that is invalidated again and again must not live for ever. */
  async invalidate({ wireKey, key }: Place, stale: number, options?: CallOptions): Promise<boolean> {
    const left = await this.#executor.execute(new TimeLeft(wireKey, key), options);
    // 0 would be for ever; an item with less than a second left gets a whole one.
    const seconds = left === undefined || left < 0 ? stale : Math.max(1, Math.min(left, stale));
    return this.#executor.execute(new LeaseDelete(wireKey, key, { mark: true, exptime: exptimeOf(seconds, this.#clock), newCas: this.#casNumbers?.next() }), options);
  }

  #read({ wireKey, key }: Place, ask: Ask): Promise<Reply> {
    const numbers = ask.lease === 0 ? undefined : this.#casNumbers;
    const low = numbers === undefined ? 0 : numbers.nextLow();
    const high = numbers === undefined ? '' : numbers.high;
    // Beyond 30 days it is a date, which is another one each second.
    const refresh = exptimeOf(ask.refresh, this.#clock);
    if (ask.lease !== this.#lease || refresh !== this.#refresh || high !== this.#high) {
      this.#lease = ask.lease;
      this.#refresh = refresh;
      this.#high = high;
      this.#tokens = `${leaseTokens(ask.lease, refresh, ask.use)}${high === '' ? '' : ` E${high}`}`;
    }
    return this.#executor.execute(new LeaseGet(wireKey, key, ask, this.#tokens, this.#reader, low));
  }

  /** Reads from cache to cache like any read; when none has the entry, or it is outdated, the first is asked again, with a token. */
  async #readThrough({ wireKey, key }: Place, ask: Ask): Promise<Reply> {
    const plain: Ask = {
      lease: 0,
      refresh: 0,
      // One more for the loader: it turns out later whether there is to be one. More callers may still join in this tick.
      get copies() {
        return ask.copies + 1;
      },
      keep: ask.keep,
      use: ask.use,
      onlyFirst: false,
      wantsBytes: (hot) => ask.wantsBytes(hot),
    };
    const found = await this.#executor.execute(new LeaseGet(wireKey, key, plain, leaseTokens(0, 0, ask.use), this.#reader));
    // What was invalidated gives its token to whoever reads first, unasked.
    if (found.won) return found;
    const outdated = found.marked || (found.ttl >= 0 && found.ttl < ask.refresh);
    if ((found.found && !outdated) || (ask.lease === 0 && ask.refresh === 0)) return found;
    const first = await this.#read({ wireKey, key }, ask);
    if (!found.found || !first.cold) return first;
    // An older cache has an outdated value; the first has a place for the new one.
    found.won = first.won;
    found.held = first.held;
    found.cas = first.cas;
    return found;
  }
}
