/** What JSON would take, looked at before it is parsed: four bytes of it can ask for a hundred. */
import { Budget, MAX_UNITS } from './budget';

const QUOTE = 0x22; // "
const BACKSLASH = 0x5c; // \
const COMMA = 0x2c; // ,
const COLON = 0x3a; // :
const ARRAY = 0x5b; // [
const OBJECT = 0x7b; // {

/** An array or an object with its place: V8 gives those with one value or none up to eight words. */
const CONTAINER_UNITS = 8;

/** What a key and its place take, beside the value. */
const KEY_UNITS = 2;

/** Two bytes for each of `maxOutput`, which is as much as ordinary records take. */
const UNITS_PER_BYTE = 2 / 8;

/**
 * Counts the values in JSON text; what is not JSON is left to the parser.
 *
 * @throws MemcacheSerdeError when they would take more than about 64 MiB, or twice `maxOutput` where that is more
 */
export function checkJsonCost(json: Uint8Array, maxOutput: number): void {
  const units = Math.max(MAX_UNITS, maxOutput * UNITS_PER_BYTE);
  // So short that it cannot be too much, whatever it says.
  if (json.length * CONTAINER_UNITS <= units) return;
  const budget = new Budget(units, '; see maxOutput');
  for (let at = 0; at < json.length; at++) {
    switch (json[at]) {
      case ARRAY:
      case OBJECT:
        budget.charge(CONTAINER_UNITS);
        break;
      case COMMA:
        budget.charge(1);
        break;
      case COLON:
        budget.charge(KEY_UNITS);
        break;
      case QUOTE:
        at = endOfString(json, at + 1);
    }
  }
}

/** Where the closing quote is. */
function endOfString(json: Uint8Array, start: number): number {
  let at = start;
  while (at < json.length && json[at] !== QUOTE) at += json[at] === BACKSLASH ? 2 : 1;
  return at;
}
