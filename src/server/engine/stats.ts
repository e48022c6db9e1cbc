import type { StoreOutcome } from './outcomes';

/** The counts of a store and its front ends, under memcached's names; `stats reset` sets all of it to zero. */
export class StoreStats {
  cmdGet = 0;
  cmdSet = 0;
  cmdFlush = 0;
  cmdTouch = 0;
  cmdMeta = 0;
  getHits = 0;
  getMisses = 0;
  getExpired = 0;
  deleteMisses = 0;
  deleteHits = 0;
  incrMisses = 0;
  incrHits = 0;
  decrMisses = 0;
  decrHits = 0;
  casMisses = 0;
  casHits = 0;
  casBadval = 0;
  touchHits = 0;
  touchMisses = 0;
  storeTooLarge = 0;
  storeNoMemory = 0;
  totalItems = 0;
  evictions = 0;
  evictedUnfetched = 0;
  expiredUnfetched = 0;
  /** Items removed because they had expired, by the timer or by a command, or because everything was flushed. */
  reclaimed = 0;

  /** Counts that a value was asked for. */
  countGet(found: boolean): void {
    this.cmdGet++;
    if (found) this.getHits++;
    else this.getMisses++;
  }

  /** Counts that an item was to get a new deadline, with or without its value. */
  countTouch(found: boolean): void {
    this.cmdTouch++;
    if (found) this.touchHits++;
    else this.touchMisses++;
  }

  /** Counts that a number was to go up or down. */
  countArithmetic(up: boolean, found: boolean): void {
    if (up && found) this.incrHits++;
    else if (up) this.incrMisses++;
    else if (found) this.decrHits++;
    else this.decrMisses++;
  }

  /** Counts that a block was to be stored; as in memcached, one for which there was no room is none. */
  countStore(outcome: StoreOutcome): void {
    if (outcome !== 'tooLarge' && outcome !== 'noMemory') this.cmdSet++;
  }

  /** Counts that an item was to be replaced if it has a certain cas. */
  countCas(outcome: StoreOutcome): void {
    if (outcome === 'stored') this.casHits++;
    else if (outcome === 'exists') this.casBadval++;
    else if (outcome === 'notFound') this.casMisses++;
  }

  reset(): void {
    Object.assign(this, new StoreStats());
  }
}
