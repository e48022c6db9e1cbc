/** What a message says of an error that ended a connection. */

export function whyUnreadable(error: unknown): string {
  return error instanceof Error ? error.message : 'the reply cannot be read';
}

/** One line for an error of the system; trying several addresses gives one that has the others in it, and no message. */
export function whyClosed(cause: Error | undefined): string {
  // What `connect` of the user's own tells may be anything, such as the `hadError` of a socket.
  if (!cause) return 'the server closed the connection';
  // Not by its class: it may be that of another realm.
  // OpenSSL's messages end with a line end.
  const { errors, message = String(cause) } = cause as Partial<AggregateError>;
  if (!Array.isArray(errors)) return message.trim();
  const messages = errors.map((error: Partial<Error> | undefined) => error?.message ?? String(error as unknown));
  return [...new Set(messages)].join(', ') || message;
}

/** What to look at, where no connection could be made for this reason. */
export function whatToCheck(why: string, cause: unknown, withTls: boolean): string {
  if ((cause as { readonly syscall?: unknown } | undefined)?.syscall === 'getaddrinfo') return 'is the name right?';
  // OpenSSL's word where one is not trusted, has expired, or has another name; Deno's too. An alert is what the server says.
  return /certificate|alert/.test(why) ? 'see the option tls' : `is a memcached${withTls ? ' with TLS' : ''} running there?`;
}

/**
 * How OpenSSL says that the server has refused our certificate, or that we have none. With TLS 1.3 the server does so when we have taken
 * the connection for made, and have written to it; it has read nothing of that then.
 */
export const REFUSED_CERTIFICATE = /alert .*(cert|ca:|denied)/;
