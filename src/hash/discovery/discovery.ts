import type { ClusterServer } from './member';

/** What the client passes to a source of servers. */
export interface DiscoveryContext {
  /** Fires when the client is closed. */
  readonly signal: AbortSignal;
  /**
   * Waits before the source looks again: three quarters to the whole of this many milliseconds (`Infinity`: without limit), so
   * that many processes do not look together. Trouble with a server ends the wait within a second, and closing the client at
   * once. It does not keep the process alive. When the client has been closed already it rejects with the signal's reason.
   */
  readonly wait: (milliseconds: number) => Promise<void>;
}

/**
 * Where a cluster's list of servers comes from. Each list that is yielded replaces the one before; the source ends when
 * `context.signal` fires, or when the list will not change any more. When it throws, the list stays as it is, and the source is
 * started again a second later. While there is no list, calls wait for it; they reject with `MemcacheNoServersError` when the
 * source ends without one, or throws (`cause` is what it threw).
 *
 * ```ts
 * const fromFile: Discovery = async function* ({ signal, wait }) {
 *   while (!signal.aborted) {
 *     yield (await readFile('servers.txt', 'utf8')).split('\n').filter(Boolean);
 *     await wait(60_000);
 *   }
 * };
 * const client = new HashClient(fromFile);
 * ```
 */
export type Discovery = (context: DiscoveryContext) => AsyncIterable<readonly ClusterServer[]>;
