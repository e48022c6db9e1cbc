import { open, readdir, rename, rm, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

/** Nobody but the owner reads what clients have stored. */
const MODE = 0o600;

/** How many unfinished files this process has begun; so no two have the same name. */
let begun = 0;

/** The files of one snapshot: the present generation, the one before, and, while it is written, the next. */
export class SnapshotFiles {
  /** The present generation. */
  readonly path: string;
  /** The generation before it. */
  readonly previous: string;
  readonly #folder: string;
  /** What the names of unfinished files begin with. */
  readonly #unfinished: string;

  constructor(file: string) {
    this.path = resolve(file);
    this.previous = `${this.path}.1`;
    this.#folder = dirname(this.path);
    this.#unfinished = `${basename(this.path)}.tmp-`;
  }

  /** Removes what a crash has left unfinished; where that is not allowed any more it does no harm. */
  async removeUnfinished(): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      if (name.startsWith(this.#unfinished)) await rm(join(this.#folder, name), { force: true }).catch(() => undefined);
    }
  }

  /**
   * Makes what `write` writes the present generation. At any moment of it, the present generation is complete under its
   * own name, or, between two renames, under that of the previous one. When it resolves, a loss of power changes nothing.
   */
  async replace(write: (file: FileHandle) => Promise<void>): Promise<void> {
    const unfinished = join(this.#folder, `${this.#unfinished}${process.pid}-${++begun}`);
    // Never a file that is there already: it may be another server's.
    const file = await open(unfinished, 'wx', MODE);
    try {
      try {
        await write(file);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(this.path, this.previous).catch(unlessMissing);
      await rename(unfinished, this.path);
      await this.#syncFolder();
    } catch (error) {
      // What has failed is what matters, not that it cannot be tidied up.
      await rm(unfinished, { force: true }).catch(() => undefined);
      throw error;
    }
  }

  /** Keeps a damaged present generation under a name that nothing else uses, and returns the name. */
  async setAside(time: number): Promise<string> {
    const name = `${this.path}.corrupt-${time}`;
    await rename(this.path, name);
    return name;
  }

  /** A rename is safe when its folder is. Windows offers no way to ask for it. */
  async #syncFolder(): Promise<void> {
    if (process.platform === 'win32') return;
    const folder = await open(this.#folder, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }
}

/** Passes on every error but that there is no such file. */
export function unlessMissing(error: unknown): undefined {
  if (typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT') return undefined;
  throw error;
}
