/** The closings of something that can be used again after `close()`: none resolves before those that began earlier. */
export class Closings {
  #last: Promise<void> | undefined;

  /** @returns a promise that resolves when this one and all before it have ended */
  add(closing: Promise<unknown> | undefined): Promise<void> {
    const both = Promise.all([this.#last, closing]).then(() => {
      if (this.#last === both) this.#last = undefined;
    });
    this.#last = both;
    return both;
  }
}
