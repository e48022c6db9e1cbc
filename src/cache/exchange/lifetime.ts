import { encodeExptime } from '../../protocol/exptime';
import type { Clock } from '../../runtime/clock';

/** In seconds. The protocol has no more than a date in 2038, and options may be of any size. */
const LONGEST = 10 * 365 * 24 * 60 * 60;

/** Seconds to live as the protocol has them, ten years at the most; 0 for ever. */
export function exptimeOf(seconds: number, clock: Clock): number {
  return encodeExptime(Math.min(seconds, LONGEST), clock);
}
