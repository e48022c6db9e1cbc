/**
 * Whether a test controls the wall clock: `jest.useFakeTimers()`, `vi.setSystemTime(…)` and the like put a `Date` of their own
 * in its place.
 */

const DateAtLoad = globalThis.Date;
/** False when the package was loaded after the faking. */
const wasReal = Function.prototype.toString.call(DateAtLoad).includes('[native code]');
const monotonic = performance.now.bind(performance);

export function isTimeFaked(): boolean {
  return globalThis.Date !== DateAtLoad || !wasReal;
}

/** The time that no test controls, as far as it can be known: monotonic, and on the wall clock; in milliseconds. */
export function realTime(): { readonly now: number; readonly time: number } {
  return { now: monotonic(), time: DateAtLoad.now() };
}
