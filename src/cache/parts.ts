import { Client } from '../client/client';
import type { Executor } from '../client/executor';
import { nextClientId } from '../client/observe';
import { FallbackClient } from '../client/policies/fallback-client';
import { encodePrefix, routingPart, type Key } from '../protocol/key';
import { DEFAULT_MAX_VALUE_SIZE } from '../protocol/limits';
import { systemClock, type Clock } from '../runtime/clock';
import { systemRandom } from '../runtime/random';
import type { Serde } from '../serde/serde';
import { TypedSerde } from '../serde/typed-serde';
import { cacheSettings, type CacheOptions, type CacheSettings } from './cache-options';
import { Durations } from './engine/durations';
import { FailedLoads } from './engine/failed-loads';
import { Loads } from './engine/loads';
import { Lookups } from './engine/lookups';
import { Pending } from './engine/pending';
import { Places } from './engine/places';
import { Reader } from './engine/reader';
import { Slots } from './engine/slots';
import { Storing } from './engine/storing';
import { Writes } from './engine/writes';
import { Events } from './events';
import { Chunks } from './exchange/chunks';
import { ClassicLeases, TIMES_LENGTH } from './exchange/classic-leases';
import { Gate } from './exchange/gate';
import type { Leases, Place } from './exchange/leases';
import { MetaLeases } from './exchange/meta-leases';
import { rejecting } from './exchange/rejecting';
import { Reply } from './exchange/reply';
import { CasNumbers } from './exchange/tokens';
import { allOf, EntryReader } from './format/entry-reader';
import { EntryWriter } from './format/entry-writer';
import { Circuits } from './health/circuit';
import { KeySpace } from './key-space';
import { Broadcast } from './near/broadcast';
import { NearCache } from './near/near-cache';
import { ServerCounters } from './tags/counters';
import { Versions, type CounterHealth } from './tags/versions';
import { TimeLimits } from './time-limits';

/** The parts of a cache that its methods use. */
export interface CacheParts {
  readonly settings: CacheSettings;
  readonly clock: Clock;
  readonly keys: KeySpace;
  readonly events: Events;
  readonly near: NearCache | undefined;
  readonly broadcast: Broadcast | undefined;
  readonly slots: Slots;
  readonly loads: Loads;
  readonly lookups: Lookups;
  readonly writes: Writes;
  readonly pending: Pending;
  readonly limits: TimeLimits;
}

/**
 * Makes the parts of a cache and puts them together. What refers to a part that is made later does so in a function that nobody
 * calls before.
 *
 * @throws MemcacheIllegalInputError naming the option that is not legal
 */
