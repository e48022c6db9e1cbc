import type { Random } from '../../runtime/random';
import type { EntrySettings } from '../cache-options';
import { RecentMap } from '../recent-map';

/** The assumed duration of a load until one was measured, in milliseconds. */
const UNKNOWN = 100;
/** In seconds. */
export const LONGEST_LEASE = 3600;
/** How many times the length of a load a value is refreshed before its end in one of a thousand million draws. */
const UNLIKELY = 21;
/** The weight of the latest load in the moving average. */
const WEIGHT = 0.3;

export interface Known {
  delta: number;
  /** Seconds for which the last value was fresh. */
  expire: number;
}

/** How long loads take: a moving average per key, else over all keys; and the leases and early refreshes that follow from it. */
export class Durations {
  readonly #keys = new RecentMap<string, Known>();
  readonly #random: Random;
  #all = UNKNOWN;

  constructor(random: Random) {
    this.#random = random;
  }

  note(wireKey: string, delta: number, expire: number): void {
    const known = this.#keys.get(wireKey);
    const mean = known === undefined ? delta : known.delta + WEIGHT * (delta - known.delta);
    this.#all += WEIGHT * (delta - this.#all);
    this.#keys.set(wireKey, { delta: mean, expire });
  }

  /** How long a load of this key takes, in milliseconds. */
  of(wireKey: string): number {
    return this.#keys.get(wireKey)?.delta ?? this.#all;
  }

  /** The measurements of a key, if there are any. */
  known(wireKey: string): Known | undefined {
    return this.#keys.get(wireKey);
  }

  /** The lease in seconds: a place-holder must live longer than the load, or a slow key would never be stored. */
  lease(wireKey: string, lease: number): number {
    return this.leaseFor(this.#keys.get(wireKey), lease);
  }

  leaseFor(known: Known | undefined, lease: number): number {
    return known === undefined ? lease : Math.min(LONGEST_LEASE, Math.max(lease, Math.ceil(1 + (2 * known.delta) / 1000)));
  }

  /** Milliseconds before its end from which on a value is at all likely to be refreshed early. */
  reach(wireKey: string, { earlyRefresh, expire }: EntrySettings): number {
    return typeof expire === 'number' && expire < 2 ? 0 : UNLIKELY * earlyRefresh * this.of(wireKey);
  }

  /** Whether a value that ends in `left` milliseconds is to be refreshed now: XFetch's rule, for readers that have no token. */
  isDue(wireKey: string, { earlyRefresh }: EntrySettings, left: number): boolean {
    return -earlyRefresh * this.of(wireKey) * Math.log(1 - this.#random()) >= left;
  }

  /** Seconds before its end in which a value may be refreshed, drawn at random for each read by XFetch's rule. */
  early(known: Known | undefined, { earlyRefresh, expire }: EntrySettings): number {
    if (earlyRefresh === 0) return 0;
    const life = typeof expire === 'number' ? expire : known?.expire;
    if (life === undefined || life < 2) return 0;
    const mean = earlyRefresh * (known?.delta ?? this.#all);
    // For a short load, hardly one draw in a thousand million is longer than a second.
    if (mean < 50) return 1;
    const gap = -mean * Math.log(1 - this.#random());
    return gap <= 1000 ? 1 : Math.min(Math.ceil(gap / 1000), Math.floor(life / 2));
  }
}
