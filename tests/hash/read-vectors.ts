import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What another client was seen to do, recorded in `tests/vectors`. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller knows the file
export function readVectors<T>(name: string): T {
  const vectors: unknown = JSON.parse(readFileSync(join(__dirname, '..', 'vectors', `${name}.json`), 'utf8'));
  return vectors as T;
}
