/**
 * The exception tree: pymemcache's names and shape, with what Python leaves to the
 * standard library (time-outs, refused connections) brought under the same root.
 *
 * No message, property or `inspect` output of these errors holds a key, a value or a secret.
 */

/**
 * What is known about the server's side of a call that failed.
 *
 * - `notSent`: no byte of the command left this process, or a proxy could not reach the server; repeating it is always safe.
 * - `maybeExecuted`: the command was written, and no reply that can be trusted came back, or a proxy lost the server.
 * - `executed`: the server received the command and answered it; the error is its answer,
 *   or arose on this side after the answer.
 */
export type Certainty = 'notSent' | 'maybeExecuted' | 'executed';

/** What an error carries besides its message. */
export interface MemcacheErrorOptions {
  /** Name of the server concerned, for example `127.0.0.1:11211`. */
  server?: string | undefined;
  /** The protocol verb of the command concerned, for example `get`. */
  command?: string | undefined;
  /** The error underneath, for example the socket's. */
  cause?: unknown;
  /** What is known about the server's side. */
  certainty?: Certainty | undefined;
}

/** The `code` of every error of this package: `switch (error.code)` is checked by the compiler. */
export type MemcacheErrorCode =
  | 'MEMCACHE_ERROR'
  | 'MEMCACHE_CLIENT_ERROR'
  | 'MEMCACHE_UNKNOWN_COMMAND'
  | 'MEMCACHE_ILLEGAL_INPUT'
  | 'MEMCACHE_INEXACT_NUMBER'
  | 'MEMCACHE_SERVER_ERROR'
  | 'MEMCACHE_UNEXPECTED_CLOSE'
  | 'MEMCACHE_CONNECT'
  | 'MEMCACHE_TIMEOUT'
  | 'MEMCACHE_LOAD_TIMEOUT'
  | 'MEMCACHE_AUTHENTICATION'
  | 'MEMCACHE_OVERLOADED'
  | 'MEMCACHE_NO_SERVERS'
  | 'MEMCACHE_SERDE'
  | 'MEMCACHE_UNKNOWN'
  | 'MEMCACHE_PARTIAL';

/** Root of every error that this package raises, an aborted `signal` apart (that rejects with the signal's reason). */
export class MemcacheError extends Error {
  /** Stable, machine-readable name of the error class. */
  readonly code: MemcacheErrorCode = 'MEMCACHE_ERROR';

  /** Name of the server concerned, when there is one. */
  readonly server: string | undefined;
  /** The protocol verb of the command concerned, when there is one. */
  readonly command: string | undefined;
  /** What is known about the server's side of the call. */
  readonly certainty: Certainty;

  constructor(message: string, options: MemcacheErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    if (!Object.hasOwn(new.target.prototype, 'name')) nameErrors(new.target);
    this.server = options.server;
    this.command = options.command;
    this.certainty = options.certainty ?? 'notSent';
  }
}

/** The request was at fault: raised by the server (`CLIENT_ERROR …`) or, before a byte is written, by the client itself. */
export class MemcacheClientError extends MemcacheError {
  override readonly code: 'MEMCACHE_CLIENT_ERROR' | 'MEMCACHE_UNKNOWN_COMMAND' | 'MEMCACHE_ILLEGAL_INPUT' | 'MEMCACHE_INEXACT_NUMBER' = 'MEMCACHE_CLIENT_ERROR';
}

/** The server does not know the command (`ERROR`), likely because it is older than the command. */
export class MemcacheUnknownCommandError extends MemcacheClientError {
  override readonly code = 'MEMCACHE_UNKNOWN_COMMAND';
}

/** An argument is not legal; the message names the argument and the rule. Nothing was written. */
export class MemcacheIllegalInputError extends MemcacheClientError {
  override readonly code = 'MEMCACHE_ILLEGAL_INPUT';
}

/** A counter was asked for as a number and is beyond 2^53; the server did change it. {@link exact} has the count. */
export class MemcacheInexactNumberError extends MemcacheClientError {
  override readonly code = 'MEMCACHE_INEXACT_NUMBER';

  readonly #exact: bigint;

  constructor(exact: bigint, command: string, server?: string) {
    super('the count is beyond 2^53, so no number is exact; pass a bigint as delta to get a bigint (this count is error.exact)', {
      command,
      server,
      certainty: 'executed',
    });
    this.#exact = exact;
  }

