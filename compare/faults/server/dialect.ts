/** One request as far as a script has to know it. */
export interface Request {
  readonly verb: string;
  readonly keys: readonly string[];
  /** The bytes that came, one character each; also in all that follows. */
  readonly bytes: string;
}

/** How a server speaks on one connection: what it reads, and the replies that scripts are made of. */
export interface Dialect {
  /** The first request of what was received; undefined when it is not complete. */
  take(received: string): Request | undefined;
  /** Answers as a server without faults does. */
  serve(request: Request): void;
  /** A complete reply with this value. */
  hit(request: Request, value: string): string;
  /** A reply with this value whose header claims another length. */
  hitOfLength(request: Request, value: string, length: string): string;
  /** A complete reply to `other` instead of to the request. */
  stray(other: string, value: string): string;
  /** A complete reply that tells that the server failed. */
  failure(request: Request, message: string): string;
}

/** The value that is stored under a key, unless a script has it otherwise. */
export function storedValue(key: string): string {
  return `the value of ${key}`;
}
