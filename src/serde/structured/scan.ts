/**
 * Checks bytes in node:v8's format before V8 reads them.
 *
 * V8 keeps within the bytes, but trusts the lengths of arrays: 56 bytes that announce eight arrays of thirty million elements
 * end the process. What passes here takes a bounded amount of memory.
 */
import { MemcacheSerdeError } from '../../errors';
import { latin1Slice } from '../../protocol/bytes';
import { Budget, ElementCost, OBJECT_UNITS } from '../budget';
import { unreadable } from '../unreadable';

/** The byte that begins a value, or ends one that holds others: V8's `SerializationTag`. */
const enum Tag {
  Undefined = 0x5f, // _
  Null = 0x30, // 0
  True = 0x54, // T
  False = 0x46, // F
  Hole = 0x2d, // -
  Int32 = 0x49, // I
  Uint32 = 0x55, // U
  Double = 0x4e, // N
  BigInt = 0x5a, // Z
  Latin1Text = 0x22, // "
  WideText = 0x63, // c
  Utf8Text = 0x53, // S
  Reference = 0x5e, // ^
  TrueObject = 0x79, // y
  FalseObject = 0x78, // x
  NumberObject = 0x6e, // n
  BigIntObject = 0x7a, // z
  TextObject = 0x73, // s
  Date = 0x44, // D
  RegExp = 0x52, // R
  ArrayBuffer = 0x42, // B
  /** Node's: a Buffer or another view. */
  HostObject = 0x5c, // \
  Object = 0x6f, // o
  ObjectEnd = 0x7b, // {
  SparseArray = 0x61, // a
  SparseArrayEnd = 0x40, // @
  DenseArray = 0x41, // A
  DenseArrayEnd = 0x24, // $
  Map = 0x3b, // ;
  MapEnd = 0x3a, // :
  Set = 0x27, // '
  SetEnd = 0x2c, // ,
  Error = 0x72, // r
  ErrorEnd = 0x2e, // .
}

/** Within an error, tags have other meanings. */
const ERROR_MESSAGE = 0x6d; // m
const ERROR_STACK = 0x73; // s
const ERROR_CAUSE = 0x63; // c
/** For the class of an error: EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError. */
const ERROR_CLASSES: ReadonlySet<number> = new Set(Buffer.from('ERFSTU'));

/** A value that holds others, while it is open. */
interface Container {
  readonly end: Tag;
  /** How many values come before the keys begin; in a Map or Set there are no keys. */
  elements: number;
  /** In an object, whether a key is next and not its value; in an error, whether its cause is. */
  keyIsNext: boolean;
  cost: ElementCost | undefined;
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
  return unreadable('the structured value is malformed, or of a kind that is not supported');
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
      if (container?.end === Tag.ErrorEnd && !container.keyIsNext) this.#errorPart(container);
      else this.#value(container);
    } while (this.#open.length > 0);
    if (this.#at !== this.#data.length) throw malformed();
  }

  /** The next tag; V8 puts zeros before one for alignment. */
  #tag(): Tag {
    let tag;
    do tag = this.#byte();
    while (tag === 0);
    // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- a byte that is no tag ends in a `default`
    return tag;
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

  /** Skips `count` bytes, and returns where they begin. */
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
      this.#close(tag);
      return;
    }
    const index = this.#content(tag);
    if (container === undefined) return;
    if (container.elements > 0) {
      container.elements--;
      return;
    }
    if (container.keyIsNext && index > 0) (container.cost ??= new ElementCost(this.#budget)).chargeKey(index);
    container.keyIsNext = !container.keyIsNext;
  }

  /** Skips what follows the tag. Returns the number that it would be as a key, or 0. */
  #content(tag: Tag): number {
    switch (tag) {
      case Tag.Undefined:
      case Tag.Null:
      case Tag.True:
      case Tag.False:
      case Tag.Hole:
        this.#budget.charge(1);
        return 0;
      case Tag.Int32:
        this.#budget.charge(1);
        return this.#varint() / 2;
      case Tag.Uint32:
      case Tag.Reference:
        this.#budget.charge(1);
        return this.#varint();
      case Tag.Double:
        this.#budget.charge(1);
        return this.#data.readDoubleLE(this.#skip(8));
      case Tag.Latin1Text:
      case Tag.WideText:
      case Tag.Utf8Text:
        this.#budget.charge(1);
        return this.#text();
      default:
        this.#budget.charge(OBJECT_UNITS);
        this.#object(tag);
        return 0;
    }
  }

  #object(tag: Tag): void {
    switch (tag) {
      case Tag.TrueObject:
      case Tag.FalseObject:
        break;
      case Tag.Date:
      case Tag.NumberObject:
        this.#skip(8);
        break;
      case Tag.BigInt:
      case Tag.BigIntObject:
        this.#skip(this.#varint() >>> 1);
        break;
      case Tag.TextObject:
        this.#textValue();
        break;
      case Tag.RegExp:
        this.#textValue();
        this.#varint();
        break;
      case Tag.ArrayBuffer:
        this.#skip(this.#varint());
        break;
      case Tag.HostObject:
        this.#varint();
        this.#skip(this.#varint());
        break;
      default:
        this.#begin(tag);
    }
  }

  #begin(tag: Tag): void {
    switch (tag) {
      case Tag.Object:
        this.#push(Tag.ObjectEnd, 0);
        break;
      case Tag.SparseArray:
        this.#budget.charge(this.#varint());
        this.#push(Tag.SparseArrayEnd, 0);
        break;
      case Tag.DenseArray: {
        const length = this.#varint();
        this.#budget.charge(length);
        this.#push(Tag.DenseArrayEnd, length);
        break;
      }
      case Tag.Map:
        this.#push(Tag.MapEnd, Number.POSITIVE_INFINITY);
        break;
      case Tag.Set:
        this.#push(Tag.SetEnd, Number.POSITIVE_INFINITY);
        break;
      case Tag.Error:
        this.#push(Tag.ErrorEnd, 0);
        break;
      default:
        throw malformed();
    }
  }

  #push(end: Tag, elements: number): void {
    this.#open.push({ end, elements, keyIsNext: end !== Tag.ErrorEnd, cost: undefined });
  }

  /** An object ends with the number of its properties; arrays repeat their length. */
  #close(end: Tag): void {
    this.#open.pop();
    this.#varint();
    if (end === Tag.SparseArrayEnd || end === Tag.DenseArrayEnd) this.#varint();
  }

  /** The class of an error, its message, its stack, or its cause, which may be any value. */
  #errorPart(error: Container): void {
    const tag: number = this.#tag();
    if (tag === (Tag.ErrorEnd as number)) this.#open.pop();
    else if (tag === ERROR_MESSAGE || tag === ERROR_STACK) this.#textValue();
    else if (tag === ERROR_CAUSE) error.keyIsNext = true;
    else if (!ERROR_CLASSES.has(tag)) throw malformed();
  }

  #textValue(): void {
    const tag = this.#tag();
    if (tag !== Tag.Latin1Text && tag !== Tag.WideText && tag !== Tag.Utf8Text) throw malformed();
    this.#text();
  }

  /** The number that the text is as a key, or 0: four digits of one or two bytes each, at most. */
  #text(): number {
    const length = this.#varint();
    const start = this.#skip(length);
    const first = this.#data[start] ?? 0;
    if (length > 8 || first < 0x30 || first > 0x39) return 0;
    const text = latin1Slice(this.#data, start, start + length).replaceAll('\0', '');
    return /^[0-9]{1,4}$/.test(text) ? Number(text) : 0;
  }
}
