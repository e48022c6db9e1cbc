import { option, settingsOf, type OptionTable } from '../../options/option';
import { SWITCH } from '../../options/rule';
import { KEY_HASH, keyBytes, keyHash, utf8Bytes } from './key-hash';
import type { KeyHash, KeyHashName } from './key-hash';
import { md5 } from './md5';
import { Placement } from './placement';
import type { WeightedNode } from './placement';

/** Options of {@link KetamaHash}. */
export interface KetamaHashOptions {
  /**
   * libmemcached's `ketama_weighted` rather than `ketama`. Without it the ring is still weighted as soon as a node has a weight
   * other than 1, but keys keep their hash, as in libmemcached.
   * @default false
   */
  weighted?: boolean | undefined;
  /** The hash of the keys, and of the unweighted ring's points. @default `md5` if `weighted`, else `one-at-a-time` */
  hash?: KeyHashName | undefined;
}

/** The options of {@link KetamaHash}. */
export const KETAMA_OPTIONS = {
  weighted: option(SWITCH, false),
  hash: option(KEY_HASH),
} satisfies OptionTable<KetamaHashOptions>;

/** Points on the circle of 32-bit numbers, in ascending order, and their owners. */
interface Ring {
  readonly points: Uint32Array;
  /** Indices of `names`. */
  readonly owners: Uint32Array;
  readonly names: readonly string[];
}

const UNWEIGHTED_POINTS = 100;
const WEIGHTED_DIGESTS = 40;
const POINTS_PER_DIGEST = 4;

/**
 * The hash ring of libmemcached, as pylibmc and PHP's memcached use it: `ketama` (also its `consistent`) and
 * `ketama_weighted`, point for point.
 *
 * A key belongs to the first point that is not less than its hash. When a node comes or goes, only about its own share of the
 * keys moves.
 */
export class KetamaHash extends Placement<Ring> {
  readonly #weighted: boolean;
  readonly #hash: KeyHash;

  /** @throws MemcacheIllegalInputError naming the option that is not legal, or does not exist */
  constructor(options: KetamaHashOptions = {}) {
    super();
    const { weighted, hash = weighted ? 'md5' : 'one-at-a-time' } = settingsOf(KETAMA_OPTIONS, options);
    this.#weighted = weighted;
    this.#hash = keyHash(hash);
  }

  protected override prepare(nodes: readonly WeightedNode[]): Ring {
    const weighted = this.#weighted || nodes.some(({ weight }) => weight !== 1);
    return makeRing(nodes, weighted ? weightedPoints(nodes) : this.#unweightedPoints(nodes));
  }

  protected override place({ points, owners, names }: Ring, key: string, bytes: Uint8Array | undefined): string | undefined {
    const hash = this.#hash(keyBytes(key, bytes));
    let low = 0;
    let high = points.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((points[middle] ?? 0) < hash) low = middle + 1;
      else high = middle;
    }
    return names[owners[low === points.length ? 0 : low] ?? 0];
  }

  #unweightedPoints(nodes: readonly WeightedNode[]): number[][] {
    return nodes.map(({ name }) =>
      Array.from({ length: UNWEIGHTED_POINTS }, (_, i) => this.#hash(utf8Bytes(pointName(name, i)))),
    );
  }
}

/** For each node its share of the points, four from each MD5 digest. */
function weightedPoints(nodes: readonly WeightedNode[]): number[][] {
  const total = nodes.reduce((sum, { weight }) => sum + weight, 0);
  return nodes.map(({ name, weight }) => {
    const points = [];
    for (let i = 0; i < digestCount(weight, total, nodes.length); i++) {
      const digest = md5(utf8Bytes(pointName(name, i)));
      for (let at = 0; at < POINTS_PER_DIGEST; at++) points.push(digest.readUInt32LE(4 * at));
    }
    return points;
  });
}

/**
 * 40 on average; when weights differ, a node that comes or goes may change the count of every other. libmemcached
 * computes in C's `float`, whose rounding can cost a whole digest: 25 equal nodes have 39 each.
 */
function digestCount(weight: number, total: number, nodeCount: number): number {
  const share = Math.fround(Math.fround(weight) / Math.fround(total));
  const digests = Math.fround(Math.fround(share * WEIGHTED_DIGESTS) * nodeCount);
  return Math.floor(Math.fround(digests + 1e-10));
}

/** What libmemcached hashes for a point: `host:port-0`, without the default port, and with port 0 for a unix socket. */
function pointName(node: string, index: number): string {
  const server = node.startsWith('/') ? `${node}:0` : node.replace(/:11211$/, '');
  return `${server}-${index}`;
}

function makeRing(nodes: readonly WeightedNode[], pointsOfNodes: readonly (readonly number[])[]): Ring {
  // Point and owner in one exact number, so that one numeric sort orders by point and then by the order of the nodes.
  const sorted = Float64Array.from(
    pointsOfNodes.flatMap((points, owner) => points.map((point) => point * nodes.length + owner)),
  ).sort();
  return {
    points: Uint32Array.from(sorted, (entry) => Math.floor(entry / nodes.length)),
    owners: Uint32Array.from(sorted, (entry) => entry % nodes.length),
    names: nodes.map(({ name }) => name),
  };
}
