import { MemcacheSerdeError } from '../errors';
import { misflagged } from './unreadable';

/** @throws MemcacheSerdeError for what JSON cannot hold: undefined, a function, a symbol, what refers to itself; whatever a getter or `toJSON` throws */
export function toJson(value: unknown): string {
  let json: string | undefined;
  let kind: string = typeof value;
  try {
    json = JSON.stringify(value);
  } catch (error) {
    // V8's own message quotes the names of the properties on the way round.
    if (!String(error).includes('rting circ')) throw error;
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
