/**
 *     mg <key> <flag>*\r\n                            VA <size> <flag>*\r\n<data>\r\n | HD <flag>* | EN
 *
 * https://github.com/memcached/memcached/blob/master/doc/protocol.txt
 */
import { Ascii } from '../../protocol/ascii';
import { latin1Slice, readDecimal } from '../../protocol/bytes';
import type { Frame } from '../../protocol/frame';
import { keyText, type Key } from '../../protocol/key';
import { deserializeValue } from '../../serde/read';
import { MISS, type Serde } from '../../serde/serde';
import { NO_CAS, readingOfOne, type Reading } from '../command';
import * as outcomes from '../outcomes';
import { MetaExchange } from './meta';
import { notANumber, type MetaItem } from './meta-results';

/** The typed `mg`. Its reply is read from the socket's buffer: through tokens it took three times as long. */
export class MetaGetCommand<V> extends MetaExchange<MetaItem<V> | undefined> {
  readonly #serde: Serde<V, never>;

  constructor(flags: readonly string[], wireKey: string, key: Key, serde: Serde<V, never>) {
    super({ code: 'mg', key, flags }, wireKey);
    this.#serde = serde;
  }

  /** A place-holder that another caller is to fill is a miss. */
  override outcome(item: MetaItem<V> | undefined): outcomes.Outcome {
    const isPlaceHolder = item !== undefined && (item.won || item.recaching) && item.value === undefined && this.has('v');
    return item === undefined || isPlaceHolder ? outcomes.MISS : outcomes.HIT;
  }

  /** It only reads, unless it makes the place that it finds empty. */
  override get reading(): Reading<MetaItem<V> | undefined> | undefined {
    if (!this.idempotent) return undefined;
    return readingOfOne(
      this,
      (item) => item === undefined,
      (item) => (item?.cas === undefined ? item : { ...item, cas: NO_CAS }),
    );
  }

  read(frame: Frame, server: string): MetaItem<V> | undefined {
    const code = this.codeOf(frame, server);
    const item: MetaItem<V> = {
      value: undefined,
      flags: undefined,
      cas: undefined,
      ttl: undefined,
      size: undefined,
      hitBefore: undefined,
      lastAccess: undefined,
      won: false,
      stale: false,
      recaching: false,
    };
    this.eachFlag(frame, code, (buffer, from, end) => {
      setFlag(item, buffer, from, end);
    });
    if (code === 'EN') return undefined;
    // An empty item that is being filled is a place-holder, not a value that the serde could read.
    if (code === 'HD' || (frame.dataStart === frame.dataEnd && (item.won || item.recaching))) return item;
    const value = deserializeValue(this.#serde, frame, item.flags ?? 0, keyText(this.key), 'mg');
    if (value !== MISS) item.value = value;
    // An item that the serde calls a miss is still returned if it has something to say: that this caller is to refresh it, or
    // its token.
    else if (!hasNews(item)) return undefined;
    return item;
  }
}

/** What one flag of a reply says about an item; flags without information are ignored. */
function setFlag(item: MetaItem<unknown>, buffer: Buffer, from: number, end: number): void {
  switch (String.fromCharCode(buffer[from] ?? Ascii.Space)) {
    case 'f':
      item.flags = numberOf(buffer, from, end);
      break;
    case 'c':
      item.cas = latin1Slice(buffer, from + 1, end);
      break;
    case 't':
      item.ttl = numberOf(buffer, from, end);
      break;
    case 's':
      item.size = numberOf(buffer, from, end);
      break;
    case 'h':
      item.hitBefore = buffer[from + 1] === Ascii.One;
      break;
    case 'l':
      item.lastAccess = numberOf(buffer, from, end);
      break;
    case 'W':
      item.won = true;
      break;
    case 'X':
      item.stale = true;
      break;
    case 'Z':
      item.recaching = true;
      break;
  }
}

/** Whether there is more to an item than its client flags. */
function hasNews({ cas, ttl, size, hitBefore, lastAccess, won, stale, recaching }: MetaItem<unknown>): boolean {
  return won || stale || recaching || (cas ?? ttl ?? size ?? hitBefore ?? lastAccess) !== undefined;
}

/** The number in a decimal flag. */
function numberOf(buffer: Buffer, from: number, end: number): number {
  const isNegative = buffer[from + 1] === Ascii.Minus;
  const number = readDecimal(buffer, from + (isNegative ? 2 : 1), end);
  if (number >= 0) return isNegative ? -number : number;
  throw notANumber(`the flag ${latin1Slice(buffer, from, from + 1)}`, 'mg');
}
