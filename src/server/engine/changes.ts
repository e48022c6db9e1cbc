import { MARKS, type Item } from './item';
import type { KeyIndex } from './key-index';
import type { StoreTime } from './time';
import { ItemWalk } from './walk';

/** Who wants to know whether keys have changed. */
export interface Watcher {
  /** Set by the store. */
  changed: boolean;
}

/** Stamps of walks repeat after this many walks, by which time no item carries an old one. */
const WALK_STAMPS = 2 ** 26;

/** Tells of each change whoever must know of it: those who save the store, the walk that shows it as it was, and who watches keys. */
export class Changes {
  #count = 0;
  #walk: ItemWalk | undefined;
  #stamp = 0;
  readonly #watchers = new Map<string, Set<Watcher>>();

  /** How many changes there were that a snapshot would show. */
  get count(): number {
    return this.#count;
  }

  /** The stamp of the last walk, which new items carry too. */
  get stamp(): number {
    return this.#stamp;
  }

  /** @throws Error when another walk is under way */
  beginWalk(index: KeyIndex, time: StoreTime): ItemWalk {
    if (this.#walk !== undefined) throw new Error('a walk over the items of this store is under way already');
    this.#stamp = ((this.#stamp / (MARKS + 1) + 1) % WALK_STAMPS) * (MARKS + 1);
    this.#walk = new ItemWalk(index, time, this.#stamp);
    return this.#walk;
  }

  endWalk(): void {
    this.#walk = undefined;
  }

  /** Tells `watcher` from now on that the item of `key` was changed, added or removed. */
  watch(key: string, watcher: Watcher): void {
    const watchers = this.#watchers.get(key);
    if (watchers === undefined) this.#watchers.set(key, new Set([watcher]));
    else watchers.add(watcher);
  }

  /** Tells it no more. */
  unwatch(key: string, watcher: Watcher): void {
    const watchers = this.#watchers.get(key);
    watchers?.delete(watcher);
    if (watchers?.size === 0) this.#watchers.delete(key);
  }

  /** To be called before every change of an item that a snapshot would show, and before its removal. */
  announce(item: Item): void {
    this.#count++;
    this.#walk?.announce(item);
    if (this.#watchers.size > 0) this.#tell(item.key);
  }

  /** To be called for a new item, which no walk shows. */
  announceNew(key: string): void {
    this.#count++;
    if (this.#watchers.size > 0) this.#tell(key);
  }

  /** To be called before all items are removed. */
  announceAll(index: KeyIndex): void {
    this.#count++;
    // The fewer of the two: neither many items nor many watched keys make it slow again and again.
    if (index.size < this.#watchers.size) for (const { key } of index.values()) this.#tell(key);
    else for (const key of this.#watchers.keys()) if (index.get(key) !== undefined) this.#tell(key);
  }

  /** To be called for a change of what a snapshot holds beside the items. */
  announceOther(): void {
    this.#count++;
  }

  #tell(key: string): void {
    for (const watcher of this.#watchers.get(key) ?? []) watcher.changed = true;
  }
}
