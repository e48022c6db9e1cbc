import { MemcacheSerdeError } from '../errors';
import { misflagged } from './unreadable';

/** @throws MemcacheSerdeError for what JSON cannot hold: undefined, a function, a symbol, what refers to itself; whatever a getter or `toJSON` throws */
export function toJson(value: unknown): string {
  let json: string | undefined;
  let kind: string = typeof value;
  try {
    json = JSON.stringify(value);
  } catch (error) {
    // "Converting circular …" of V8, which quotes the names of the properties on the way round; "… cyclic …" of Bun.
    if (!/rting c|cycl/.test((error as Error | undefined)?.message ?? '')) throw error;
    kind += ' that is circular';
  }
  if (json === undefined) throw new MemcacheSerdeError(`JSON cannot hold a value of type ${kind}`);
  return json;
}

/** @throws MemcacheSerdeError without the parser's own message, which quotes the text */
export function parseJson(text: string, reviver?: (this: unknown, key: string, value: unknown) => unknown): unknown {
  try {
    return JSON.parse(text, reviver) as unknown;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw misflagged('JSON');
  }
}
