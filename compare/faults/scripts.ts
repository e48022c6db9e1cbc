import { setTimeout as sleep } from 'node:timers/promises';
import { TIMEOUT, type Contestant, type Protocol } from './clients/adapter';
import { storedValue } from './server/dialect';
import { FAULT, untilAsked, type Exchange, type Script } from './server/exchange';

/** What may rightly come of a call: the value, an error, or also a miss. */
export type Right = 'value' | 'value or error' | 'error' | 'miss or error';

export interface Call {
  readonly operation: 'get' | 'set' | 'noreply set';
  readonly key: string;
  /** What a set stores, or a get should deliver: the stored value of the key when it is absent. */
  readonly value?: string;
  /** How long a set is to last. */
  readonly seconds?: number;
  /** What is told by anything else is a defect. For a set, "value" is success. */
  readonly right: Right;
}

export interface Fault {
  readonly name: string;
  readonly title: string;
  /** Made in one tick. A set that succeeds on a real memcached is read back. */
  readonly calls: readonly Call[];
  /** What the server does about the calls; or a real memcached; or nobody listens until the calls are settled. */
  readonly server: Script | 'memcached' | 'absent';
  /** The one protocol that has this fault. */
  readonly only?: Protocol;
  /** How long to wait after the calls, in milliseconds. */
  readonly pause?: number;
  /** The client is closed while the calls are in flight; then the process should end by itself. */
  readonly closes?: true;
}

/** The keys of gets that belong to the play; each has its value. */
export const WARM = 'warm';
const BESIDE = ['beside-1', 'beside-2', 'beside-3'];
export const NEXT: readonly string[] = Array.from({ length: 40 }, (_, index) => `next-${index + 1}`);
export const STORED: readonly string[] = [WARM, ...BESIDE, ...NEXT];

const get = (key: string, right: Right): Call => ({ operation: 'get', key, right });
const set = (key: string, value: string, right: Right): Call => ({ operation: 'set', key, value, right });
const besides = BESIDE.map((key) => get(key, 'value or error'));

/** A key that goes wrong makes memcached take the value for a command. */
const POISON = 'flush_all';

const PAGE = '<html><body><h1>400 Bad Request</h1></body></html>\r\n';
const HTTP = `HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nContent-Length: ${PAGE.length}\r\n\r\n${PAGE}`;

const value = (exchange: Exchange): string => storedValue(exchange.request.keys[0] ?? '');

/** Sends these bytes and no more. */
function reply(bytes: (exchange: Exchange) => string): Script {
  return (exchange) => {
    exchange.send(bytes(exchange));
    return undefined;
  };
}

async function sendSlowly(exchange: Exchange, bytes: string, milliseconds: number): Promise<void> {
  for (const byte of bytes) {
    if (exchange.socket.destroyed) return;
    exchange.send(byte);
    await sleep(milliseconds);
  }
}

/** A right reply, and something unasked soon after it. */
function unasked(bytes: (exchange: Exchange) => string): Script {
  return async (exchange) => {
    exchange.send(exchange.dialect.hit(exchange.request, value(exchange)));
    await sleep(50);
    exchange.send(bytes(exchange));
  };
}

const timing: readonly Fault[] = [
  {
    name: 'late',
    title: 'the reply comes 300 ms after the timeout',
    calls: [get(FAULT, 'value or error')],
    server: async (exchange) => {
      await sleep(TIMEOUT + 300);
      exchange.send(exchange.dialect.hit(exchange.request, value(exchange)));
    },
  },
  { name: 'silence', title: 'no reply at all', calls: [get(FAULT, 'error')], server: ({ closed }) => closed },
  {
    name: 'trickle',
    title: 'a reply of one byte per 20 ms that does not end',
    calls: [get(FAULT, 'error')],
    server: (exchange) => sendSlowly(exchange, exchange.dialect.hit(exchange.request, 'x'.repeat(4096)), 20),
  },
  {
    name: 'bytes',
    title: 'a right reply, one byte at a time',
    calls: [get(FAULT, 'value')],
    server: (exchange) => sendSlowly(exchange, exchange.dialect.hit(exchange.request, value(exchange)), 1),
  },
];

const broken: readonly Fault[] = [
  {
    name: 'fin',
    title: 'FIN in the middle of a value',
    calls: [get(FAULT, 'error')],
    server: (exchange) => {
      const whole = exchange.dialect.hit(exchange.request, value(exchange));
      exchange.socket.end(whole.slice(0, whole.indexOf(value(exchange)) + 5), 'latin1');
      return exchange.closed;
    },
  },
  {
    name: 'rst',
    title: 'RST with three gets in flight',
    calls: [1, 2, 3].map((index) => get(`${FAULT}-${index}`, 'error')),
    server: async (exchange) => {
      await untilAsked(exchange, 3);
      exchange.socket.resetAndDestroy();
    },
  },
  { name: 'gone', title: 'nobody listens; then the server is there', calls: [get(FAULT, 'error')], server: 'absent', pause: 200 },
];

