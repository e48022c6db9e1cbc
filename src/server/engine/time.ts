import { MAX_RELATIVE_EXPTIME } from '../../protocol/limits';
import { systemClock, type Clock } from '../../runtime/clock';
import { isTimeFaked, realTime } from '../../runtime/fake-time';

/**
 * The store's time begins here, in milliseconds, as memcached's does (`ITEM_UPDATE_INTERVAL` + 2 seconds): so there are past
 * times for items that expire at once.
 */
const TIME_BEFORE_START = 62_000;

/** The deadline of items that expire at once. */
const PAST = 1000;

/** The time of a turn that has not been asked for yet. */
const UNREAD = -1;
/** There is no turn. */
const NO_TURN = -2;

/**
 * Time as one store counts it: from a little before its start, and never backwards. Jumps of the wall clock do not change
 * it; unless a test fakes the machine's `Date`: the store then follows that, so that setting the system time makes items expire.
 */
export class StoreTime {
  readonly #clock: Clock;
  readonly #mayBeFaked: boolean;
  /** What the clock shows at the beginning of the store's time; the wall clock while it is faked. */
  #origin: number;
  /** On the wall clock. */
  readonly #startedAt: number;
  #faked = false;
  /** The latest time that was returned while time was faked. */
  #latest = 0;
  /** The time of the present turn. */
  #ofTurn = NO_TURN;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#mayBeFaked = clock === systemClock;
    this.#origin = clock.now() - TIME_BEFORE_START;
    this.#startedAt = clock.time() - TIME_BEFORE_START;
    if (this.#mayBeFaked && isTimeFaked()) {
      this.#faked = true;
      this.#origin = this.#startedAt;
    }
  }

  /** In whole milliseconds. */
  now(): number {
    const ofTurn = this.#ofTurn;
    if (ofTurn >= 0) return ofTurn;
    const now = this.#read();
    if (ofTurn === UNREAD) this.#ofTurn = now;
    return now;
  }

  /** Lets time stand still until {@link endTurn}: the clock is read once, and not for each command: an eighth of a pipelined GET. */
  beginTurn(): void {
    this.#ofTurn = UNREAD;
  }

  endTurn(): void {
    this.#ofTurn = NO_TURN;
  }

  #read(): number {
    if (this.#mayBeFaked && (this.#faked || isTimeFaked())) return this.#fakedNow();
    return Math.floor(this.#clock.now() - this.#origin);
  }

  /** In whole seconds. */
  seconds(): number {
    return Math.floor(this.now() / 1000);
  }

  /** The beginning of the store's time, in milliseconds since 1970, by what the wall clock shows now. */
  epoch(): number {
    return Math.round(this.#clock.time()) - this.now();
  }

  /** Whole seconds until `deadline`, rounded up. */
  secondsUntil(deadline: number): number {
    return Math.ceil((deadline - this.now()) / 1000);
  }

  /** The deadline that an `exptime` in seconds means; 0 for never. */
  deadline(exptime: number): number {
    if (exptime === 0) return 0;
    if (exptime < 0) return PAST;
    if (exptime <= MAX_RELATIVE_EXPTIME) return this.now() + exptime * 1000;
    if (exptime * 1000 <= this.#startedAt) return PAST;
    return Math.max(PAST, Math.floor(this.now() + exptime * 1000 - this.#clock.time()));
  }

  #fakedNow(): number {
    const faked = isTimeFaked();
    if (faked && !this.#faked) {
      // From now on the wall clock counts. It begins with what it really shows, or with what the test lets it show if that is
      // earlier: another year, or the moment of the faking, since which the real time has gone on.
      const { now, time } = realTime();
      this.#latest = Math.floor(now - this.#origin);
      this.#origin = Math.min(this.#origin + time - now, this.#clock.time() - this.#latest);
    } else if (!faked) {
      this.#origin = this.#clock.now() - this.#latest;
    }
    this.#faked = faked;
    const shown = faked ? this.#clock.time() : this.#clock.now();
    this.#latest = Math.max(this.#latest, Math.floor(shown - this.#origin));
    return this.#latest;
  }
}
