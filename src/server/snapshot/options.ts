import { FUNCTION, MILLISECONDS, STRING, checkOption, checkOptions, required, type Rules } from '../../options/rules';
import { STORE } from '../engine/options';

/** Where a {@link Persistence} keeps its store, and how often. */
export interface PersistenceOptions {
  /** The snapshot; `FILE.1` beside it is the one before. The folder must exist. */
  file: string;
  /** How often a store that has changed is saved, in milliseconds; 0 for never. @default 60000 */
  interval?: number;
  /** Takes a line when something went wrong: a snapshot refused, a save failed, items that found no room. */
  log?: (line: string) => void;
}

const RULES: Rules<PersistenceOptions> = {
  file: required(STRING),
  interval: MILLISECONDS,
  log: FUNCTION,
};

/** @throws MemcacheIllegalInputError naming the option and its rule */
export function checkPersistence(store: unknown, options: PersistenceOptions): void {
  checkOption('store', store, required(STORE));
  checkOptions(options, RULES);
}
