import { onAbort } from '../../client/abort';
import type { Key } from '../../protocol/key';
import type { EntrySettings } from '../cache-options';
import type { SharedSlot } from './slots';

/** Runs the user's loader. */
export interface Load {
  /** @param part of a load of many keys */
  (context: { readonly key: Key; readonly signal: AbortSignal; readonly old: unknown }, part?: Part): unknown;
  /** Of a call for many keys: the one place among the loads that it takes for all of them. */
  slot?: SharedSlot;
}

/** The load of one key as part of one of many. */
export interface Part {
  readonly flight: {
    /** Whether it was given up, and why. */
    readonly over: boolean;
    readonly reason: unknown;
    /** Told when it is given up. */
    onAbort: ((reason: unknown) => void) | undefined;
  };
  /** To be called when the loader of all is. */
  onBegun(): void;
}

/** An outdated value that a caller could get. */
export interface Old {
  readonly value: unknown;
  /** How old it is, in milliseconds, if that is known. */
  readonly ageMs?: number | undefined;
}

/** One call that waits for its value. Many may wait, so it is kept small. */
export class Caller {
  readonly load: Load;
  readonly settings: EntrySettings;
  /** When it called, in milliseconds of the monotonic clock. */
  since = 0;
  /** The value that it gets if nothing better comes. */
  old: Old | undefined = undefined;
  readonly #resolve: (value: unknown) => void;
  #unfollow: (() => void) | undefined = undefined;
  settled = false;
  /** Called once it has its answer, or waits for a load. */
  onDecided: (() => void) | undefined = undefined;
  onSettled: (() => void) | undefined = undefined;

  constructor(load: Load, settings: EntrySettings, resolve: (value: unknown) => void) {
    this.load = load;
    this.settings = settings;
    this.#resolve = resolve;
  }

  /** Returns false when it had settled before. */
  answer(value: unknown): boolean {
    if (!this.#settle()) return false;
    this.#resolve(value);
    return true;
  }

  reject(reason: unknown): boolean {
    if (!this.#settle()) return false;
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- a loader's error, or an abort's reason, whatever it is
    this.#resolve(Promise.reject(reason));
    return true;
  }

  /** Rejects with the signal's reason when it fires; `onGone` is told. */
  follow(signal: AbortSignal, onGone: () => void): void {
    this.#unfollow = onAbort(signal, () => {
      if (this.reject(signal.reason)) onGone();
    });
  }

  #settle(): boolean {
    if (this.settled) return false;
    this.settled = true;
    this.#unfollow?.();
    this.onSettled?.();
    this.decide();
    return true;
  }

  /** To be called when it has its answer, or waits for a load. */
  decide(): void {
    const { onDecided } = this;
    if (onDecided === undefined) return;
    this.onDecided = undefined;
    onDecided();
  }
}

/** The caller whose loader runs: the first that still waits. */
export function leadOf(callers: readonly Caller[]): Caller | undefined {
  return callers.find((caller) => !caller.settled);
}
