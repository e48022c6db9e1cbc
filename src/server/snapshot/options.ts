import { option, settingsOf, type OptionTable, type Settings } from '../../options/option';
import { MILLISECONDS, STRING, SWITCH, checkValue, functionOf, objectWith } from '../../options/rule';
import { STORE } from '../engine/store';

/** Where a {@link Persistence} keeps its store, and how often. */
export interface PersistenceOptions {
  /** The path of the snapshot; the previous one is kept beside it as `FILE.1`. The folder must exist. */
  file: string;
  /** How often a store that has changed is saved, in milliseconds; 0 for never. @default 60000 */
  interval?: number | undefined;
  /** Called with a line when something went wrong: a snapshot was refused, a save failed, or items found no room. */
  log?: ((line: string) => void) | undefined;
  /** Gives up a start under way: `open` rejects with its reason. Later it means nothing. */
  signal?: AbortSignal | undefined;
}

/** How a {@link Persistence} ends. */
export interface PersistenceCloseOptions {
  /** Whether it saves once more, if something has changed. @default true */
  save?: boolean | undefined;
}

/** The options of a {@link Persistence}. */
const PERSISTENCE_OPTIONS = {
  file: option(STRING, ''),
  interval: option(MILLISECONDS, 60_000),
  log: option(functionOf<(line: string) => void>(), () => {}),
  signal: option(objectWith<AbortSignal>('an AbortSignal', 'throwIfAborted')),
} satisfies OptionTable<PersistenceOptions>;

/** The options of its end. */
export const CLOSE_OPTIONS = { save: option(SWITCH, true) } satisfies OptionTable<PersistenceCloseOptions>;

/**
 * The options with their defaults.
 *
 * @throws MemcacheIllegalInputError naming the option and its rule
 */
export function checkPersistence(store: unknown, options: PersistenceOptions): Settings<typeof PERSISTENCE_OPTIONS> {
  checkValue('store', STORE.rule, store);
  const settings = settingsOf(PERSISTENCE_OPTIONS, options);
  checkValue('file', STRING, options.file);
  return settings;
}