export function assembleCache<Out, In>(client: Client<Out, In>, options: CacheOptions<Out & In>): CacheParts {
  const settings = cacheSettings(options);
  const { clock: clientClock, serde: clientSerde, keyPrefix, allowUnicodeKeys: allowUnicode = false, maxValueSize = DEFAULT_MAX_VALUE_SIZE, diagnostics } = client.options;
  const clock = options.clock ?? clientClock ?? systemClock;
  const random = options.random ?? systemRandom;
  const serde: Serde<unknown, unknown> = clientSerde ?? new TypedSerde();
  const { cacheTimeout, tags } = settings.entry;
  const serverOf = serverOfKeys(client.executor);
  const epoch = (): number => writes.epoch;

  const executor = rejecting(client.executor);
  const keys = new KeySpace({ prefix: encodePrefix(keyPrefix ?? '', allowUnicode), allowUnicode }, settings.namespace);
  if (Array.isArray(tags)) keys.checkTags(tags);
  const origin = { clientId: clientIdOf(client), name: settings.name };
  const events = new Events(settings.observe, origin, settings.keyShown ?? diagnostics?.key);
  const entryReader = new EntryReader(serde);
  const writer = new EntryWriter(serde, maxValueSize, () => (gate.abilities?.leases === false ? TIMES_LENGTH : 0));
  const chunks = new Chunks(executor, entryReader, clock, random, maxValueSize, settings.maxChunked);
  const limits = new TimeLimits(clock);
  const gate = new Gate(executor, clock, limits, ({ leases, ownCas }) => {
    const numbers = new CasNumbers(random);
    if (!leases) return new ClassicLeases(executor, entryReader, clock, numbers);
    return new MetaLeases(executor, entryReader, clock, ownCas ? numbers : undefined, client instanceof FallbackClient);
  });
  const leases = (): Leases | undefined => gate.leases;

  const circuits = new Circuits(clock, settings.circuit.failures, settings.circuit.pause);
  const counters = new ServerCounters(executor, gate, random, keys, cacheTimeout, serverOf);
  const health = counterHealth((name) => keys.counter(name), serverOf, circuits, events);
  const versions = new Versions({ counters, health, clock, limits, limit: cacheTimeout, maxAge: settings.tagMaxAge });
  const places = new Places(keys, versions, clock);

  const durations = new Durations(random);
  const near = settings.l1 === undefined ? undefined : new NearCache({ settings: settings.l1, clock, random, reader: entryReader, versions, durations, epoch });
  const broadcast = settings.l1?.broadcast !== true ? undefined : new Broadcast((wireKey) => {
    writes.heard(wireKey);
  });

  const pending = new Pending();
  const slots = new Slots(settings.maxLoads, settings.maxQueuedLoads);
  const storing = new Storing({ leases, writer, events, durations, versions, random, near, epoch, chunks });
  const failed = new FailedLoads(clock, durations);
  const loads = new Loads({
    settings,
    clock,
    events,
    slots,
    pending,
    storing,
    origin,
    failed,
  });
  const reader = new Reader({ settings, clock, random, events, gate, circuits, loads, failed, slots, durations, storing, versions, limits, pending, chunks, near, copyOf: copier(writer, entryReader), serverOf, epoch });
  const writes = new Writes({ settings, executor, clock, random, events, gate, places, reader, near, broadcast, writer, chunks, storing, durations, versions });
  const lookups = new Lookups({ executor, clock, keys, places, gate, events, entryReader, chunks, versions, near, broadcast, slots, loads, pending, reader, limits, serverOf });
  return { settings, clock, keys, events, near, broadcast, slots, loads, lookups, writes, pending, limits };
}

/** Counters are asked for as entries are: not while the circuit of their server is open. */
function counterHealth(placeOf: (name: string) => Place, serverOf: (place: Place) => string, circuits: Circuits, events: Events): CounterHealth {
  return {
    admit: (name) => {
      const place = placeOf(name);
      // The counter may have another server by the time that the question has ended.
      const server = serverOf(place);
      if (!circuits.quiet && !circuits.admits(server)) return undefined;
      return {
        ok: () => {
          if (!circuits.quiet) circuits.ok(server);
        },
        failed: () => {
          if (circuits.failed(server)) events.emit('circuit-open', place.key);
        },
      };
    },
  };
}

/** Makes copies of values as if they had been stored and read. */
function copier(writer: EntryWriter, reader: EntryReader): (key: Key, value: unknown) => unknown {
  return (key, value) => {
    if (typeof value !== 'object') return value;
    const reply = new Reply();
    try {
      const { data, flags } = writer.serialize(key, value);
      reader.readValue(reply, key, allOf(Buffer.from(data), true), flags, 1);
    } catch {
      // A serde need not write all that it reads.
    }
    return reply.value;
  };
}

/** The number by which messages name a client. */
function clientIdOf(client: object): number {
  return 'clientId' in client && typeof client.clientId === 'number' ? client.clientId : nextClientId();
}

/** Returns the name of the server that owns a key, also behind a policy; '' for all keys where there is one server. */
function serverOfKeys({ monitor }: Executor): (place: Place) => string {
  if (monitor?.serverFor === undefined) return () => '';
  return ({ key }) => {
    try {
      return monitor.serverFor?.(routingPart(key)) ?? '';
    } catch {
      // A hasher of the user's own: the command itself tells what is wrong with it.
      return '';
    }
  };
}