const replies: readonly Fault[] = [
  {
    name: 'unasked-hit',
    title: 'a reply that nobody asked for, while idle',
    calls: [get(FAULT, 'value')],
    server: unasked(({ dialect }) => dialect.stray('stray', 'a stray value')),
    pause: 150,
  },
  {
    name: 'unasked-error',
    title: 'an error that nobody asked for, while idle',
    calls: [get(FAULT, 'value')],
    server: unasked(({ dialect, request }) => dialect.failure(request, 'out of memory')),
    pause: 150,
  },
  {
    name: 'end-in-value',
    title: 'a value that contains END CR LF',
    calls: [{ ...get(FAULT, 'value'), value: 'before\r\nEND\r\nafter' }],
    server: reply(({ dialect, request }) => dialect.hit(request, 'before\r\nEND\r\nafter')),
  },
  ...(['-1', 'abc', '99999999999'] as const).map(
    (length): Fault => ({
      name: `length ${length}`,
      title: `a value whose length is given as ${length}`,
      calls: [get(FAULT, 'error')],
      server: reply(({ dialect, request }) => dialect.hitOfLength(request, 'body', length)),
      ...(length === 'abc' ? { only: 'text' } : {}),
    }),
  ),
  { name: 'http', title: 'an HTTP error page as the reply', calls: [get(FAULT, 'error')], server: reply(() => HTTP) },
  {
    name: 'other-key',
    title: 'the reply to another get',
    calls: [get(FAULT, 'error')],
    server: reply(({ dialect }) => dialect.stray('other', 'the value of another key')),
  },
  {
    name: 'server-error',
    title: 'SERVER_ERROR to a get',
    calls: [get(FAULT, 'error')],
    server: reply(({ dialect, request }) => dialect.failure(request, 'out of memory')),
  },
  {
    name: 'two-errors',
    title: 'a set is refused with two error lines, three gets after it',
    calls: [set(FAULT, 'x', 'error'), ...besides],
    server: reply(({ dialect, request }) => dialect.failure(request, 'out of memory') + dialect.failure(request, 'and once more')),
  },
  {
    name: 'noreply-error',
    title: 'an error line to a noreply set, a get after it',
    calls: [{ operation: 'noreply set', key: FAULT, value: 'x', right: 'value or error' }, ...besides.slice(0, 1)],
    server: reply(({ dialect, request }) => dialect.failure(request, 'out of memory')),
    only: 'text',
  },
];

const input: readonly Fault[] = [
  { name: 'crlf-key', title: 'get of a key with CR LF flush_all', calls: [get(`a\r\n${POISON}`, 'miss or error')], server: 'memcached' },
  { name: 'empty-key', title: 'set with an empty key', calls: [set('', POISON, 'value or error')], server: 'memcached' },
  { name: 'nul-key', title: 'set with a key with NUL', calls: [set('a\0b', POISON, 'value or error')], server: 'memcached' },
  { name: 'long-key', title: 'set with a key of 251 bytes', calls: [set('k'.repeat(251), POISON, 'value or error')], server: 'memcached' },
  { name: 'wide-key', title: 'set with a key of 130 × é (260 bytes)', calls: [set('é'.repeat(130), POISON, 'value or error')], server: 'memcached' },
  {
    name: 'fraction',
    title: 'set that is to last 1.5 seconds',
    calls: [{ ...set('short-lived', POISON, 'value or error'), seconds: 1.5 }],
    server: 'memcached',
  },
  { name: 'large', title: 'set of 2 MB, which the server refuses', calls: [set('large', 'x'.repeat(2 ** 21), 'error')], server: 'memcached' },
];

const ends: readonly Fault[] = [
  { name: 'close', title: 'close() when idle: the process ends by itself', calls: [], server: reply(() => ''), closes: true },
  {
    name: 'close-in-flight',
    title: 'close() while a get waits: it settles, the process ends',
    calls: [get(FAULT, 'error')],
    server: ({ closed }) => closed,
    closes: true,
  },
];

/** All rows of the table. */
export const faults: readonly Fault[] = [...timing, ...broken, ...replies, ...input, ...ends];

/** Why a client has no such cell; undefined when it has. */
export function notApplicable(fault: Fault, { protocol, hasNoreply }: Contestant): string | undefined {
  if (fault.only !== undefined && fault.only !== protocol) return `${protocol} protocol`;
  return hasNoreply !== true && fault.calls.some(({ operation }) => operation === 'noreply set') ? 'no noreply' : undefined;
}
