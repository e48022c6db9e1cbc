import { MemcacheIllegalInputError } from '../../errors';
import { option, settingsOf, type OptionTable } from '../../options/option';
import { oneOf } from '../../options/rule';
import { crc15, keyBytes, keyHash } from './key-hash';
import type { KeyHash, KeyHashName } from './key-hash';
import { Placement } from './placement';
import type { WeightedNode } from './placement';

/** Options of {@link ModuloHash}. */
export interface ModuloHashOptions {
  /**
   * The client whose placement is shared. `python-memcached` is that of 1.60 and later, `python-memcached-1.59` that of versions
   * up to 1.59, which place one key in 32 768 differently. The others are key hashes of libmemcached's `modula` distribution,
   * which itself uses `one-at-a-time` unless told otherwise.
   */
  hash: PythonMemcached | KeyHashName;
}

type PythonMemcached = 'python-memcached' | 'python-memcached-1.59';

/** The options of {@link ModuloHash}. */
export const MODULO_OPTIONS = {
  hash: option(oneOf<ModuloHashOptions['hash']>('python-memcached', 'python-memcached-1.59', 'one-at-a-time', 'crc', 'md5')),
} satisfies OptionTable<ModuloHashOptions>;

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

  /** @throws MemcacheIllegalInputError naming the option that is not legal, or does not exist */
  constructor(options: ModuloHashOptions) {
    super();
    const { hash } = settingsOf(MODULO_OPTIONS, options);
    if (hash === undefined) throw new MemcacheIllegalInputError(`hash must be given: ${MODULO_OPTIONS.hash.rule.is}`);
    this.#weighted = isPythonMemcached(hash);
    this.#hash = isPythonMemcached(hash) ? PYTHON_HASHES[hash] : keyHash(hash);
  }

  /**
   * Appends a node to the order; a name already present only changes its weight, and one that was removed gets its old place back.
   *
   * @param weight - a whole number; @default 1
   * @throws MemcacheIllegalInputError when the weight is not a whole number of 1 or more.
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

  protected override place({ nodes, count }: Buckets, key: string, bytes: Uint8Array | undefined): string | undefined {
    let bucket = this.#hash(keyBytes(key, bytes)) % count;
    for (const { name, weight } of nodes) {
      if (bucket < weight) return name;
      bucket -= weight;
    }
    return undefined;
  }
}

const PYTHON_HASHES: Readonly<Record<PythonMemcached, KeyHash>> = {
  'python-memcached': crc15,
  // Never 0, which python-memcached took for "no hash".
  'python-memcached-1.59': (bytes) => crc15(bytes) || 1,
};

function isPythonMemcached(hash: ModuloHashOptions['hash']): hash is PythonMemcached {
  return hash in PYTHON_HASHES;
}
