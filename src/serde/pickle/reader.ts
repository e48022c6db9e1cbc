/**
 * Reads Python's pickles, protocols 0 to 5, that hold plain data.
 *
 * A pickle is a program for a machine with a stack. This one has no operation that imports, calls or builds anything
 * but the few functions of `globals.ts`, none of which can do more than make a value.
 */
import { Budget, OBJECT_UNITS } from '../budget';
import { toBigInt, toInteger } from '../integer';
import { findGlobal, Global } from './globals';
import { malformed } from './malformed';
import { Dict, toPlain } from './plain';
import { PickleSource } from './source';
import { decodeRawUnicodeEscape, decodeRepr, fromPython2 } from './text';

/** An entry of the memo. */
const MEMO_UNITS = 4;

const HIGHEST_PROTOCOL = 5;

/**
 * The value of the pickle in `data[start, end)`: None as null, ints as numbers or, past 2^53, bigints, bytes as Buffers,
 * lists and tuples as Arrays, sets as Sets, dicts as objects or, unless all keys are strings, as Maps, datetimes as Dates.
 *
 * @throws MemcacheSerdeError for everything that is not exactly one pickle of plain data
 */
export function readPickle(data: Buffer, start: number, end: number): unknown {
  const budget = new Budget();
  return toPlain(new PickleReader(new PickleSource(data, start, end), budget).run(), budget);
}

/** Until it is finished a dict has a list of its items beside itself, which takes four words more. */
const LIST_OF_DICT = 4;

class PickleReader {
  readonly #source: PickleSource;
  readonly #stack: unknown[] = [];
  /** Where on the stack the open containers begin. */
  readonly #marks: number[] = [];
  readonly #memo = new Map<number, unknown>();
  readonly #budget: Budget;

  constructor(source: PickleSource, budget: Budget) {
    this.#source = source;
    this.#budget = budget;
  }

  run(): unknown {
    for (;;) {
      const opcode = String.fromCharCode(this.#source.uint8());
      if (opcode === '.') break;
      this.#step(opcode);
    }
    const value = this.#pop();
    if (!this.#source.ended || this.#stack.length > 0) throw malformed('something is left over at its end');
    return value;
  }

  #step(opcode: string): void {
    const source = this.#source;
    switch (opcode) {
      // The protocol and frames are only checked.
      case '\x80': if (source.uint8() > HIGHEST_PROTOCOL) throw malformed('its protocol is newer than 5'); return;
      case '\x95': source.uint64(); return;

      // Values.
      case 'N': this.#push(null); return;
      case '\x88': this.#push(true); return;
      case '\x89': this.#push(false); return;
      case 'I': this.#push(intOrBool(source.line())); return;
      case 'J': this.#push(source.int32()); return;
      case 'K': this.#push(source.uint8()); return;
      case 'M': this.#push(source.uint16()); return;
      case 'L': this.#push(toInteger(source.line().replace(/L$/, ''))); return;
      case '\x8a': this.#push(source.long(source.uint8())); return;
      case '\x8b': this.#pushLong(length(source.int32())); return;
      case 'F': this.#push(float(source.line())); return;
      case 'G': this.#push(source.double()); return;
      case 'V': this.#push(decodeRawUnicodeEscape(source.line())); return;
      case 'X': this.#push(source.text(source.uint32())); return;
      case '\x8c': this.#push(source.text(source.uint8())); return;
      case '\x8d': this.#push(source.text(source.uint64())); return;
      case 'S': this.#push(fromPython2(decodeRepr(source.line()))); return;
      case 'T': this.#push(fromPython2(source.bytes(length(source.int32())))); return;
      case 'U': this.#push(fromPython2(source.bytes(source.uint8()))); return;
      case 'B': this.#push(source.bytes(source.uint32())); return;
      case 'C': this.#push(source.bytes(source.uint8())); return;
      case '\x8e': case '\x96': this.#push(source.bytes(source.uint64())); return;

      // Containers.
      case ']': case ')': this.#push([]); return;
      case '}': this.#budget.charge(LIST_OF_DICT); this.#push(new Dict()); return;
      case '\x8f': this.#push(new Set()); return;
      case 'l': case 't': this.#push(this.#popToMark()); return;
      case '\x85': this.#push(this.#popMany(1)); return;
      case '\x86': this.#push(this.#popMany(2)); return;
      case '\x87': this.#push(this.#popMany(3)); return;
      case 'd': { const items = this.#popToMark(); this.#push(new Dict()); this.#addPairs(items); return; }
      case '\x91': { const items = this.#popToMark(); this.#push(new Set()); this.#addToSet(items); return; }
      case 'a': this.#append([this.#pop()]); return;
      case 'e': this.#append(this.#popToMark()); return;
      case 's': this.#addPairs(this.#popMany(2)); return;
      case 'u': this.#addPairs(this.#popToMark()); return;
      case '\x90': this.#addToSet(this.#popToMark()); return;

      // The stack and the memo.
      case '(': this.#marks.push(this.#stack.length); this.#budget.charge(1); return;
      case '0': this.#pop(); return;
      case '1': this.#popToMark(); return;
      case '2': this.#push(this.#top()); return;
      case 'p': this.#remember(index(source.line())); return;
      case 'q': this.#remember(source.uint8()); return;
      case 'r': this.#remember(source.uint32()); return;
      case '\x94': this.#remember(this.#memo.size); return;
      case 'g': this.#recall(index(source.line())); return;
      case 'h': this.#recall(source.uint8()); return;
      case 'j': this.#recall(source.uint32()); return;

      // The few functions.
      case 'c': this.#push(findGlobal(source.line(), source.line())); return;
      case '\x93': { const [module, name] = this.#popMany(2); this.#push(findGlobal(module, name)); return; }
      case 'R': { const [callee, args] = this.#popMany(2); this.#call(callee, args); return; }
      case 'i': this.#call(findGlobal(source.line(), source.line()), this.#popToMark()); return;
      default: throw malformed(`it uses operation 0x${opcode.charCodeAt(0).toString(16)}, and only plain data is read`);
    }
  }

  #push(value: unknown): void {
    const isSmall = (typeof value !== 'object' && typeof value !== 'bigint') || value === null;
    this.#budget.charge(isSmall ? 1 : OBJECT_UNITS);
    this.#stack.push(value);
  }

  /** Making an integer takes eight times its bytes. */
  #pushLong(size: number): void {
    this.#budget.charge(size);
    this.#push(this.#source.long(size));
  }

  /** The lowest position that may be popped: an open container must not take what lies below it. */
  get #floor(): number {
    return this.#marks.at(-1) ?? 0;
  }

  #top(): unknown {
    if (this.#stack.length <= this.#floor) throw malformed('a value is missing');
    return this.#stack.at(-1);
  }

  #pop(): unknown {
    const value = this.#top();
    this.#stack.pop();
    return value;
  }

  #popMany(count: number): unknown[] {
    if (this.#stack.length - count < this.#floor) throw malformed('a value is missing');
    return this.#stack.splice(this.#stack.length - count);
  }

  #popToMark(): unknown[] {
    const mark = this.#marks.pop();
    if (mark === undefined) throw malformed('a mark is missing');
    return this.#stack.splice(mark);
  }

