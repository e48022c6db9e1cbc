import type { Random } from '../../runtime/random';
import type { EntrySettings } from '../cache-options';
import { RecentMap } from '../recent-map';

/** Whose load takes how long: milliseconds, as far as nothing is known. */
const UNKNOWN = 100;
const LIMIT = 10_000;
/** How much the latest load counts. */
const WEIGHT = 0.3;

interface Known {
  delta: number;
  /** Seconds for which the last value was fresh. */
  expire: number;
}

/** How long loads take: a moving average per key, else of all, and what follows for leases and early refreshes. */
export class Durations {
  readonly #keys = new RecentMap<string, Known>(LIMIT);
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

  /** Milliseconds. */
  of(wireKey: string): number {
    return this.#keys.get(wireKey)?.delta ?? this.#all;
  }

  /** Seconds: a place-holder is to live longer than the load, or a slow key would be loaded for ever. */
  lease(wireKey: string, lease: number): number {
    const delta = this.#keys.get(wireKey)?.delta;
    return delta === undefined ? lease : Math.min(3600, Math.max(lease, Math.ceil(1 + (2 * delta) / 1000)));
  }

  /** Seconds before its end in which a value may be refreshed, drawn anew for each read: XFetch's rule. */
  early(wireKey: string, { earlyRefresh, expire }: EntrySettings): number {
    if (earlyRefresh === 0) return 0;
    const known = this.#keys.get(wireKey);
    const life = typeof expire === 'number' ? expire : known?.expire;
    if (life === undefined || life < 2) return 0;
    const gap = this.gap(wireKey, earlyRefresh);
    return gap <= 1000 ? 1 : Math.min(Math.ceil(gap / 1000), Math.floor(life / 2));
  }

  /** The draw itself, in milliseconds. */
  gap(wireKey: string, earlyRefresh: number): number {
    return -earlyRefresh * this.of(wireKey) * Math.log(1 - this.#random());
  }
}
