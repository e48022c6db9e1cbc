/** Writes plain data as a pickle of protocol 2, which every Python since 2.3 reads. */
import { isDate, isMap, isSet } from 'node:util/types';
import { MemcacheSerdeError } from '../../errors';
import { isInteger } from '../integer';
import { nameOf } from '../kind';
import { MAX_DEPTH } from './plain';
import { PickleSink } from './sink';
import { encodeText } from './text';
import { asBuffer, isBytes } from '../../protocol/bytes';

/** A value that is still to be written, or (`after`) the end of a container, once its items have been written. */
interface Task {
  readonly value?: unknown;
  readonly depth: number;
  /** Whether it is a dict's key or in a set, where Python takes a tuple but not a list. */
  readonly hashable: boolean;
  readonly after?: (() => void) | undefined;
}

/**
 * The pickle of `value`: null as None, integers as int, other numbers as float, strings as str, Buffers as bytes, Arrays as
 * lists (as tuples where Python wants them hashable), objects and Maps as dicts, Sets as sets, Dates as datetimes in UTC.
 *
 * @throws MemcacheSerdeError for what a pickle cannot hold, and for values nested deeper than 1000
 */
export function writePickle(value: unknown): Buffer {
  return new PickleWriter().write(value);
}

class PickleWriter {
  readonly #sink = new PickleSink();
  /** The numbers of values already written: a value that comes again is referred to, so that shared and circular references survive. */
  readonly #memo = new Map<unknown, number>();
  /** The same for Arrays that were written as tuples. */
  readonly #tuples = new Map<unknown, number>();
  /** The same for functions, by name. */
  readonly #globals = new Map<string, number>();
  #memoized = 0;
  /** What is still to be written, the next one last: a list, so that no depth of a value exhausts the stack. */
  readonly #todo: Task[] = [];

  write(root: unknown): Buffer {
    this.#sink.ascii('\x80\x02');
    this.#todo.push({ value: root, depth: 0, hashable: false });
    for (let task = this.#todo.pop(); task !== undefined; task = this.#todo.pop()) {
      if (task.after) task.after();
      else this.#writeValue(task);
    }
    this.#sink.ascii('.');
    return this.#sink.end();
  }

  #writeValue({ value, depth, hashable }: Task): void {
    switch (typeof value) {
      case 'string':
        this.#writeText(value);
        return;
      case 'number':
        this.#writeNumber(value);
        return;
      case 'bigint':
        this.#writeBigInt(value);
        return;
      case 'boolean':
        this.#sink.ascii(value ? '\x88' : '\x89');
        return;
      case 'object':
        if (value === null) this.#sink.ascii('N');
        else if (!this.#refer(hashable && Array.isArray(value) ? this.#tuples : this.#memo, value)) this.#writeObject(value, depth, hashable);
        return;
      default:
        throw new MemcacheSerdeError(`a pickle cannot hold a value of type ${typeof value}`);
    }
  }