  #append(items: readonly unknown[]): void {
    const list = this.#top();
    if (!Array.isArray(list)) throw malformed('it appends to something that is not a list');
    for (const item of items) list.push(item);
  }

  #addPairs(items: readonly unknown[]): void {
    const dict = this.#top();
    if (!(dict instanceof Dict) || items.length % 2 === 1) throw malformed('it sets a key of something that is not a dict');
    for (const item of items) dict.items.push(item);
  }

  #addToSet(items: readonly unknown[]): void {
    const set = this.#top();
    if (!(set instanceof Set)) throw malformed('it adds to something that is not a set');
    for (const item of items) set.add(item);
  }

  #remember(at: number): void {
    this.#budget.charge(MEMO_UNITS);
    this.#memo.set(at, this.#top());
  }

  #recall(at: number): void {
    if (!this.#memo.has(at)) throw malformed('it refers to a memo entry that is not there');
    this.#push(this.#memo.get(at));
  }

  #call(callee: unknown, args: unknown): void {
    if (!(callee instanceof Global) || !Array.isArray(args)) throw malformed('it calls something that is not a function');
    this.#push(callee.call(args, this.#budget));
  }
}

function intOrBool(line: string): number | bigint | boolean {
  if (line === '00' || line === '01') return line === '01';
  return toInteger(line);
}

function float(line: string): number {
  const special = /^([+-]?)(inf|nan)$/.exec(line);
  if (special !== null) return special[2] === 'nan' ? Number.NaN : Number(`${special[1] ?? ''}Infinity`);
  if (!/^[+-]?[0-9]+(\.[0-9]*)?(e[+-]?[0-9]+)?$/.test(line)) throw malformed('a malformed float');
  return Number(line);
}

/** Some lengths are read as signed numbers, and a negative one is malformed. */
function length(value: number): number {
  if (value < 0) throw malformed('a negative length');
  return value;
}

function index(line: string): number {
  const value = Number(toBigInt(line));
  if (value < 0) throw malformed('a negative index');
  return value;
}
