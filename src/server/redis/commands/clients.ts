import { command, container, type Command } from './command';
import type { RedisClientInfo } from './context';
import { MAX_REPLY, NOT_AN_INTEGER, REPLY_TOO_LARGE, SYNTAX_ERROR, type RedisExchange } from './exchange';
import { parseInt64 } from '../../engine/counter';
import { COMPATIBLE_REDIS_VERSION } from './version';

const WRONG_PASSWORD = 'WRONGPASS invalid username-password pair or user is disabled.';
const DEFAULT_USER = 'default';

/** Names of clients and their libraries hold no whitespace and no control characters. */
const NAME = /^[!-~]*$/;
const BAD_NAME = 'cannot contain spaces, newlines or special characters.';
/** The longest of them, in bytes: CLIENT LIST shows those of all clients at once. */
const LONGEST_NAME = 1024;
const LONG_NAME = `cannot be longer than ${LONGEST_NAME} bytes.`;

const CLIENT_TYPES = ['normal', 'master', 'pubsub', 'replica', 'slave'];

/** `PING [message]` → PONG, or the message. */
function ping(exchange: RedisExchange): void {
  const { request } = exchange;
  if (request.count > 2) exchange.error("ERR wrong number of arguments for 'ping' command");
  else if (request.count === 2) exchange.bulk(request.value(1));
  else exchange.status('PONG');
}

/** `ECHO message` → the message. */
function echo(exchange: RedisExchange): void {
  exchange.bulk(exchange.request.value(1));
}

/** `SELECT 0` → OK: there is one database. */
function select(exchange: RedisExchange): void {
  const index = parseInt64(exchange.request.text(1));
  if (index === undefined) exchange.error(NOT_AN_INTEGER);
  else if (BigInt.asIntN(32, index) !== index) exchange.error('ERR value is out of range, value must between -2147483648 and 2147483647');
  else if (index !== 0n) exchange.error('ERR DB index is out of range');
  else exchange.ok();
}

/** `AUTH [username] password` → OK; without a name it is the user `default`. */
function auth(exchange: RedisExchange): void {
  const { request, context } = exchange;
  if (request.count > 3) {
    exchange.error(SYNTAX_ERROR);
  } else if (request.count === 2 && !context.requiresAuthentication) {
    exchange.error(
      'ERR AUTH <password> called without any password configured for the default user. Are you sure your ' +
        'configuration is correct?',
    );
  } else {
    const username = request.count === 2 ? DEFAULT_USER : request.text(1);
    if (authenticate(exchange, username, request.text(request.count - 1))) exchange.ok();
  }
}

/** Authenticates the client, or sends the error. */
function authenticate(exchange: RedisExchange, username: string, password: string): boolean {
  const { context } = exchange;
  const allowed = context.requiresAuthentication ? context.authenticate(username, password) : username === DEFAULT_USER;
  if (allowed) exchange.authenticated = true;
  else exchange.error(WRONG_PASSWORD);
  return allowed;
}

/** `HELLO [2 | 3 [AUTH username password] [SETNAME name]]` → what the server is, in that version of RESP. */
function hello(exchange: RedisExchange): void {
  const { request } = exchange;
  const version = request.count === 1 ? BigInt(exchange.protocol) : parseInt64(request.text(1));
  if (version === undefined) {
    exchange.error('ERR Protocol version is not an integer or out of range');
    return;
  }
  if (version !== 2n && version !== 3n) {
    exchange.error('NOPROTO unsupported protocol version');
    return;
  }
  for (let index = 2; index < request.count; index++) {
    const option = request.word(index);
    if (option === 'auth' && index + 2 < request.count) {
      if (!authenticate(exchange, request.text(index + 1), request.text(index + 2))) return;
      index += 2;
    } else if (option === 'setname' && index + 1 < request.count) {
      const name = request.text(++index);
      if (!isName(exchange, name)) return;
      // As in Redis, the name stays even if a later option is refused.
      exchange.name = name;
    } else {
      exchange.error(`ERR Syntax error in HELLO option '${request.shown(index)}'`);
      return;
    }
  }
  if (!exchange.authenticated) {
    exchange.error(
      'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> ' +
        '<pass> option can be used to authenticate the client and select the RESP protocol version at the same time',
    );
    return;
  }
  exchange.protocol = version === 3n ? 3 : 2;
  exchange.map(7);
  for (const text of ['server', 'redis', 'version', COMPATIBLE_REDIS_VERSION, 'proto']) exchange.bulk(text);
  exchange.integer(exchange.protocol);
  exchange.bulk('id');
  exchange.integer(exchange.id);
  for (const text of ['mode', 'standalone', 'role', 'master', 'modules']) exchange.bulk(text);
  exchange.array(0);
}

