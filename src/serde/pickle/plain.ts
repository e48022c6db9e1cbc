/** The last step of reading: Python's dicts become objects or Maps, and anything that is not plain data is refused. */
import { ElementCost, type Budget } from '../budget';
import { malformed } from './malformed';

/** How deep lists, dicts and sets may be nested; Python's own pickler gives up earlier. */
export const MAX_DEPTH = 1000;

/** A dict while it is being read: keys and values in turn. */
export class Dict {
  readonly items: unknown[] = [];
}

type Container = unknown[] | Set<unknown> | Dict;

/**
 * The plain value that `root` stands for. Lists are changed in place; dicts whose keys are all strings become objects, others
 * Maps. Shared and circular references stay as they are.
 *
 * @throws MemcacheSerdeError for what is not data, for dicts and sets as keys, and for values nested too deep
 */
export function toPlain(root: unknown, budget: Budget): unknown {
  return new Finisher(budget).finish(root);
}

class Finisher {
  readonly #budget: Budget;
  readonly #dicts = new Map<Dict, object>();
  readonly #seen = new Set<unknown>();
  /** What is still to be converted: a list, as hostile data could drive a recursion too deep. */
  readonly #todo: { container: Container; depth: number }[] = [];

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  finish(root: unknown): unknown {
    const plain = this.#replace(root, 0);
    for (let next = this.#todo.pop(); next !== undefined; next = this.#todo.pop()) {
      const { container, depth } = next;
      if (container instanceof Dict) this.#fill(container, depth);
      else if (container instanceof Set) for (const item of container) this.#key(item, depth);
      else for (let i = 0; i < container.length; i++) container[i] = this.#replace(container[i], depth);
    }
    return plain;
  }

  /** The replacement of `value`; its contents are converted later. */
  #replace(value: unknown, depth: number): unknown {
    if (typeof value !== 'object' || value === null || value instanceof Date || Buffer.isBuffer(value)) return value;
    if (value instanceof Dict) return this.#dicts.get(value) ?? this.#newDict(value, depth);
    if (!Array.isArray(value) && !(value instanceof Set)) throw malformed('it holds a function, a duration or a time zone, and only plain data is read');
    if (!this.#seen.has(value)) {
      this.#seen.add(value);
      this.#later(value, depth);
    }
    return value;
  }

  #newDict(dict: Dict, depth: number): object {
    const isText = dict.items.every((item, i) => i % 2 === 1 || typeof item === 'string');
    const plain = isText ? {} : new Map();
    this.#dicts.set(dict, plain);
    this.#later(dict, depth);
    return plain;
  }

  #later(container: Container, depth: number): void {
    if (depth === MAX_DEPTH) throw malformed(`it is nested deeper than ${MAX_DEPTH}`);
    this.#todo.push({ container, depth: depth + 1 });
  }

  #key(key: unknown, depth: number): unknown {
    if (key instanceof Dict) throw malformed('a dict cannot be a key');
    return this.#replace(key, depth);
  }

  #fill(dict: Dict, depth: number): void {
    const plain = this.#dicts.get(dict);
    const elements = new ElementCost(this.#budget);
    for (let i = 0; i < dict.items.length; i += 2) {
      const value = this.#replace(dict.items[i + 1], depth);
      if (plain instanceof Map) plain.set(this.#key(dict.items[i], depth), value);
      else if (plain !== undefined) {
        const key = dict.items[i] as string;
        if (/^[0-9]{1,4}$/.test(key)) elements.chargeKey(Number(key));
        setOwn(plain, key, value);
      }
    }
  }
}

/** Assigning `__proto__` would change the prototype. */
function setOwn(object: object, key: string, value: unknown): void {
  if (key === '__proto__') Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
  else (object as Record<string, unknown>)[key] = value;
}
