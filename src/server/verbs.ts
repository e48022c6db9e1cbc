import type { CommandLine } from './command-line';
import type { Exchange } from './exchange';
import { cacheMemlimit, flushAll, quit, shutdown, verbosity, version, watch } from './text/admin';
import { config } from './text/config';
import { decr, deleteItem, incr, touch } from './text/item';
import { metaDebug, metaDelete, metaGet, metaNoop } from './text/meta';
import { metaArithmetic } from './text/meta-arithmetic';
import { metaSet } from './text/meta-set';
import { gat, gats, get, gets } from './text/retrieval';
import { stats } from './text/stats';
import { lru, lruCrawler, slabs } from './text/tuning';
import { add, append, cas, prepend, replace, set } from './text/storage';

/** A command of the text protocol. */
export interface Verb {
  readonly name: string;
  /** Executes the command: `exchange.line` has its tokens, `exchange.frame` its data block. */
  readonly execute: (exchange: Exchange) => void;
  /** The token that tells the length of the data block; 0 when the command has none. */
  readonly lengthToken: number;
  /** How many tokens the line must have to announce a block; otherwise it is answered `ERROR` alone. */
  readonly tokens: readonly [fewest: number, most: number];
}

const ANY: Verb['tokens'] = [1, Infinity];
const STORAGE: Verb['tokens'] = [5, 6];

const VERBS = new Map<number, Verb>();

define('get', get);
define('gets', gets);
define('gat', gat);
define('gats', gats);
// memcached's own relic of a binary get.
define('bget', get);
define('set', set, 4, STORAGE);
define('add', add, 4, STORAGE);
define('replace', replace, 4, STORAGE);
define('append', append, 4, STORAGE);
define('prepend', prepend, 4, STORAGE);
define('cas', cas, 4, [6, 7]);
define('mg', metaGet);
define('ms', metaSet, 2, [3, Infinity]);
define('md', metaDelete);
define('ma', metaArithmetic);
define('mn', metaNoop);
define('me', metaDebug);
define('delete', deleteItem);
define('incr', incr);
define('decr', decr);
define('touch', touch);
define('flush_all', flushAll);
define('version', version);
define('verbosity', verbosity);
define('cache_memlimit', cacheMemlimit);
define('stats', stats);
define('lru', lru);
define('lru_crawler', lruCrawler);
define('slabs', slabs);
define('shutdown', shutdown);
define('watch', watch);
define('config', config);
define('quit', quit);

function define(name: string, execute: Verb['execute'], lengthToken = 0, tokens: Verb['tokens'] = ANY): void {
  let hash = 0;
  for (let i = 0; i < name.length; i++) hash = (hash * 31 + name.charCodeAt(i)) | 0;
  if (VERBS.has(hash)) throw new Error(`two verbs have the hash of ${name}`);
  VERBS.set(hash, { name, execute, lengthToken, tokens });
}

/** The command that the line begins with. Found without making a string of it, which would cost as much as a `get`. */
export function findVerb(line: CommandLine): Verb | undefined {
  const verb = VERBS.get(line.verbHash);
  return verb !== undefined && line.is(0, verb.name) ? verb : undefined;
}

/** How many bytes of data follow the line, -1 when none do or nobody can tell. */
export function announcedBlock(verb: Verb | undefined, line: CommandLine): number {
  if (verb === undefined || verb.lengthToken === 0) return -1;
  const [fewest, most] = verb.tokens;
  return line.count >= fewest && line.count <= most ? line.blockLength(verb.lengthToken) : -1;
}
