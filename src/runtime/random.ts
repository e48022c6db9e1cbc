/** A source of random numbers from 0 (included) to 1 (excluded); an option, so that tests can replay a run. */
export type Random = () => number;

/** `Math.random`, the default everywhere. */
export const systemRandom: Random = () => Math.random();
