import { MemcacheIllegalInputError } from '../../errors';
import { crc15, keyHash, utf8Bytes } from './key-hash';
import type { KeyHash, KeyHashName } from './key-hash';
import { Placement } from './placement';
import type { WeightedNode } from './placement';

/** Options of {@link ModuloHash}. */
export interface ModuloHashOptions {
  /**
   * The client whose placements to share: `python-memcached`, or libmemcached's `modula` distribution with one of its
   * key hashes, of which `one-at-a-time` is the default over there.
   */
  hash: 'python-memcached' | KeyHashName;
}

interface Buckets {
  readonly nodes: readonly WeightedNode[];
  /** How many buckets the nodes have together. */
  readonly count: number;
}

/**
 * The hash of the key modulo the number of buckets: the placement of python-memcached, where a node has as many buckets
 * as its weight, and of libmemcached's `modula`, where each has one and the weight is ignored.
 *
 * Nodes must be added in the order in which the other clients list them. Most keys move whenever a node comes or goes;
 * a node that comes back gets its old place in the order.
 */
export class ModuloHash extends Placement<Buckets> {
  readonly #hash: KeyHash;
  readonly #weighted: boolean;

  /** @throws MemcacheIllegalInputError when there is no such hash. */
  constructor({ hash }: ModuloHashOptions) {
    super();
    this.#weighted = hash === 'python-memcached';
    this.#hash = hash === 'python-memcached' ? pythonMemcachedHash : keyHash(hash);
  }

  /**
   * Appends a node to the order; a name already present only changes its weight, and one that was removed takes its old
   * place.
   *
   * @param weight - a whole number; @default 1
   * @throws MemcacheIllegalInputError when the weight is not a whole number from 1.
   */
  override addNode(name: string, weight = 1): void {
    if (!Number.isSafeInteger(weight)) {
      throw new MemcacheIllegalInputError(`weight of node ${name} must be a whole number, as it counts buckets`);
    }
    super.addNode(name, weight);
  }

  protected override prepare(nodes: readonly WeightedNode[]): Buckets {
    const counted = this.#weighted ? nodes : nodes.map(({ name }) => ({ name, weight: 1 }));
    return { nodes: counted, count: counted.reduce((sum, { weight }) => sum + weight, 0) };
  }

  protected override place({ nodes, count }: Buckets, key: string): string | undefined {
    let bucket = this.#hash(utf8Bytes(key)) % count;
    for (const { name, weight } of nodes) {
      if (bucket < weight) return name;
      bucket -= weight;
    }
    return undefined;
  }
}

/** Never 0, because python-memcached takes that for "no hash". */
function pythonMemcachedHash(bytes: string): number {
  return crc15(bytes) || 1;
}
