/** For tests in which real time passes, and which a machine that stands still for a moment must not fail. */

/** What `action` gave when it took less than `limit` milliseconds. One that never does is taken as it is in the end. */
export async function promptly<T>(action: () => Promise<T>, limit = 500, attempts = 20): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const begun = performance.now();
    const result = await action();
    if (performance.now() - begun < limit || attempt === attempts) return result;
  }
}

/**
 * Another attempt for what failed in a way that another process may be to blame for: one that stood still is not likely to do so
 * each time, and what is at fault here fails each time.
 */
export async function insist<T>(action: () => Promise<T>, mayBeAnothers: (error: unknown) => boolean, attempts = 5): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await action();
    } catch (error) {
      if (attempt === attempts || !mayBeAnothers(error)) throw error;
    }
  }
}
