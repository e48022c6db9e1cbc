import { MemcacheSerdeError } from '../errors';
import { misflagged } from './unreadable';

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
    throw misflagged('JSON');
  }
}
