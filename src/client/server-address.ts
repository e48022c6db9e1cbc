/** The forms in which a server may be named, and the one form the rest of the package knows. */
import { isIPv6 } from 'node:net';
import { MemcacheIllegalInputError } from '../errors';
import { checkOptionNames } from '../options/option';
import { isObject, isWholeNumber } from '../options/rule';

/** A memcached server: see the README for the forms of strings. */
export type ServerInput =
  | string
  | readonly [host: string, port: number]
  | { readonly host: string; readonly port?: number | undefined }
  | { readonly path: string };

/** User and password of memcached's text authentication (`memcached -Y`). */
export interface Credentials {
  /** Without whitespace, colons and control characters. */
  readonly username: string;
  /** Without whitespace and control characters. */
  readonly password: string;
}

/** A server's address, normalised. */
export interface ServerAddress {
  /** pymemcache's node name: `host:port` (IPv6 without brackets), or the path of a unix socket. */
  readonly name: string;
  readonly endpoint: { readonly host: string; readonly port: number } | { readonly path: string };
  /** Asked for by `memcacheds://`. */
  readonly tls: boolean;
  /** Given by `memcached://user:password@host`. Not enumerable, so that no log shows it. */
  readonly auth?: Credentials | undefined;
}

const DEFAULT_PORT = 11211;

const SEVERAL = '; several servers are for HashClient, in an array';

/** The addresses that were made here, and so are legal. */
const parsed = new WeakSet<object>();

/**
 * Parses any of the accepted forms. What it returns is one of them: whoever needs it later keeps that, since the caller may change
 * the others.
 *
 * @throws MemcacheIllegalInputError
 */
export function parseServerAddress(server: unknown): ServerAddress {
  if (isObject(server) && parsed.has(server)) return server as ServerAddress;
  const address = fromAny(server);
  parsed.add(address);
  return address;
}

function fromAny(server: unknown): ServerAddress {
  if (typeof server === 'string') return fromText(server);
  if (Array.isArray(server)) {
    const [host, port] = server as readonly unknown[];
    if (server.length !== 2 || (typeof port === 'string' && !/^\d+$/.test(port))) throw illegal(SEVERAL);
    return tcp(host, port);
  }
  if (isObject(server)) {
    if ('path' in server) {
      checkOptionNames(server, { path: 0 });
      return unix(server.path);
    }
    if ('host' in server) {
      const address = tcp(server.host, 'port' in server ? (server.port ?? DEFAULT_PORT) : DEFAULT_PORT);
      checkOptionNames(server, { host: 0, port: 0 });
      return address;
    }
  }
  throw illegal();
}

function fromText(text: string): ServerAddress {
  if (/^memcacheds?:\/\//.test(text)) return fromUrl(text);
  if (text.startsWith('unix:')) return unix(text.slice('unix:'.length));
  if (text.startsWith('/')) return unix(text);
  return fromHostAndPort(text);
}

function fromHostAndPort(text: string): ServerAddress {
  if (isIPv6(text)) return tcp(text, DEFAULT_PORT);
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::([0-9]{1,5}))?$/.exec(text);
  if (match === null) throw illegal(text.includes(',') ? SEVERAL : '');
  const [, bracketed, plain, port] = match;
  if (bracketed !== undefined && !isIPv6(bracketed)) throw illegal();
  return tcp(bracketed ?? plain, port === undefined ? DEFAULT_PORT : Number(port));
}

/** `memcached://[user:password@]host[:port]`; `memcacheds` for TLS. */
function fromUrl(text: string): ServerAddress {
  const rest = text.slice(text.indexOf('//') + 2).replace(/\/$/, '');
  const at = rest.lastIndexOf('@');
  // In a URL the "%" before the zone of an address is "%25": https://www.rfc-editor.org/rfc/rfc6874
  const address = { ...fromHostAndPort(rest.slice(at + 1).replace('%25', '%')), tls: text.startsWith('memcacheds:') };
  if (at < 0) return address;
  const [, username, password] = /^([^:]*):(.*)$/s.exec(rest.slice(0, at)) ?? [];
  if (username === undefined || password === undefined) throw illegal();
  return Object.defineProperty(address, 'auth', { value: { username: decode(username), password: decode(password) } });
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw illegal();
  }
}

function tcp(host: unknown, port: unknown): ServerAddress {
  // The characters of host names and addresses; "%" is for the zone of a link-local IPv6 address.
  if (typeof host !== 'string' || host.length > 255 || !(isIPv6(host) || /^[A-Za-z0-9._-]+$/.test(host))) throw illegal();
  if (!isWholeNumber(port, 1, 65535)) {
    throw new MemcacheIllegalInputError('server: the port must be a whole number from 1 to 65535');
  }
  return { name: `${host}:${port}`, endpoint: { host, port }, tls: false };
}

function unix(path: unknown): ServerAddress {
  if (typeof path !== 'string' || path === '' || path.includes('\0')) {
    throw new MemcacheIllegalInputError('server: path must be a string that is not empty');
  }
  return { name: path, endpoint: { path }, tls: false };
}

function illegal(hint = ''): MemcacheIllegalInputError {
  // The input is not repeated: it may hold a password.
  return new MemcacheIllegalInputError(
    'server must be "host", "host:port", "[ipv6]:port", "/path.sock", "unix:/path.sock", ' +
      '"memcached://user:password@host:port", "memcacheds://…", [host, port], { host, port } or { path }' +
      hint,
  );
}
