/** The closings of something that can be used again after `close()`: none ends before those that began earlier. */
export class Closings {
  #last: Promise<void> | undefined;

  /** @returns when this one has ended, and all before it */
  add(closing: Promise<void> | undefined): Promise<void> {
    if (closing === undefined && this.#last === undefined) return Promise.resolve();
    const both = Promise.all([this.#last, closing]).then(() => {
      if (this.#last === both) this.#last = undefined;
    });
    this.#last = both;
    return both;
  }
}
