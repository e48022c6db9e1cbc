/**
 * Runs `body`, in which errors have no stack. For errors that are made by the thousand where a connection or a deadline ends: their
 * stacks show nothing but our own timers and sockets, and take 5 of 5.5 µs; 30 000 calls that are given up would be
 * 150 ms later for it.
 */
export function withoutStacks<R>(body: () => R): R {
  const limit = Error.stackTraceLimit;
  // Where the intrinsics are frozen this fails, and nothing is lost but time.
  Reflect.set(Error, 'stackTraceLimit', 0);
  try {
    return body();
  } finally {
    Reflect.set(Error, 'stackTraceLimit', limit);
  }
}
