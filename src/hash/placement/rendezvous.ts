import { option, settingsOf, type OptionTable } from '../../options/option';
import { valueThat } from '../../options/rule';
import { MAX_KEY_LENGTH } from '../../protocol/limits';
import { murmur3Begin, murmur3Continue, murmur3End, PackedText } from './murmur3';
import type { Murmur3State } from './murmur3';
import { Placement } from './placement';
import type { WeightedNode } from './placement';

/** Options of {@link RendezvousHash}. */
export interface RendezvousHashOptions {
  /** An integer that all processes must share, taken modulo 2^32. @default 0, as in pymemcache */
  seed?: number | undefined;
}

/** The options of {@link RendezvousHash}. */
export const RENDEZVOUS_OPTIONS = {
  seed: option(valueThat<number>('an integer', Number.isSafeInteger), 0),
} satisfies OptionTable<RendezvousHashOptions>;

interface Contender {
  readonly name: string;
  readonly weight: number;
  /** The hash of `NAME-`, to be continued with a key. */
  readonly state: Murmur3State;
}

interface Contest {
  readonly contenders: readonly Contender[];
  readonly equalWeights: boolean;
  /** Undefined when hashing for all nodes again takes no longer. */
  readonly winners: RecentWinners | undefined;
}

/** Reading a key takes 40 ns and hashing it for a node 17; looking up a remembered owner takes 40. */
const REMEMBER_FROM = 3;
/** This many owners take about a megabyte; beyond that all are forgotten. */
const MAX_WINNERS = 8192;

/**
 * The owners of recent keys. To remember one takes 140 ns, which is lost when its key does not come again: where fewer keys were known
 * than were new, none is remembered for some time.
 */
class RecentWinners {
  readonly #winners = new Map<string, string>();
  /** How many were known since all were forgotten. */
  #known = 0;
  /** For how many keys more none is remembered. */
  #pause = 0;

  get(key: string): string | undefined {
    if (this.#pause > 0) return undefined;
    const winner = this.#winners.get(key);
    if (winner !== undefined) this.#known++;
    return winner;
  }

  add(key: string, winner: string): void {
    if (this.#pause > 0) {
      this.#pause--;
      return;
    }
    if (this.#winners.size === MAX_WINNERS) {
      this.#winners.clear();
      if (this.#known < MAX_WINNERS) this.#pause = 16 * MAX_WINNERS;
      this.#known = 0;
    }
    // A routing key may be of any length.
    if (key.length > MAX_KEY_LENGTH) return;
    // A part of a longer string keeps all of that in memory, and so does a sum of parts. `join` makes a string of its own.
    this.#winners.set([key.slice(0, -1), key.slice(-1)].join(''), winner);
  }
}

/**
 * Rendezvous hashing exactly as pymemcache's `HashClient` does it: the node whose string `NODE-KEY` has the greatest {@link
 * murmur3} hash owns the key; in a tie, the greater name.
 *
 * When a node leaves, only its own keys move. Weights, which pymemcache does not have, are proportional
 * shares; with equal weights every key is where pymemcache puts it. The order in which nodes are added does not matter.
 */
export class RendezvousHash extends Placement<Contest> {
  readonly #seed: number;
  readonly #text = new PackedText();

  /** @throws MemcacheIllegalInputError naming the option that is not legal, or does not exist */
  constructor(options: RendezvousHashOptions = {}) {
    super();
    this.#seed = settingsOf(RENDEZVOUS_OPTIONS, options).seed;
  }

  protected override prepare(nodes: readonly WeightedNode[]): Contest {
    const begin = murmur3Begin(this.#seed);
    return {
      contenders: nodes.map(({ name, weight }) => {
        return { name, weight, state: murmur3Continue(begin, this.#text.fill(`${name}-`)) };
      }),
      equalWeights: nodes.every(({ weight }) => weight === nodes[0]?.weight),
      winners: nodes.length < REMEMBER_FROM ? undefined : new RecentWinners(),
    };
  }

  protected override place(contest: Contest, key: string): string | undefined {
    const { winners } = contest;
    const known = winners?.get(key);
    if (known !== undefined) return known;
    const winner = this.#compete(contest, key);
    if (winner !== undefined) winners?.add(key, winner);
    return winner;
  }

  #compete({ contenders, equalWeights }: Contest, key: string): string | undefined {
    const text = this.#text.fill(key);
    let winner: string | undefined;
    let best = -1;
    for (const { name, weight, state } of contenders) {
      const hash = murmur3End(state, text);
      // −w / ln u, where u is the hash as a fraction that is neither 0 nor 1: node i wins with probability wᵢ / Σw. It grows with the
      // hash, so with equal weights the logarithm would change nothing.
      const score = equalWeights ? hash : -weight / Math.log((hash + 0.5) / 2 ** 32);
      if (score > best || (score === best && winner !== undefined && isGreater(name, winner))) {
        winner = name;
        best = score;
      }
    }
    return winner;
  }
}

/** Whether `a` comes after `b` in Python's order, which is that of code points, as is that of UTF-8 bytes. */
function isGreater(a: string, b: string): boolean {
  return Buffer.compare(Buffer.from(a), Buffer.from(b)) > 0;
}