  /** The exact count. */
  get exact(): bigint {
    return this.#exact;
  }
}

/** The server reported a failure of its own (`SERVER_ERROR …`), for example that a value is too large. */
export class MemcacheServerError extends MemcacheError {
  override readonly code: 'MEMCACHE_SERVER_ERROR' | 'MEMCACHE_UNEXPECTED_CLOSE' = 'MEMCACHE_SERVER_ERROR';
}

/** The connection ended while the reply was awaited, likely because the server was stopped or restarted. */
export class MemcacheUnexpectedCloseError extends MemcacheServerError {
  override readonly code = 'MEMCACHE_UNEXPECTED_CLOSE';
}

/** No connection could be made: refused, unreachable, unknown host, TLS refused, or `connectTimeout` passed. */
export class MemcacheConnectError extends MemcacheError {
  override readonly code = 'MEMCACHE_CONNECT';
}

/** The call's deadline passed. */
export class MemcacheTimeoutError extends MemcacheError {
  override readonly code: 'MEMCACHE_TIMEOUT' | 'MEMCACHE_LOAD_TIMEOUT' = 'MEMCACHE_TIMEOUT';
}

/** A loader of a read-through cache took longer than `loadTimeout`, and there was no old value to give instead. */
export class CacheLoadTimeoutError extends MemcacheTimeoutError {
  override readonly code = 'MEMCACHE_LOAD_TIMEOUT';
}

/** The server refused the credentials, or requires credentials where none were given. */
export class MemcacheAuthenticationError extends MemcacheError {
  override readonly code = 'MEMCACHE_AUTHENTICATION';
}

/** A limit on waiting work is reached (`maxPending`, or a pool's `maxWaiting`); the call was refused at once. */
export class MemcacheOverloadedError extends MemcacheError {
  override readonly code = 'MEMCACHE_OVERLOADED';
}

/** No server is left to ask, likely because all of them are marked dead. */
export class MemcacheNoServersError extends MemcacheError {
  override readonly code = 'MEMCACHE_NO_SERVERS';
}

/** A serde could not write or read a value; `cause` is what it threw. The connection is not affected. */
export class MemcacheSerdeError extends MemcacheError {
  override readonly code = 'MEMCACHE_SERDE';
}

/** The reply cannot be understood, or was not asked for; the connection has been dropped. */
export class MemcacheUnknownError extends MemcacheError {
  override readonly code = 'MEMCACHE_UNKNOWN';
}

/** A call that went to several servers failed on some of them, or a `getMany` for some or all of its keys; what came all the same is in `partial`. */
export class MemcachePartialError extends MemcacheError {
  override readonly code = 'MEMCACHE_PARTIAL';

  readonly #partial: unknown;
  readonly #failures: ReadonlyMap<string, MemcacheError>;

  constructor(partial: unknown, failures: ReadonlyMap<string, MemcacheError>, options: MemcacheErrorOptions = {}) {
    super(`${failures.size} of the servers failed: ${[...failures.keys()].join(', ')}; see partial and failures`, options);
    this.#partial = partial;
    this.#failures = failures;
  }

  /** The result of the servers that answered, of the type that the call would have had. */
  get partial(): unknown {
    return this.#partial;
  }

  /** What went wrong, by server name. */
  get failures(): ReadonlyMap<string, MemcacheError> {
    return this.#failures;
  }
}

/** Gives the errors of a class their name on the prototype, as JavaScript's own errors have it, so that `stack` shows it. */
function nameErrors(errorClass: { readonly prototype: object; readonly name: string }, name = errorClass.name): void {
  Object.defineProperty(errorClass.prototype, 'name', { value: name, configurable: true, writable: true });
}

/** All classes, under their names: those of the classes themselves are lost when a bundle is minified. */
const CLASSES = {
  MemcacheError,
  MemcacheClientError,
  MemcacheUnknownCommandError,
  MemcacheIllegalInputError,
  MemcacheInexactNumberError,
  MemcacheServerError,
  MemcacheUnexpectedCloseError,
  MemcacheConnectError,
  MemcacheTimeoutError,
  CacheLoadTimeoutError,
  MemcacheAuthenticationError,
  MemcacheOverloadedError,
  MemcacheNoServersError,
  MemcacheSerdeError,
  MemcacheUnknownError,
  MemcachePartialError,
};
for (const [name, errorClass] of Object.entries(CLASSES)) nameErrors(errorClass, name);
