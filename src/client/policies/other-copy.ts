import { hasMethods } from '../../options/rule';

/**
 * What to say of a client that is refused although it looks like one. A program has the package twice when a bundler makes its
 * modules anew while it runs, or when npm has installed two versions; commands and errors of one copy mean nothing to the other.
 */
export function otherCopy(client: unknown): string {
  return hasMethods(client, 'get', 'executeMeta', 'metrics') ? '; this one is of another copy of tsmemcache: see docs/runtimes.md' : '';
}
