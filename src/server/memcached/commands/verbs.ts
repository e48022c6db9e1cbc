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
import { NameTable } from '../../shared/name-table';

/** A command of the text protocol. */
export interface Verb {
  readonly name: string;
  /** Its index in the counts; 0 is for commands that do not exist. */
  readonly index: number;
  /** Executes the command: `exchange.line` has its tokens, `exchange.frame` its data block. */
  readonly execute: (exchange: Exchange) => void;
  /** The token that is the first key; 0 when the command has none. */
  readonly keyToken: number;
  /** The token with the length of the data block; 0 when the command has none. */
  readonly lengthToken: number;
  /** For a meta command with a data block, the token at which its flags begin; 0 for others. */
  readonly flagsFrom: number;
  /** The least number of tokens in the line. */
  readonly fewest: number;
  /** Whether `noreply` at the end of the line means that the client wants no answer. */
  readonly noreply: boolean;
  /** Whether spaces may precede it: memcached parses its rarer commands differently from the frequent ones. */
  readonly mayBeIndented: boolean;
}

const VERBS = new NameTable<Verb>();
const names = ['unknown'];

const STORAGE = { keyToken: 1, lengthToken: 4, fewest: 5, noreply: true } as const;
const ONE_KEY = { keyToken: 1, fewest: 2 } as const;
const KEY_AND_NUMBER = { keyToken: 1, fewest: 3, noreply: true } as const;
const RARE = { noreply: true, mayBeIndented: true } as const;

define(ONE_KEY, { get, gets });
define({ keyToken: 2, fewest: 3 }, { gat, gats });
define(STORAGE, { set, add, replace, append, prepend, cas });
define(ONE_KEY, { mg: metaGet });
define({ keyToken: 1, lengthToken: 2, flagsFrom: 3, fewest: 3 }, { ms: metaSet });
define(ONE_KEY, { md: metaDelete, ma: metaArithmetic });
define({}, { mn: metaNoop });
define(ONE_KEY, { me: metaDebug });
define({ ...ONE_KEY, noreply: true }, { delete: deleteItem });
define(KEY_AND_NUMBER, { incr, decr, touch });
define({}, { version, stats, watch, quit });
define(RARE, { flush_all: flushAll, verbosity, cache_memlimit: cacheMemlimit, lru, lru_crawler: lruCrawler, slabs, shutdown, config });

/** Commands whose lines are read by the same rules. */
function define(rules: Partial<Verb>, commands: Readonly<Record<string, Verb['execute']>>): void {
  for (const [name, execute] of Object.entries(commands)) {
    const index = names.push(name) - 1;
    VERBS.define(name, { name, execute, index, keyToken: 0, lengthToken: 0, flagsFrom: 0, fewest: 1, noreply: false, mayBeIndented: false, ...rules });
  }
}

/** The names of all commands, each at its index. */
export const VERB_NAMES: readonly string[] = names;

/** The command that the line begins with. */
export function findVerb(line: CommandLine): Verb | undefined {
  const verb = VERBS.find(line.verbHash);
  if (verb === undefined || !line.is(0, verb.name)) return undefined;
  return line.indented && !verb.mayBeIndented ? undefined : verb;
}

/** How many bytes of data follow the line, -1 when there are none, or the number is not known. */
export function announcedBlock(verb: Verb | undefined, line: CommandLine): number {
  if (verb === undefined || verb.lengthToken === 0 || line.count < verb.fewest) return -1;
  // Only `ms` has flags after the length; where these are not flags, memcached ignores the length.
  if (verb.flagsFrom > 0 && !line.hasFlagsFrom(verb.flagsFrom)) return -1;
  return line.blockLength(verb.lengthToken);
}
