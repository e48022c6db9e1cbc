import { hasMethods } from '../options/rule';

/** The beginning, which is also the end, of the ring of those who follow each signal. */
const rings = new WeakMap<AbortSignal, Follower>();

/**
 * Something that is to be told when a signal fires. However many follow a signal, it has one listener: more than ten would make Node
 * warn of a leak. They stand in a ring, which one leaves without a search and without garbage: with a `Set`, whose tables outlive
 * the calls in them, a small get that follows a signal took a sixth more.
 */
export class Follower {
  #before: Follower = this;
  #after: Follower = this;

  /** Called when the signal has fired, after it has left. Of the beginning of a ring: called when all others have left. */
  // eslint-disable-next-line @typescript-eslint/no-unused-vars -- some of those that override it look at the reason
  onEnd(_reason?: unknown): void {
    return;
  }

  /** To be called once: joins those who follow `signal`, as the last of them. */
  follow(signal: AbortSignal): void {
    const ring = rings.get(signal) ?? Follower.#ringOf(signal);
    this.#after = ring;
    this.#before = ring.#before;
    ring.#before = this.#before.#after = this;
  }

  /** It is not to be told any more. May be called twice. */
  leave(): void {
    const before = this.#before;
    const after = this.#after;
    before.#after = after;
    after.#before = before;
    // One that has left keeps no other alive.
    this.#before = this.#after = this;
    if (before === after && before !== this) before.onEnd();
  }

  static #ringOf(signal: AbortSignal): Follower {
    const ring = new Follower();
    const onAbort = (): void => {
      rings.delete(signal);
      for (let next; (next = ring.#after) !== ring; ) {
        next.leave();
        next.onEnd(signal.reason);
      }
    };
    ring.onEnd = () => {
      rings.delete(signal);
      signal.removeEventListener('abort', onAbort);
    };
    rings.set(signal, ring);
    signal.addEventListener('abort', onAbort, { once: true });
    return ring;
  }
}

/** Calls back when `signal` fires, unless the returned function is called first. */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const follower = new Follower();
  follower.onEnd = callback;
  follower.follow(signal);
  return () => { follower.leave(); };
}

/** Whether it is one of any realm: where a test has the globals of a browser, Node's own are of another. */
export function isAbortSignal(value: unknown): value is AbortSignal {
  return value instanceof AbortSignal || hasMethods(value, 'addEventListener', 'throwIfAborted');
}

/** Rejects with `reason`, for example that of an aborted signal, which may be anything. */
export function rejected(reason: unknown): Promise<never> {
  // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- passed on as it was given
  return Promise.reject(reason);
}

/** The result of `work`; rejects with the signal's reason as soon as it fires. */
export function untilAborted<R>(work: Promise<R>, signal: AbortSignal | undefined): Promise<R> {
  if (signal === undefined) return work;
  if (signal.aborted) {
    work.catch(() => undefined);
    return rejected(signal.reason);
  }
  return new Promise((resolve, reject) => {
    const unfollow = onAbort(signal, () => {
      resolve(rejected(signal.reason));
    });
    work.finally(unfollow).then(resolve, reject);
  });
}
