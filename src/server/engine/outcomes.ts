/** What a store may be asked to do with a value, and what comes of it. */
import type { Cas, Item } from './item';

/** How a store treats an existing item. */
export type StoreMode = 'set' | 'add' | 'replace' | 'append' | 'prepend' | 'cas';

/** The outcome of storing a value. */
export type StoreOutcome = 'stored' | 'notStored' | 'exists' | 'notFound' | 'tooLarge' | 'noMemory';

/** The outcome of counting; `number` is the new count in decimal. */
export type CountOutcome =
  | { readonly outcome: 'counted'; readonly number: string; readonly item: Item }
  | { readonly outcome: 'notFound' | 'exists' | 'notANumber' | 'overflow' | 'noMemory' };

/** Further parameters of storing a value. */
export interface StoreRequest {
  /** The cas that the item must have; 0 for any. */
  readonly cas: Cas;
  /** Whether an older `cas` is accepted too; the item is then marked stale. */
  readonly orStale: boolean;
  /** Whether the key came in base64. */
  readonly binaryKey: boolean;
  /** The new cas of the item, when it is not to be the store's next; 0 means the store's next too. */
  readonly newCas?: Cas | undefined;
}

/** None of them. */
export const PLAIN: StoreRequest = { cas: 0, orStale: false, binaryKey: false };
