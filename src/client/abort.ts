import { hasMethods } from '../options/rule';

/** The callbacks of each signal, and its one listener. */
const waiting = new WeakMap<AbortSignal, { readonly callbacks: Set<() => void>; readonly onAbort: () => void }>();

/**
 * Calls back when `signal` fires, unless the returned function is called first. However many calls follow a signal, it has one
 * listener: more than ten would make Node warn of a leak, and each costs four times as much as an entry in a set.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  let entry = waiting.get(signal);
  if (entry === undefined) {
    const callbacks = new Set<() => void>();
    entry = {
      callbacks,
      onAbort: () => {
        waiting.delete(signal);
        for (const each of [...callbacks]) if (callbacks.delete(each)) each();
      },
    };
    waiting.set(signal, entry);
    signal.addEventListener('abort', entry.onAbort, { once: true });
  }
  const { callbacks, onAbort: listener } = entry;
  callbacks.add(callback);
  return () => {
    if (!callbacks.delete(callback) || callbacks.size > 0) return;
    signal.removeEventListener('abort', listener);
    waiting.delete(signal);
  };
}

/** Whether it is one of any realm: where a test has the globals of a browser, Node's own are of another. */
export function isAbortSignal(value: unknown): value is AbortSignal {
  return hasMethods(value, 'addEventListener', 'throwIfAborted');
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
