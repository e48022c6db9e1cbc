import type { FileHandle } from 'node:fs/promises';
import { settingsOf } from '../../options/option';
import type { Clock, Timer } from '../../runtime/clock';
import { messageOf } from '../../runtime/message-of';
import type { MemoryStore } from '../engine/store';
import { ITEMS_PER_TURN, nextTurn } from '../engine/turn';
import { SnapshotError } from './format';
import { CLOSE_OPTIONS, checkPersistence, type PersistenceCloseOptions, type PersistenceOptions } from './options';
import type { SaveControl } from './save-control';
import { SnapshotFiles, unlessMissing } from './snapshot-files';
import { readSnapshot, type Snapshot } from './snapshot-reader';
import { SnapshotWriter } from './snapshot-writer';

/**
 * More cas numbers than a store uses between two saves. Numbers used after the last save of a server that crashed must not be
 * used again: a client may still hold one, and must not change another value with it.
 */
const LOST_CAS = 2 ** 26;

/**
 * Keeps the items of a store in a file, from one run of the program to the next.
 *
 * ```ts
 * const store = new MemoryStore();
 * const persistence = await Persistence.open(store, { file: 'cache.snapshot' });
 * const server = await MemcachedServer.start({ store });
 * …
 * await server.close();
 * await persistence.close(); // saves
 * ```
 */
export class Persistence implements SaveControl {
  readonly #store: MemoryStore;
  readonly #clock: Clock;
  readonly #files: SnapshotFiles;
  readonly #log: (line: string) => void;
  readonly #interval: number;
  #lastSave: number;
  /** The store's count of changes when the file was written. */
  #saved: number;
  /** The same for the file that is being written; infinite until its moment is fixed. */
  #beingSaved = Infinity;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #timer: Timer | undefined;
  #closing: Promise<void> | undefined;

  /**
   * Fills the store with the items of the file, except those that have expired since, and begins to save it. Without a file the
   * store stays empty. When the file is damaged, the generation before it is used, and the damaged file is kept under another
   * name.
   *
   * @throws SnapshotError when no generation is intact; the system's error when a file cannot be read. Nothing is restored
   *   then. MemcacheIllegalInputError naming an option that is not legal. The reason of `signal` when that was aborted: the
   *   store may hold a part of the items then.
   */
  static async open(store: MemoryStore, options: PersistenceOptions): Promise<Persistence> {
    const { file, interval, log, signal } = checkPersistence(store, options);
    signal?.throwIfAborted();
    const files = await SnapshotFiles.at(file);
    await files.removeUnfinished();
    const snapshot = await readNewest(files, store.clock, log, signal);
    if (snapshot !== undefined) await restore(store, snapshot, log, signal);
    return new Persistence(store, files, log, interval);
  }

  private constructor(store: MemoryStore, files: SnapshotFiles, log: (line: string) => void, interval: number) {
    this.#store = store;
    this.#clock = store.clock;
    this.#files = files;
    this.#log = log;
    this.#interval = interval;
    this.#saved = store.changes;
    this.#lastSave = this.#unixTime();
    this.#saveLater();
  }

  /** Unix seconds of the last finished save, or of the start. */
  get lastSave(): number {
    return this.#lastSave;
  }

  /** Whether a save is under way. */
  get saving(): boolean {
    return this.#running !== undefined;
  }

  /** Changes of the store since the last save, including those that a save under way is writing. */
  get changes(): number {
    return this.#store.changes - this.#saved;
  }

