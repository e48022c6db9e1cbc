/** A number from 0 (included) to 1 (excluded), so that tests can replay a run. */
export type Random = () => number;

/** The machine's own, the default everywhere. */
export const systemRandom: Random = () => Math.random();
