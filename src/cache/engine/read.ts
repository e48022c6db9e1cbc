import type { Place } from '../exchange/leases';
import type { Ask, Reply } from '../exchange/reply';
import type { Caller } from './caller';
import type { Limited } from '../time-limits';

/** The near cache, as reading sees it. */
export interface NearTaker {
  /** Whether reads must ask the server how often an item is read. */
  readonly looksAtUse: boolean;
  /** Whether to keep an item that was read. */
  wants(hot: boolean): boolean;
  onRead(read: Read, reply: Reply): void;
  /** A value past its time, for when there is no other. */
  lastResort(place: Place): { readonly value: unknown } | undefined;
}

/** One question to the cache, for all callers of one tick. */
export class Read implements Ask, Limited {
  readonly place: Place;
  /** The caller whose options and loader are used. */
  readonly lead: Caller;
  readonly callers: Caller[];
  lease = 0;
  refresh = 0;
  /** What `refresh` would be if this process had room for it; it is asked for once more if the answer shows that it matters. */
  wish = 0;
  near: NearTaker | undefined;
  due = 0;
  /** Whether its time limit no longer applies. */
  over = false;
  /** Whether its callers continued without it. */
  late = false;
  /** Whether it asks for a token although no background refresh may begin. */
  forced = false;
  onlyFirst = false;
  /** How often it was asked again. */
  round = 0;
  sentAt = 0;
  /** The server that it was admitted to while some server was in trouble: told of the outcome, even if the key has moved meanwhile. */
  server: string | undefined = undefined;
  /** How often this process had written when it was sent. */
  epoch = 0;
  /** Called when the answer has been judged. */
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