/** Whether it can be a name; sends the error when not. */
function isName(exchange: RedisExchange, name: string, what = 'Client names'): boolean {
  const isShort = name.length <= LONGEST_NAME;
  if (isShort && NAME.test(name)) return true;
  exchange.error(`ERR ${what} ${isShort ? BAD_NAME : LONG_NAME}`);
  return false;
}

/** `CLIENT SETNAME name` → OK. */
function setname(exchange: RedisExchange): void {
  const name = exchange.request.text(2);
  if (!isName(exchange, name)) return;
  exchange.name = name;
  exchange.ok();
}

/** `CLIENT GETNAME` → the name, or nil. */
function getname(exchange: RedisExchange): void {
  exchange.bulk(exchange.name === '' ? undefined : exchange.name);
}

/** `CLIENT ID` → the connection's number. */
function id(exchange: RedisExchange): void {
  exchange.integer(exchange.id);
}

/** `CLIENT SETINFO lib-name | lib-ver text` → OK. */
function setinfo(exchange: RedisExchange): void {
  const { request } = exchange;
  const attribute = request.word(2);
  const value = request.text(3);
  if (attribute !== 'lib-name' && attribute !== 'lib-ver') {
    exchange.error(`ERR Unrecognized option '${request.text(2)}'`);
  } else if (isName(exchange, value, attribute)) {
    if (attribute === 'lib-name') exchange.libraryName = value;
    else exchange.libraryVersion = value;
    exchange.ok();
  }
}

/** `CLIENT LIST [TYPE type | ID id …]` → a line for each connection, or for those. */
function list(exchange: RedisExchange): void {
  const { request } = exchange;
  const option = request.word(2);
  if (request.count === 2 || (option === 'type' && request.count === 4)) {
    const type = request.count === 2 ? 'normal' : request.word(3);
    // There are no others here.
    const all = type === 'normal' ? clients(exchange) : [];
    if (CLIENT_TYPES.includes(type)) exchange.verbatim(all.map(clientLine).join(''));
    else exchange.error(`ERR Unknown client type '${request.shown(3)}'`);
  } else if (option === 'id' && request.count > 3) {
    listByIds(exchange);
  } else {
    exchange.error(SYNTAX_ERROR);
  }
}

function listByIds(exchange: RedisExchange): void {
  const { request } = exchange;
  const lines = new Map(clients(exchange).map((client) => [BigInt(client.id), clientLine(client)]));
  let found = '';
  for (let index = 3; index < request.count; index++) {
    const wanted = parseInt64(request.text(index));
    if (wanted === undefined) {
      exchange.error('ERR Invalid client ID');
      return;
    }
    // As in Redis, one that is named twice is listed twice.
    found += lines.get(wanted) ?? '';
    if (found.length > MAX_REPLY) {
      exchange.error(REPLY_TOO_LARGE);
      return;
    }
  }
  exchange.verbatim(found);
}

/** `CLIENT INFO` → the line of this connection. */
function info(exchange: RedisExchange): void {
  const own = clients(exchange).filter((client) => client.id === exchange.id);
  exchange.verbatim(own.map(clientLine).join(''));
}

function clients(exchange: RedisExchange): RedisClientInfo[] {
  const all = Array.from(exchange.context.listClients());
  exchange.turn.looked += all.length;
  return all;
}

function clientLine(client: RedisClientInfo): string {
  return (
    `id=${client.id} addr=${client.address} name=${client.name} idle=${client.secondsSinceLastCommand} db=0 ` +
    `resp=${client.protocol} lib-name=${client.libraryName} lib-ver=${client.libraryVersion}\n`
  );
}

/** `QUIT` → OK, then the connection is closed. */
function quit(exchange: RedisExchange): void {
  exchange.ok();
  exchange.finish();
}

/** `RESET` → RESET; the session is then as at its beginning. */
function reset(exchange: RedisExchange): void {
  exchange.reset();
  exchange.status('RESET');
}

export const CLIENT_COMMANDS: readonly Command[] = [
  command('ping', -1, ['fast'], ping),
  command('echo', 2, ['fast'], echo),
  command('select', 2, ['fast'], select),
  command('auth', -2, ['fast', 'no_auth'], auth),
  command('hello', -1, ['fast', 'no_auth'], hello),
  command('quit', -1, ['fast', 'no_auth'], quit, { atOnce: true }),
  command('reset', 1, ['fast', 'no_auth'], reset, { atOnce: true }),
  container('client', -2, [
    command('client|setname', 3, [], setname),
    command('client|getname', 2, [], getname),
    command('client|id', 2, [], id),
    command('client|setinfo', 4, [], setinfo),
    command('client|list', -2, ['admin'], list),
    command('client|info', 2, [], info),
  ]),
];
