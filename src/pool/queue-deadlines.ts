import type { Timed } from '../client/timed';
import { CallDeadlines } from '../client/wire/call-deadlines';
import { STALL } from '../runtime/stall';

/** The deadlines of calls that wait for a connection of a pool: before one gets its connection it is asked whether it is too late. */
export class QueueDeadlines extends CallDeadlines {
  /** Whether {@link isDue} may be true of anything: asked once for many. */
  mayBeDue(now: number): boolean {
    return this.due <= now || this.found !== undefined;
  }

  /** Whether something that is not settled yet must be given up now: the timer may only be on its way. */
  isDue(timed: Timed, now: number): boolean {
    if (this.found?.isDue(timed)) return true;
    // Stalls only add to it.
    if (timed.deadline > now) return false;
    const verdict = this.verdict(now);
    if (!verdict.isDue(timed)) return false;
    // A stall that has just ended may have been longer than what is added for it.
    const { from, to } = this.stalls;
    this.catchUp(timed, now, now >= to && now - to <= STALL ? to - from : 0);
    return verdict.isDue(timed);
  }
}
