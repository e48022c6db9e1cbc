/** The answers to typed meta commands, read from the letters of a {@link MetaResult}. */
import { MemcacheUnknownError } from '../../errors';
import { isUint64 } from '../../protocol/bytes';
import type { Frame } from '../../protocol/frame';
import { EXISTS, NOT_FOUND, NOT_STORED, OK, type Outcome } from '../outcomes';
import { countOf } from './item';
import { MetaExchange, type MetaParts, type MetaResult } from './meta';

/** An item as `metaGet` returns it: what was asked for, and three flags about its freshness. */
export interface MetaItem<V> {
  /** Undefined when it was not asked for, or the serde says that it is a miss. */
  value: V | undefined;
  /** Client flags. */
  flags: number | undefined;
  /** The token for a later compare-and-set. */
  cas: string | undefined;
  /** Seconds to live, -1 for ever. */
  ttl: number | undefined;
  /** Size of the value in bytes. */
  size: number | undefined;
  /** Whether it was read before. */
  hitBefore: boolean | undefined;
  /** Seconds since it was last read. */
  lastAccess: number | undefined;
  /** Whether this caller, and no other, is to refresh the item. */
  won: boolean;
  /** Whether the item was marked as stale. */
  stale: boolean;
  /** Whether another caller is refreshing the item. An item of `size` 0 is then a place-holder without a value yet. */
  recaching: boolean;
}

/** The outcome of a `metaSet` or `metaDelete`. */
export interface MetaWriteResult {
  /** `done`: stored or deleted; `notStored`: refused by the mode's own rule; `exists`: the cas differs; `notFound`: no such key. */
  status: 'done' | 'notStored' | 'exists' | 'notFound';
  /** The new cas, when asked for and stored. */
  cas: string | undefined;
}

/** The outcome of a `metaArithmetic`. */
export interface MetaCount<N extends number | bigint> extends MetaWriteResult {
  /** The new count; undefined unless `status` is `done`. */
  // Not N itself: where it is inferred from a literal, that literal is not what is counted.
  value: (N extends bigint ? bigint : number) | undefined;
  /** Seconds to live, -1 for ever; when asked for. */
  ttl: number | undefined;
}

/** The outcome of an `ms` or `md`. */
export function metaWriteResult(result: MetaResult): MetaWriteResult {
  const status = STATUS[result.code] ?? 'done';
  return { status, cas: status === 'done' ? result.flag('c') : undefined };
}

const STATUS: Readonly<Record<string, MetaWriteResult['status']>> = { NS: 'notStored', EX: 'exists', NF: 'notFound' };

const OUTCOMES: Readonly<Record<MetaWriteResult['status'], Outcome>> = { done: OK, notStored: NOT_STORED, exists: EXISTS, notFound: NOT_FOUND };

/** The typed `ma`. */
export class MetaCountCommand extends MetaExchange<MetaCount<number | bigint>> {
  readonly #exact: boolean;

  /** @param exact whether the count is to be a bigint */
  constructor(command: MetaParts, wireKey: string, exact: boolean) {
    super(command, wireKey);
    this.#exact = exact;
  }

  override outcome({ status }: MetaCount<number | bigint>): Outcome {
    return OUTCOMES[status];
  }

  read(frame: Frame, server: string): MetaCount<number | bigint> {
    return metaCount(this.resultIn(frame, server), this.#exact);
  }
}

/** The outcome of an `ma`, its count as a bigint if `exact`. */
function metaCount(result: MetaResult, exact: boolean): MetaCount<number | bigint> {
  const digits = result.value?.toString('latin1');
  if (digits !== undefined && !isUint64(digits)) throw notANumber('the count', 'ma');
  const ttl = result.flag('t');
  // Named one by one: to spread them took a third of the call.
  const { status, cas } = metaWriteResult(result);
  return {
    status,
    cas,
    ttl: ttl === undefined ? undefined : numberIn('t', ttl),
    value: digits === undefined ? undefined : countOf(digits, exact, 'ma'),
  };
}

/** The `name=value` pairs of an `me` answer; `undefined` on a miss. */
export function metaDebugInfo(result: MetaResult): Map<string, string> | undefined {
  if (result.code === 'EN') return undefined;
  return new Map(
    result.flags.slice(1).map((pair) => {
      const at = pair.indexOf('=');
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

/** The number in a decimal flag. */
function numberIn(letter: string, digits: string): number {
  if (!/^-?[0-9]{1,15}$/.test(digits)) throw notANumber(`the flag ${letter}`, 'ma');
  return Number(digits);
}

export function notANumber(what: string, command: string): MemcacheUnknownError {
  return new MemcacheUnknownError(`${what} of a meta reply is not a number`, { command, certainty: 'executed' });
}
