/** What was opened so far, to be closed again: what was opened last first. */
export class Opened {
  readonly #closers: (() => unknown)[] = [];

  /** Adds how what was just opened is closed. */
  add(close: () => unknown): void {
    this.#closers.push(close);
  }

  /**
   * Closes all of it, one after another; those that fail do not keep the others open.
   *
   * @throws the first failure, when all have been tried
   */
  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (let close = this.#closers.pop(); close !== undefined; close = this.#closers.pop()) {
      try {
        await close();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
