import { option, settingsOf, type OptionTable } from '../options/option';
import { functionOf } from '../options/rule';
import { utf8Slice } from '../protocol/bytes';
import { refuseAdding } from './adding';
import { FLAG_JSON } from './flags';
import { parseJson, toJson } from './json';
import type { Fixed, Serde, SerializedValue } from './serde';
import { unreadable } from './unreadable';

/** How a {@link JsonSerde} reads. */
export interface JsonSerdeOptions<T> {
  /** Passed to `JSON.parse`. */
  reviver?: ((this: unknown, key: string, value: unknown) => unknown) | undefined;
  /** Checks what was read and returns it typed, or throws. @default what was read is trusted to be a `T` */
  validate?: ((value: unknown) => T) | undefined;
}

/** The options of {@link JsonSerde}. */
export const JSON_OPTIONS = {
  reviver: option(functionOf<NonNullable<JsonSerdeOptions<unknown>['reviver']>>()),
  validate: option(functionOf<NonNullable<JsonSerdeOptions<unknown>['validate']>>()),
} satisfies OptionTable<JsonSerdeOptions<unknown>>;

/** Everything as JSON. `JSON.parse` makes `__proto__` an ordinary property, so no prototype can be changed. */
export class JsonSerde<T = unknown> implements Serde<T> {
  readonly #reviver: JsonSerdeOptions<T>['reviver'];
  readonly #validate: (value: unknown) => T;

  /** @throws MemcacheIllegalInputError naming the option that is not legal, or does not exist */
  constructor(options: JsonSerdeOptions<T> = {}) {
    this.#reviver = settingsOf(JSON_OPTIONS, options).reviver;
    this.#validate = options.validate ?? ((value) => value as T);
  }

  /** @throws MemcacheSerdeError for `append` and `prepend`: JSON beside JSON is none, or another value */
  serialize(value: T, _key?: string, verb?: string): SerializedValue {
    refuseAdding(verb, 'JSON');
    return { data: toJson(value), flags: FLAG_JSON };
  }

  // Without Fixed, `T` of a bare `new JsonSerde()` would be taken from where it is passed to: the type of `MISS`.
  deserialize(data: Buffer, flags: number): Fixed<T> {
    return this.deserializeInPlace(data, 0, data.length, flags);
  }

  deserializeInPlace(buffer: Buffer, start: number, end: number, flags: number): Fixed<T> {
    if (flags !== FLAG_JSON) {
      throw unreadable(`the item has flags ${flags}, not those of JSON (${FLAG_JSON}): another serde stored it, or a program that does not set them`);
    }
    return this.#validate(parseJson(utf8Slice(buffer, start, end), this.#reviver));
  }
}
