/** What Redis takes for an integer: no blank, no plus, no leading zero. */
const INTEGER = /^(?:0|-?[1-9][0-9]{0,18})$/;

export const MAX_INT64 = 2n ** 63n - 1n;
export const MIN_INT64 = -(2n ** 63n);

/** Reads a signed 64-bit integer as Redis does; `undefined` when it is none. */
export function parseInteger(text: string): bigint | undefined {
  if (!INTEGER.test(text)) return undefined;
  const integer = BigInt(text);
  return isInt64(integer) ? integer : undefined;
}

/** Whether it fits signed 64 bits. */
export function isInt64(integer: bigint): boolean {
  return integer <= MAX_INT64 && integer >= MIN_INT64;
}
