// Next.js answers before it has written to the cache, and gives what is under way to the platform's `waitUntil`.
globalThis.writes = [];

export function register() {
  globalThis[Symbol.for('@next/request-context')] = { get: () => ({ waitUntil: (write) => globalThis.writes.push(write) }) };
}
