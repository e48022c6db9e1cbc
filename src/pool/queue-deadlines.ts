import { CallDeadlines, type Timed } from '../client/wire/call-deadlines';
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
    const due = verdict.dueAt(timed);
    if (due > now) return false;
    // A stall that has just ended may have been longer than what is added for it.
    const stall = Math.max(now - due, this.stalls.endedAt(now));
    if (stall > STALL) this.giveChance(timed, now, stall);
    return verdict.isDue(timed);
  }
}
