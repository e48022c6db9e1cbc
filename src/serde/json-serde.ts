import { MemcacheIllegalInputError, MemcacheSerdeError } from '../errors';
import { utf8Slice } from '../protocol/bytes';
import { FLAG_JSON } from './flags';
import type { Fixed, Serde, SerializedValue } from './serde';
import { unreadable } from './unreadable';

/** How a {@link JsonSerde} reads. */
export interface JsonSerdeOptions<T> {
  /** Passed to `JSON.parse`. */
  reviver?: ((this: unknown, key: string, value: unknown) => unknown) | undefined;
  /** Checks what was read and returns it typed, or throws. @default what was read is trusted to be a `T` */
  validate?: ((value: unknown) => T) | undefined;
}

/** Everything as JSON. `JSON.parse` makes `__proto__` an ordinary property, so no prototype can be changed. */
export class JsonSerde<T = unknown> implements Serde<T> {
  readonly #reviver: JsonSerdeOptions<T>['reviver'];
  readonly #validate: (value: unknown) => T;

  /** @throws MemcacheIllegalInputError when `reviver` or `validate` is not a function */
  constructor(options: JsonSerdeOptions<T> = {}) {
    for (const name of ['reviver', 'validate'] as const) {
      const option: unknown = options[name];
      if (option !== undefined && typeof option !== 'function') throw new MemcacheIllegalInputError(`${name} must be a function`);
    }
    this.#reviver = options.reviver;
    this.#validate = options.validate ?? ((value) => value as T);
  }

  serialize(value: T): SerializedValue {
    return { data: toJson(value), flags: FLAG_JSON };
  }

  // Without Fixed, `T` of a bare `new JsonSerde()` would be taken from where it is passed to: the type of `MISS`.
  deserialize(data: Buffer, flags: number): Fixed<T> {
    return this.deserializeInPlace(data, 0, data.length, flags);
  }

  deserializeInPlace(buffer: Buffer, start: number, end: number, flags: number): Fixed<T> {
    if (flags !== FLAG_JSON) {
      throw unreadable(`the item has flags ${flags}, not those of JSON (${FLAG_JSON}): another serde stored it`);
    }
    return this.#validate(parseJson(utf8Slice(buffer, start, end), this.#reviver));
  }
}

/** @throws MemcacheSerdeError for what JSON cannot hold: undefined, a function, a symbol */
export function toJson(value: unknown): string {
  const json = JSON.stringify(value) as string | undefined;
  if (json === undefined) throw new MemcacheSerdeError(`JSON cannot hold a value of type ${typeof value}`);
  return json;
}

/** @throws MemcacheSerdeError without the parser's own message, which quotes the text */
export function parseJson(text: string, reviver?: (this: unknown, key: string, value: unknown) => unknown): unknown {
  try {
    return JSON.parse(text, reviver) as unknown;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw unreadable('the item is flagged as JSON, but is not JSON');
  }
}