  // Each realm has its own Date, Set and Map: what node:v8 has read, under jest, is of another one than the code that stores it. A
  // Proxy of a Set or a Map, as Vue makes them, is only an instance.
  #writeObject(value: object, depth: number, hashable: boolean): void {
    if (isBytes(value)) this.#writeBytes(value);
    else if (isDate(value)) this.#writeDate(value);
    else if (depth === MAX_DEPTH) throw new MemcacheSerdeError(`the value is nested deeper than ${MAX_DEPTH}`);
    else if (Array.isArray(value)) this.#writeArray(value, depth + 1, hashable);
    else if (hashable) throw new MemcacheSerdeError('keys of Maps and members of Sets must be strings, numbers, bytes, dates or lists of these: Python takes nothing else');
    else if (value instanceof Set || isSet(value)) this.#writeSet(value, depth + 1);
    else if (value instanceof Map || isMap(value)) this.#writeDict(value, [...(value as Map<unknown, unknown>)], depth + 1);
    else if (isPlain(value)) this.#writeDict(value, Object.entries(value).filter(([, item]) => item !== undefined), depth + 1);
    else throw new MemcacheSerdeError(`a pickle cannot hold a ${nameOf(value)}; it can hold plain objects, Arrays, Maps, Sets, Dates and bytes`);
  }

  /** Whether the value was written before; it is then referred to. */
  #refer<T>(memo: ReadonlyMap<T, number>, value: T): boolean {
    const known = memo.get(value);
    if (known === undefined) return false;
    this.#writeIndex('h', 'j', known);
    return true;
  }

  #remember<T>(memo: Map<T, number>, value: T): void {
    this.#writeIndex('q', 'r', this.#memoized);
    memo.set(value, this.#memoized++);
  }

  #writeIndex(short: string, long: string, at: number): void {
    this.#sink.ascii(at < 256 ? short : long);
    if (at < 256) this.#sink.uint8(at);
    else this.#sink.int32(at);
  }

  #writeText(text: string): void {
    if (this.#refer(this.#memo, text)) return;
    this.#sink.ascii('X');
    if (text.isWellFormed()) {
      this.#sink.text(text);
    } else {
      const bytes = encodeText(text);
      this.#sink.int32(bytes.length);
      this.#sink.bytes(bytes);
    }
    this.#remember(this.#memo, text);
  }

  #writeNumber(value: number): void {
    if (isInteger(value)) {
      this.#writeInteger(value);
    } else {
      this.#sink.ascii('G');
      this.#sink.double(value);
    }
  }

  #writeInteger(value: number): void {
    if (value >= 0 && value < 256) {
      this.#sink.ascii('K');
      this.#sink.uint8(value);
    } else if (value >= 0 && value < 65_536) {
      this.#sink.ascii('M');
      this.#sink.uint16(value);
    } else if (value === (value | 0)) {
      this.#sink.ascii('J');
      this.#sink.int32(value);
    } else {
      this.#writeBigInt(BigInt(value));
    }
  }

  #writeBigInt(value: bigint): void {
    const digits = (value < 0n ? -value : value).toString(16).length;
    // One bit more than the digits need, for the sign.
    const length = (digits >> 1) + 1;
    const hex = BigInt.asUintN(length * 8, value).toString(16).padStart(length * 2, '0');
    this.#sink.ascii(length < 256 ? '\x8a' : '\x8b');
    if (length < 256) this.#sink.uint8(length);
    else this.#sink.int32(length);
    this.#sink.bytes(Buffer.from(hex, 'hex').reverse());
  }

  /** Protocol 2 has no bytes: Python writes them as Latin-1 text and a call that turns it into bytes. */
  #writeBytes(value: Uint8Array): void {
    this.#writeLatin1(asBuffer(value).toString('latin1'));
    this.#remember(this.#memo, value);
  }

  #writeLatin1(text: string): void {
    this.#writeGlobal('_codecs', 'encode');
    this.#writeText(text);
    this.#writeText('latin1');
    this.#sink.ascii('\x86R');
  }

  #writeGlobal(module: string, name: string): void {
    const global = `${module}\n${name}\n`;
    if (this.#refer(this.#globals, global)) return;
    this.#sink.ascii(`c${global}`);
    this.#remember(this.#globals, global);
  }

  /** `datetime(year(2) month day hour minute second microsecond(3), timezone(timedelta(0, 0, 0)))` */
  #writeDate(date: Date): void {
    const year = date.getUTCFullYear();
    if (!(year >= 1 && year <= 9999)) throw new MemcacheSerdeError("the date is outside of Python's range, the years 1 to 9999");
    const fields = Buffer.alloc(10);
    fields.writeUInt16BE(year);
    fields.set([date.getUTCMonth() + 1, date.getUTCDate(), date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()], 2);
    fields.writeUIntBE(date.getUTCMilliseconds() * 1000, 7, 3);
    this.#writeGlobal('datetime', 'datetime');
    this.#writeLatin1(fields.toString('latin1'));
    this.#writeGlobal('datetime', 'timezone');
    this.#writeGlobal('datetime', 'timedelta');
    this.#sink.ascii('K\0K\0K\0\x87R\x85R\x86R');
    this.#remember(this.#memo, date);
  }

  #writeArray(array: readonly unknown[], depth: number, hashable: boolean): void {
    if (hashable) {
      this.#sink.ascii('(');
      this.#later(depth, () => {
        this.#sink.ascii('t');
        this.#remember(this.#tuples, array);
      });
    } else {
      this.#sink.ascii(']');
      this.#remember(this.#memo, array);
      this.#sink.ascii('(');
      this.#later(depth, () => {
        this.#sink.ascii('e');
      });
    }
    this.#writeLater(array, depth, hashable);
  }

  #writeSet(set: ReadonlySet<unknown>, depth: number): void {
    this.#writeGlobal('__builtin__', 'set');
    this.#sink.ascii('](');
    this.#later(depth, () => {
      this.#sink.ascii('e\x85R');
      this.#remember(this.#memo, set);
    });
    this.#writeLater([...set], depth, true);
  }

  #writeDict(value: object, entries: readonly (readonly [unknown, unknown])[], depth: number): void {
    this.#sink.ascii('}');
    this.#remember(this.#memo, value);
    this.#sink.ascii('(');
    this.#later(depth, () => {
      this.#sink.ascii('u');
    });
    for (const [key, item] of entries.toReversed()) {
      this.#todo.push({ value: item, depth, hashable: false }, { value: key, depth, hashable: true });
    }
  }

  #later(depth: number, after: () => void): void {
    this.#todo.push({ depth, hashable: false, after });
  }

  #writeLater(items: readonly unknown[], depth: number, hashable: boolean): void {
    for (let i = items.length - 1; i >= 0; i--) this.#todo.push({ value: items[i], depth, hashable });
  }
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  // Each realm has its own Object, whose prototype has none.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
