import { textValue, type StoredValue } from '../../engine/item';
import { Replies } from '../../shared/replies';

/** Longer errors are cut to this many bytes. */
const MAX_ERROR = 1024;

/** Replies in the client's version of RESP. */
export class RespReplies extends Replies {
  /** The version of RESP that the client has chosen. */
  protocol: 2 | 3 = 2;

  /** `+OK\r\n` */
  ok(): void {
    this.text('+OK\r\n');
  }

  /** `+<text>\r\n` */
  status(text: string): void {
    this.text(`+${text}\r\n`);
  }

  /** `-<text>\r\n`; the text begins with a word in capitals. Line ends within it become spaces, as in Redis. */
  error(text: string): void {
    const line = text.slice(0, MAX_ERROR).replace(/[\r\n]+$/, '');
    this.text(`-${line.replace(/[\r\n]/g, ' ')}\r\n`);
  }

  /** `:<integer>\r\n` */
  integer(integer: number | bigint | string): void {
    this.text(`:${integer}\r\n`);
  }

  /** `:1\r\n` or `:0\r\n` */
  flag(flag: boolean): void {
    this.text(flag ? ':1\r\n' : ':0\r\n');
  }

  /** `$<bytes>\r\n<value>\r\n`, and for no value `$-1\r\n` or `_\r\n` */
  bulk(value: StoredValue | undefined): void {
    if (value === undefined) {
      this.text(this.protocol === 3 ? '_\r\n' : '$-1\r\n');
      return;
    }
    this.block(`$${value.length}\r\n`, value);
  }

  /** A bulk string that RESP3 marks as text to be shown as it is: `=<bytes>\r\ntxt:<text>\r\n`. */
  verbatim(text: string): void {
    if (this.protocol === 3) this.text(`=${text.length + 4}\r\ntxt:${text}\r\n`);
    else this.bulk(textValue(text));
  }

  /** `*<length>\r\n`: this many replies follow. */
  array(length: number): void {
    this.text(`*${length}\r\n`);
  }

  /** Nil for an array: `*-1\r\n` or `_\r\n` */
  noArray(): void {
    this.text(this.protocol === 3 ? '_\r\n' : '*-1\r\n');
  }

  /** `%<pairs>\r\n`, in RESP2 an array: twice as many replies follow. */
  map(pairs: number): void {
    this.text(this.protocol === 3 ? `%${pairs}\r\n` : `*${pairs * 2}\r\n`);
  }

  /** An array of bulk strings, as they are now: what is more than a turn may send follows when the client has taken that. */
  list(values: readonly (StoredValue | undefined)[]): void {
    this.array(values.length);
    this.#listFrom(0, values);
  }

  /** A map of bulk strings. */
  pairs(pairs: readonly (readonly [string, string])[]): void {
    this.map(pairs.length);
    for (const [name, value] of pairs) {
      this.bulk(name);
      this.bulk(value);
    }
  }

  #listFrom(from: number, values: readonly (StoredValue | undefined)[]): void {
    for (let at = from; at < values.length; at++) {
      if (this.turn.isOverAfter(at - from)) {
        this.rest = () => {
          this.#listFrom(at, values);
        };
        return;
      }
      this.bulk(values[at]);
    }
  }
}