  /**
   * Saves what the store holds now. A save under way is shared when nothing has changed since it began; else one more follows
   * it, which all later callers share.
   *
   * @throws the system's error when the file cannot be written; the existing generations stay as they are
   */
  save(): Promise<void> {
    if (this.#next !== undefined) return this.#next;
    if (this.#running === undefined) return this.#save();
    if (this.#beingSaved >= this.#store.changes) return this.#running;
    this.#next = this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined;
        return this.#save();
      });
    return this.#next;
  }

  /**
   * Stops saving, after one last save if something has changed. May be called again: then it waits for the first.
   *
   * @throws as {@link save}
   */
  async close(options: PersistenceCloseOptions = {}): Promise<void> {
    const { save } = settingsOf(CLOSE_OPTIONS, options);
    this.#closing ??= this.#close(save);
    await this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(save: boolean): Promise<void> {
    this.#timer?.close();
    if (save && (this.changes > 0 || this.saving)) await this.save();
    else await this.#running;
  }

  #save(): Promise<void> {
    this.#running = this.#write().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #write(): Promise<void> {
    try {
      this.#beingSaved = Infinity;
      await this.#files.replace((file) => this.#writeItems(file));
      this.#saved = this.#beingSaved;
      this.#lastSave = this.#unixTime();
    } catch (error) {
      this.#log(`snapshot ${this.#files.path} could not be saved: ${messageOf(error)}`);
      throw error;
    }
  }

  async #writeItems(file: FileHandle): Promise<void> {
    const store = this.#store;
    const walk = store.beginWalk();
    try {
      this.#beingSaved = store.changes;
      const { epoch, lastCas, flushAt } = store;
      const writer = new SnapshotWriter(file, epoch);
      await writer.begin({
        // A clock that was set to before 1970 must not make a file that cannot be read.
        savedAt: Math.max(0, epoch + store.now()),
        lastCas,
        flushAt: flushAt === 0 ? 0 : Math.max(1, flushAt + epoch),
      });
      while (!walk.done()) {
        for (let steps = 0; steps < ITEMS_PER_TURN && !walk.done(); steps++) {
          const item = walk.step();
          if (item !== undefined && !writer.put(item)) await writer.putAcross(item);
        }
        if (!walk.done()) await nextTurn(this.#clock);
      }
      await writer.finish();
    } finally {
      store.endWalk();
    }
  }

  #saveLater(): void {
    if (this.#interval === 0) return;
    this.#timer = this.#clock.setTimeout(() => {
      this.#saveLater();
      // The log has the failure, and the next turn tries again.
      if (this.changes > 0 && !this.saving) this.save().catch(() => undefined);
    }, this.#interval);
    this.#timer.unref();
  }

  #unixTime(): number {
    return Math.floor(this.#clock.time() / 1000);
  }
}

/** The newest generation that is intact; `undefined` when there is no file at all. */
async function readNewest(
  files: SnapshotFiles,
  clock: Clock,
  log: (line: string) => void,
  signal: AbortSignal | undefined,
): Promise<Snapshot | undefined> {
  let refused: SnapshotError | undefined;
  try {
    const snapshot = await readSnapshot(files.path, signal).catch(unlessMissing);
    if (snapshot !== undefined) return snapshot;
  } catch (error) {
    if (!(error instanceof SnapshotError)) throw error;
    refused = error;
    log(refused.message);
  }
  const previous = await readSnapshot(files.previous, signal).catch(unlessMissing);
  if (previous === undefined) {
    if (refused !== undefined) throw refused;
    return undefined;
  }
  if (refused === undefined) {
    log(`snapshot ${files.path} is missing; ${files.previous} is used`);
  } else {
    const kept = await files.setAside(clock.time());
    log(`${files.previous} is used, and the damaged file is kept as ${kept}`);
  }
  return previous;
}

/** Puts the items of a complete snapshot into the store. */
async function restore(store: MemoryStore, { header, items }: Snapshot, log: (line: string) => void, signal: AbortSignal | undefined): Promise<void> {
  const { epoch } = store;
  const now = store.now();
  const flushAt = header.flushAt === 0 ? 0 : header.flushAt - epoch;
  const flushed = flushAt !== 0 && flushAt <= now;
  store.resume(header.lastCas + LOST_CAS, flushed ? 0 : flushAt);
  if (flushed) return;
  // The store evicts what was unused longest; within one second, what was written first.
  items.sort((left, right) => left.accessed - right.accessed || (left.cas < right.cas ? -1 : Number(left.cas > right.cas)));
  let refused = 0;
  for (const [index, item] of items.entries()) {
    if (index > 0 && index % ITEMS_PER_TURN === 0) {
      await nextTurn(store.clock);
      signal?.throwIfAborted();
    }
    // Where the wall clock has been put back meanwhile, it was used a moment ago, not in the future.
    item.accessed = Math.floor(Math.min(item.accessed - epoch, now) / 1000);
    if (item.deadline !== 0) {
      item.deadline -= epoch;
      if (item.deadline <= now) continue;
    }
    if (!store.restore(item)) refused++;
  }
  if (refused > 0) log(`${refused} items of the snapshot are too large for this store, or found no room`);
}
