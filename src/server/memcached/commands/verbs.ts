import { cacheMemlimit, flushAll, quit, shutdown, verbosity, version, watch } from './administration';
import { config } from './cluster-config';
import type { CommandLine } from './command-line';
import { decr, incr } from './counting';
import { deleteItem } from './deletion';
import type { Exchange } from './exchange';
import { metaArithmetic } from './meta-arithmetic';
import { metaDebug, metaNoop } from './meta-debug';
import { metaDelete } from './meta-delete';
import { metaGet } from './meta-get';
import { metaSet } from './meta-set';
import { gat, gats, get, gets } from './retrieval';
import { stats } from './statistics';
import { add, append, cas, prepend, replace, set } from './storing';
import { touch } from './touching';
import { lru, lruCrawler, slabs } from './tuning';

/** A command of the text protocol. */
export interface Verb {
  readonly name: string;
  /** Executes the command: `exchange.line` has its tokens, `exchange.frame` its data block. */
  readonly execute: (exchange: Exchange) => void;
  /** The token that is the first key; 0 when the command has none. */
  readonly keyToken: number;
  /** The token that tells the length of the data block; 0 when the command has none. */
  readonly lengthToken: number;
  /** How many tokens the line must have to announce a block; otherwise it is answered `ERROR` alone. */
  readonly tokens: readonly [fewest: number, most: number];
}

const ANY: Verb['tokens'] = [1, Infinity];
const STORAGE: Verb['tokens'] = [5, 6];

const VERBS = new Map<number, Verb>();

define('get', get, { keyToken: 1 });
define('gets', gets, { keyToken: 1 });
define('gat', gat, { keyToken: 2 });
define('gats', gats, { keyToken: 2 });
// memcached's own relic of a binary get.
define('bget', get, { keyToken: 1 });
define('set', set, { keyToken: 1, lengthToken: 4, tokens: STORAGE });
define('add', add, { keyToken: 1, lengthToken: 4, tokens: STORAGE });
define('replace', replace, { keyToken: 1, lengthToken: 4, tokens: STORAGE });
define('append', append, { keyToken: 1, lengthToken: 4, tokens: STORAGE });
define('prepend', prepend, { keyToken: 1, lengthToken: 4, tokens: STORAGE });
define('cas', cas, { keyToken: 1, lengthToken: 4, tokens: [6, 7] });
define('mg', metaGet, { keyToken: 1 });
define('ms', metaSet, { keyToken: 1, lengthToken: 2, tokens: [3, Infinity] });
define('md', metaDelete, { keyToken: 1 });
define('ma', metaArithmetic, { keyToken: 1 });
define('mn', metaNoop);
define('me', metaDebug, { keyToken: 1 });
define('delete', deleteItem, { keyToken: 1 });
define('incr', incr, { keyToken: 1 });
define('decr', decr, { keyToken: 1 });
define('touch', touch, { keyToken: 1 });
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

function define(name: string, execute: Verb['execute'], { keyToken = 0, lengthToken = 0, tokens = ANY }: Partial<Verb> = {}): void {
  let hash = 0;
  for (let i = 0; i < name.length; i++) hash = (hash * 31 + name.charCodeAt(i)) | 0;
  if (VERBS.has(hash)) throw new Error(`two verbs have the hash of ${name}`);
  VERBS.set(hash, { name, execute, keyToken, lengthToken, tokens });
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
