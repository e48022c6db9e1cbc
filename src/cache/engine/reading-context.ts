import type { Key } from '../../protocol/key';
import type { Clock } from '../../runtime/clock';
import type { Random } from '../../runtime/random';
import type { CacheSettings } from '../cache-options';
import type { Events } from '../events';
import type { Chunks } from '../exchange/chunks';
import type { Gate } from '../exchange/gate';
import type { Place } from '../exchange/leases';
import type { Circuits } from '../health/circuit';
import type { Versions } from '../tags/versions';
import type { TimeLimits } from '../time-limits';
import type { Durations } from './durations';
import type { FailedLoads } from './failed-loads';
import type { Loads } from './loads';
import type { Pending } from './pending';
import type { NearTaker } from './read';
import type { Slots } from './slots';
import type { Storing } from './storing';

/** The parts of the cache that reading uses. */
export interface ReadingContext {
  readonly settings: CacheSettings;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: Events;
  readonly gate: Gate;
  readonly circuits: Circuits;
  readonly loads: Loads;
  readonly failed: FailedLoads;
  readonly slots: Slots;
  readonly durations: Durations;
  readonly storing: Storing;
  readonly versions: Versions;
  readonly limits: TimeLimits;
  readonly pending: Pending;
  readonly chunks: Chunks;
  readonly near: NearTaker | undefined;
  /** An object of its own that is equal to this value; undefined when the serde makes none. */
  readonly copyOf: (key: Key, value: unknown) => unknown;
  /** The server that owns a key; '' where that is not known. */
  readonly serverOf: (place: Place) => string;
  /** How often this process has written. */
  readonly epoch: () => number;
}
