/**
 * Looking through bytes of node:v8's format before V8 reads them.
 *
 * V8 keeps within the bytes, but believes the lengths of arrays: 56 bytes that tell of eight arrays of thirty million
 * elements end the process. What is let through here makes no more than a bounded amount of memory.
 */
import { MemcacheSerdeError } from '../../errors';
import { latin1Slice } from '../../protocol/bytes';
import { Budget, ElementCost, OBJECT_UNITS } from '../budget';

/** A value begins with a tag. These tell what holds other values, by the tag that ends it. */
interface Container {
  readonly end: '{' | '@' | '$' | ':' | ',' | '.';
  /** How many values come before the keys begin; in a Map or Set there are no keys. */
  elements: number;
  /** Of a key and its value, whether the key is next; of an error, whether its cause is. */
  keyIsNext: boolean;
  readonly keys: ElementCost;
}

/**
 * Checks that `data` is one value of V8's format (0xFF, version, value), of the kinds that a `StructuredSerde` writes.
 *
 * @throws MemcacheSerdeError when it is not, or when the value would take too much memory
 */
export function scanStructured(data: Buffer): void {
  new Scan(data).run();
}

function malformed(): MemcacheSerdeError {
  return new MemcacheSerdeError('the structured value is malformed, or of a kind that is not supported', { certainty: 'executed' });
}

class Scan {
  readonly #data: Buffer;
  readonly #budget = new Budget();
  readonly #open: Container[] = [];
  #at = 2;

  constructor(data: Buffer) {
    this.#data = data;
  }

  run(): void {
    if (this.#data[0] !== 0xff) throw malformed();
    do {
      const container = this.#open.at(-1);
      if (container?.end === '.' && !container.keyIsNext) this.#errorPart(container);
      else this.#value(container);
    } while (this.#open.length > 0);
    if (this.#at !== this.#data.length) throw malformed();
  }

  #tag(): string {
    let tag;
    do tag = this.#byte();
    while (tag === 0);
    return String.fromCharCode(tag);
  }

  #byte(): number {
    const byte = this.#data[this.#at++];
    if (byte === undefined) throw malformed();
    return byte;
  }

  /** Seven bits per byte, lowest first, 32 in all. */
  #varint(): number {
    let value = 0;
    for (let factor = 1; factor <= 2 ** 28; factor *= 128) {
      const byte = this.#byte();
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
    throw malformed();
  }

  /** Steps over `count` bytes, and tells where they begin. */
  #skip(count: number): number {
    const start = this.#at;
    if (count > this.#data.length - start) throw malformed();
    this.#at += count;
    return start;
  }

  /** A value, or the end of the container that it would be in. */
  #value(container: Container | undefined): void {
    const tag = this.#tag();
    if (tag === container?.end) {
      this.#close(container);
      return;
    }
    const key = this.#content(tag);
    if (container === undefined) return;
    if (container.elements > 0) {
      container.elements--;
      return;
    }
    if (container.keyIsNext && key !== undefined) container.keys.chargeKey(key);
    container.keyIsNext = !container.keyIsNext;
  }

  /** Steps over what follows the tag; for what can be a key that makes room for elements, the key. */
  #content(tag: string): string | number | undefined {
    this.#budget.charge('_0TFIUN"cS^-'.includes(tag) ? 1 : OBJECT_UNITS);
    switch (tag) {
      case '_': case '0': case 'T': case 'F': case '-': case 'x': case 'y':
        return undefined;
      case 'I':
        return this.#varint() / 2;
      case 'U':
        return this.#varint();
      case 'N':
        return this.#data.readDoubleLE(this.#skip(8));
      case '"': case 'c': case 'S':
        return this.#text();
      case 'D': case 'n':
        this.#skip(8);
        return undefined;
      case '^':
        this.#varint();
        return undefined;
      case 'Z': case 'z':
        this.#skip(this.#varint() >>> 1);
        return undefined;
      case 's':
        this.#textValue();
        return undefined;
      case 'R':
        this.#textValue();
        this.#varint();
        return undefined;
      case 'B':
        this.#skip(this.#varint());
        return undefined;
      case '\\':
        this.#varint();
        this.#skip(this.#varint());
        return undefined;
      default:
        this.#begin(tag);
        return undefined;
    }
  }

  #begin(tag: string): void {
    switch (tag) {
      case 'o':
        this.#push('{', 0);
        break;
      case 'a':
        this.#budget.charge(this.#varint());
        this.#push('@', 0);
        break;
      case 'A': {
        const length = this.#varint();
        this.#budget.charge(length);
        this.#push('$', length);
        break;
      }
      case ';':
        this.#push(':', Number.POSITIVE_INFINITY);
        break;
      case "'":
        this.#push(',', Number.POSITIVE_INFINITY);
        break;
      case 'r':
        this.#push('.', 0);
        break;
      default:
        throw malformed();
    }
  }

  #push(end: Container['end'], elements: number): void {
    this.#open.push({ end, elements, keyIsNext: end !== '.', keys: new ElementCost(this.#budget) });
  }

  /** An object ends with the number of its properties; arrays tell their length once more. */
  #close({ end }: Container): void {
    this.#open.pop();
    this.#varint();
    if (end === '@' || end === '$') this.#varint();
  }

  /** Errors have tags of their own: for their class, the message, the stack, and the cause, which may be any value. */
  #errorPart(error: Container): void {
    const tag = this.#tag();
    if (tag === '.') this.#open.pop();
    else if (tag === 'm' || tag === 's') this.#textValue();
    else if (tag === 'c') error.keyIsNext = true;
    else if (!'ERFSTU'.includes(tag)) throw malformed();
  }

  #textValue(): void {
    if (!'"cS'.includes(this.#tag())) throw malformed();
    this.#text();
  }

  /** Text that is short enough to be a number, as far as it is of Latin-1. */
  #text(): string | undefined {
    const length = this.#varint();
    const start = this.#skip(length);
    return length > 8 ? undefined : latin1Slice(this.#data, start, start + length).replaceAll('\0', '');
  }
}
