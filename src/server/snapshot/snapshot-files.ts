import { randomUUID } from 'node:crypto';
import { link, lstat, open, readdir, readlink, realpath, rename, rm, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

/** Only the owner may read what clients have stored. */
const MODE = 0o600;

/** The files of one snapshot: the present generation, the one before, and, while it is written, the next. */
export class SnapshotFiles {
  /** The present generation. */
  readonly path: string;
  /** The generation before it. */
  readonly previous: string;
  readonly #folder: string;
  /** What the names of unfinished files begin with. */
  readonly #unfinished: string;

  /** @param file the path of the present generation; where a link is, generations are kept beside the file that it leads to */
  static async at(file: string): Promise<SnapshotFiles> {
    const present = await lstat(file).catch(unlessMissing);
    if (present?.isSymbolicLink() !== true) return new SnapshotFiles(file);
    // It may lead to where nothing is yet.
    const target = await realpath(file).catch(unlessMissing);
    return target === undefined ? SnapshotFiles.at(resolve(dirname(file), await readlink(file))) : new SnapshotFiles(target);
  }

  private constructor(file: string) {
    this.path = resolve(file);
    this.previous = `${this.path}.1`;
    this.#folder = dirname(this.path);
    this.#unfinished = `${basename(this.path)}.tmp-`;
  }

  /** Removes unfinished files that a crash has left. Those that may not be removed do no harm. */
  async removeUnfinished(): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      if (name.startsWith(this.#unfinished)) await rm(join(this.#folder, name), { force: true }).catch(() => undefined);
    }
  }

  /**
   * Makes the file that `write` writes the present generation. At every moment a complete generation exists under its own name,
   * or, where the file system knows no hard links, under that of the previous one. Once it resolves, the new generation survives a loss
   * of power.
   *
   * @param again whether to begin anew when the unfinished file was removed meanwhile: a server that starts on the same file takes it for
   *   what a crash has left
   */
  async replace(write: (file: FileHandle) => Promise<void>, again = true): Promise<void> {
    // Not the process id: in containers the servers of a rolling restart all have 1, and one would take the other's file for its own.
    const unfinished = join(this.#folder, `${this.#unfinished}${randomUUID()}`);
    const file = await open(unfinished, 'wx', MODE);
    try {
      try {
        await write(file);
        await file.sync();
      } finally {
        await file.close();
      }
      await this.#keepPresent(`${unfinished}-older`);
      try {
        await rename(unfinished, this.path);
      } catch (error) {
        unlessMissing(error);
        if (!again) throw error;
        await this.replace(write, false);
        return;
      }
      await this.#syncFolder();
    } catch (error) {
      // The first error is the one to report, not that of the clean-up.
      await rm(unfinished, { force: true }).catch(() => undefined);
      throw error;
    }
  }

  /** Makes the present generation, if there is one, the previous one too. */
  async #keepPresent(secondName: string): Promise<void> {
    try {
      await link(this.path, secondName);
    } catch {
      // No hard links here: for a moment there will be no present generation. Or it is missing.
      await rename(this.path, this.previous).catch(unlessMissing);
      return;
    }
    try {
      // Missing if a server that starts meanwhile has taken it for what a crash has left: then the previous one stays as it is.
      await rename(secondName, this.previous).catch(unlessMissing);
    } finally {
      // It stays where both are the same file already, as a crash may leave them.
      await rm(secondName, { force: true }).catch(() => undefined);
    }
  }

  /** Keeps a damaged present generation under a name that nothing else uses, and returns the name. */
  async setAside(time: number): Promise<string> {
    const name = `${this.path}.corrupt-${time}`;
    await rename(this.path, name);
    return name;
  }

  /** A rename is only safe once its folder is synced. Windows has no way to do that. */
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

/** Throws every error again, except that there is no such file. */
export function unlessMissing(error: unknown): undefined {
  if (typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT') return undefined;
  throw error;
}
