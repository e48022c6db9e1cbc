/** Work that continues after its callers have their answers: stores, releases, refreshes. */
export class Pending {
  #count = 0;
  #idle: (() => void)[] = [];

  get count(): number {
    return this.#count;
  }

  begin(): void {
    this.#count++;
  }

  end(): void {
    if (--this.#count > 0) return;
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }

  /** Tracks a promise until it settles; a rejection is passed to `onError`. */
  track(work: Promise<unknown>, onError: (error: unknown) => void): void {
    this.begin();
    work.then(
      () => {
        this.end();
      },
      (error: unknown) => {
        onError(error);
        this.end();
      },
    );
  }

  /** Resolves when nothing is under way any more. */
  whenIdle(): Promise<void> {
    if (this.#count === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle.push(resolve);
    });
  }
}
