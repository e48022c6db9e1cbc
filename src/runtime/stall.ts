/** How a process counts that stood still. It is late through no fault of a server's, so what was due meanwhile gets more time. */

/** When the event loop has not turned for longer than this, in milliseconds, it stood still. */
export const STALL = 5;
/** The most milliseconds that are made up for one stall. */
export const MAX_STALL = 200;
/** The fewest milliseconds that what was due in a stall gets after it: what was to be sent is perhaps only sent now. */
export const AFTER_STALL = 20;
