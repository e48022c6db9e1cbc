import { MemcacheIllegalInputError } from '../../errors';
import type { Hasher } from './hasher';

/** A node and its weight. */
export interface WeightedNode {
  readonly name: string;
  readonly weight: number;
}

/** The positions of this many nodes that have left are kept; where servers come under ever new names, the list would grow for ever. */
const MAX_ABSENT = 1000;

/** Marks a node that has left in {@link Placement}'s list; a node cannot be added with this weight. */
const ABSENT = 0;

/**
 * The common part of all placements: the list of nodes, and a table that is made from it when the next key is placed, so that
 * adding a hundred nodes makes one table.
 */
export abstract class Placement<Table> implements Hasher {
  // A node that was removed keeps its position: where the order of the nodes counts, a server that comes back after a failure
  // must get its own keys again, and not shift every other server by one.
  readonly #weights = new Map<string, number>();
  #table: Table | undefined;
  /** The name of the node when there is but one: it owns every key, and none needs to be hashed. */
  #only: string | undefined;

  /**
   * Lets `name` own keys; for a name already present only the weight changes, and one that was removed gets its old position back.
   *
   * @param weight - how many times as many keys as a node of weight 1; @default 1
   * @throws MemcacheIllegalInputError when the weight is not a finite number above 0.
   */
  addNode(name: string, weight = 1): void {
    if (!Number.isFinite(weight) || weight <= 0) {
      throw new MemcacheIllegalInputError(`weight of node ${name} must be a finite number above 0`);
    }
    this.#weights.set(name, weight);
    this.#table = undefined;
  }

  /**
   * Takes every key away from `name`.
   *
   * @throws MemcacheIllegalInputError when there is no such node.
   */
  removeNode(name: string): void {
    if ((this.#weights.get(name) ?? ABSENT) === ABSENT) throw new MemcacheIllegalInputError(`no such node: ${name}`);
    this.#weights.set(name, ABSENT);
    this.#table = undefined;
    const absent = [...this.#weights].filter(([, weight]) => weight === ABSENT);
    for (const [forgotten] of absent.slice(0, -MAX_ABSENT)) this.#weights.delete(forgotten);
  }

  /** The name of the node that owns `key`, or `undefined` when there is no node; `bytes` are the key's when it was given as bytes. */
  getNode(key: string, bytes?: Uint8Array): string | undefined {
    const table = (this.#table ??= this.#prepare());
    return this.#only ?? this.place(table, key, bytes);
  }

  #prepare(): Table {
    const nodes = this.#present();
    this.#only = nodes.length === 1 ? nodes[0]?.name : undefined;
    return this.prepare(nodes);
  }

  /** Makes the table for `nodes`, which are in the order in which they were first added and may be none. */
  protected abstract prepare(nodes: readonly WeightedNode[]): Table;

  /** Finds the owner of `key`. */
  protected abstract place(table: Table, key: string, bytes: Uint8Array | undefined): string | undefined;

  #present(): WeightedNode[] {
    return Array.from(this.#weights, ([name, weight]) => ({ name, weight })).filter(({ weight }) => weight !== ABSENT);
  }
}
