import type { CallOptions } from '../../client/executor';
import type { Key } from '../../protocol/key';
import type { Ask, Reply, Stored } from './reply';

/** A key as the caller gave it, and as it travels. */
export interface Place {
  readonly key: Key;
  readonly wireKey: string;
  /** The version of the namespace cannot be had, so nothing may be read or stored: what is stored there could not be invalidated. */
  readonly unknown?: boolean;
}

/** An entry to be stored. */
export interface NewEntry {
  readonly block: string | Uint8Array;
  readonly flags: number;
  /** Seconds for which it is fresh; 0 for ever. */
  readonly fresh: number;
  /** Seconds for which it stays after that. */
  readonly keep: number;
  /** How long its load took, in milliseconds. */
  readonly delta: number;
}

/** How one of all processes is chosen to load, and how its result replaces only the item that it was chosen for. */
export interface Leases {
  read(place: Place, ask: Ask): Promise<Reply>;
  /** @param unless the CAS that the item must still have; undefined: in any case */
  store(place: Place, entry: NewEntry, unless: string | undefined, options?: CallOptions): Promise<Stored>;
  /** Deletes the item if it still has this CAS. */
  release(place: Place, cas: string): Promise<boolean>;
  /** Passes a token that this process cannot use to the next reader. */
  takeOver(place: Place, cas: string): Promise<boolean>;
  /** Marks the item as outdated; it stays for at most `stale` seconds. */
  invalidate(place: Place, stale: number, options?: CallOptions): Promise<boolean>;
}
