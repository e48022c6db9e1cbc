import type { Place } from '../exchange/leases';
import type { Ask, Reply } from '../exchange/reply';
import type { Caller } from './caller';
import type { Limited } from './time-limits';

/** What keeps values in this process. */
export interface NearTaker {
  /** Whether reads are to tell how often an item is read. */
  readonly looksAtUse: boolean;
  /** Whether an item that was read shall be kept. */
  wants(hot: boolean): boolean;
  onRead(read: Read, reply: Reply): void;
  /** A value past its time, for want of any other. */
  lastResort(place: Place): { readonly value: unknown } | undefined;
}

/** One question to the cache, for all callers of one tick. */
export class Read implements Ask, Limited {
  readonly place: Place;
  /** Whose options and loader count. */
  readonly lead: Caller;
  readonly callers: Caller[];
  lease = 0;
  refresh = 0;
  near: NearTaker | undefined;
  due = 0;
  /** Whether it needs no time limit any more. */
  over = false;
  /** Its callers went on without it. */
  late = false;
  /** Whether a token is asked for although no refresh may be begun behind anybody's back. */
  forced = false;
  onlyFirst = false;
  /** How often it was asked again. */
  round = 0;
  sentAt = 0;
  /** The count of own writes when it was sent. */
  epoch = 0;
  /** Told when it is known what comes of it. */
  onJudged: (() => void) | undefined = undefined;
  readonly #onLate: (read: Read) => void;

  constructor(place: Place, lead: Caller, callers: Caller[], onLate: (read: Read) => void) {
    this.place = place;
    this.lead = lead;
    this.callers = callers;
    this.#onLate = onLate;
  }

  get keep(): number {
    return this.lead.settings.keep;
  }

  get use(): boolean {
    return this.near?.looksAtUse === true;
  }

  wantsBytes(hot: boolean): boolean {
    return this.near?.wants(hot) === true;
  }

  get copies(): number {
    return this.callers.length;
  }

  judged(): void {
    const { onJudged } = this;
    if (onJudged === undefined) return;
    this.onJudged = undefined;
    onJudged();
  }

  onTime(): void {
    this.over = true;
    this.late = true;
    this.#onLate(this);
  }
}
