/**
 * The outcomes of a call, key by key: indices of a meter's counts. `MISS` is a read that found nothing, `NOT_FOUND` any other
 * command that did.
 */
export const HIT = 0;
export const MISS = 1;
export const NOT_FOUND = 2;
export const STORED = 3;
export const NOT_STORED = 4;
export const EXISTS = 5;
export const OK = 6;
/** The outcomes by name, for `outcome` and `tally` of commands of your own. `miss` is for a read that found nothing, `notFound` for any other command. */
export const OUTCOMES = { hit: HIT, miss: MISS, notFound: NOT_FOUND, stored: STORED, notStored: NOT_STORED, exists: EXISTS, ok: OK } as const;
/** One of {@link OUTCOMES}. */
export type Outcome = typeof HIT | typeof MISS | typeof NOT_FOUND | typeof STORED | typeof NOT_STORED | typeof EXISTS | typeof OK;

/** Takes the outcomes of a call. */
export interface Tally {
  add(outcome: Outcome, keys: number): void;
}
