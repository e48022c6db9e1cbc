import fc from 'fast-check';
import { Client, MemcacheError, MetaCommand, RawSerde, type Key } from '../../src';
import { illegal } from '../support/contract';
import { fromEnvironment, report } from './report';
import { startMemcached, type MemcachedProcess } from '../support/memcached';
import { Tap } from '../support/tap';
import type { WireCommand } from '../support/wire-parser';
import { describeWithMemcached } from '../support/describe';
import { anyCharacter } from '../support/any-string';

const CANARY = 'canary';
const BATCH = 100;
const TOTAL = fromEnvironment('RELIABILITY_INPUTS', 100_000);

let memcached: MemcachedProcess;
let tap: Tap;
let clients: Client<Buffer, string | Uint8Array>[];
let observer: Client;

beforeAll(async () => {
  memcached = await startMemcached();
  tap = await Tap.start(memcached.port);
  const options = { serde: new RawSerde(), timeout: 5000 };
  clients = [
    new Client(tap.address, options),
    new Client(tap.address, { ...options, keyPrefix: 'p:' }),
    new Client(tap.address, { ...options, allowUnicodeKeys: true }),
    new Client(tap.address, { ...options, allowUnicodeKeys: true, keyPrefix: 'ü:', defaultNoreply: true }),
  ];
  observer = new Client(memcached.address);
  await observer.set(CANARY, 'alive');
});
afterAll(async () => {
  await Promise.all([...clients, observer].map((client) => client.close()));
  await tap.close();
  await memcached.stop();
});

/** Pieces from which attacks are made. */
const attack = fc.constantFrom(
  '\r\n', '\n', '\r', ' ', '\0', '\t', '\x0b', '\x0c', '\x7f', '\x85', '\u2028', 'č', '\u010a', '\u010d', '\u0d0a', '\u{1f600}', '\ud800',
  'flush_all', 'flush_all\r\n', 'set canary 0 0 4\r\ndead\r\n', 'delete canary\r\n', ' noreply', 'get', 'END\r\n', 'quit\r\n',
  'shutdown\r\n', ' 0 0 1\r\nx\r\n', '[]', '%0d%0a', 'mn\r\n', 'ms canary 1\r\nx\r\n', 'VALUE a 0 1\r\n', 'k'.repeat(249), 'k'.repeat(251), 'é'.repeat(125),
);
const text = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.string({ unit: anyCharacter, maxLength: 12 }),
  fc.array(fc.oneof(attack, fc.string({ unit: 'grapheme-ascii', maxLength: 5 })), { maxLength: 5 }).map((pieces) => pieces.join('')),
);
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 20 }).map((array) => Buffer.from(array)),
  text.map((value) => Buffer.from(value)),
  text.map((value) => Buffer.from(value, 'utf16le')),
);
const other = fc.constantFrom<unknown>(
  undefined, null, true, 0, -1, 1.5, NaN, Infinity, 2 ** 53, 2 ** 32, 10n, -1n, 2n ** 64n, {}, [], ['\r\n'], [' '], new Date(NaN), () => '\r\nflush_all\r\n',
  { toString: () => 'x\r\nflush_all\r\n' }, { valueOf: () => 1, toString: () => '1 noreply\r\nflush_all' }, { length: 3 }, Symbol('x'), new String('a b'), [['a', 'b'], 'c'],
);
const part = fc.oneof({ weight: 4, arbitrary: text }, { weight: 2, arbitrary: bytes }, { weight: 1, arbitrary: other });
const key = fc.oneof({ weight: 5, arbitrary: part }, { weight: 1, arbitrary: fc.tuple(part, part) });
const value = fc.oneof({ weight: 4, arbitrary: text }, { weight: 3, arbitrary: bytes }, { weight: 1, arbitrary: other });
const integer = fc.oneof(fc.integer(), fc.constantFrom(0, 1, -1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 30 * 86400, 1e21, 1e-7), part);
const expire = fc.oneof(integer, fc.date({ noInvalidDate: false }));
const cas = fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 65n }).map(String), part);
const options = fc.option(
  fc.record(
    { expire, flags: integer, noreply: fc.oneof(fc.boolean(), fc.boolean(), part) },
    { requiredKeys: [] },
  ),
  { nil: undefined },
);
const metaFlag = fc.oneof(
  fc.constantFrom('v', 't', 'c', 'q', 'k', 'b', 'T30', 'N10', 'Oopaque', 'S5', 'I', 'ME', 'D1', 'x', 'E9', 's', 'h'),
  fc.tuple(fc.constantFrom('O', 'T', 'N', 'C', 'D', 'F', 'M', ''), text).map(([letter, rest]) => letter + rest),
  other,
);
const metaOptions = fc.record(
  {
    opaque: part, base64: fc.boolean(), expire, vivify: integer, recache: integer, cas, newCas: cas, unlessCas: cas, flags: integer, delta: integer,
    initial: integer, mode: fc.oneof(fc.constantFrom('set', 'add', 'append', 'incr', 'decr'), part), invalidate: fc.boolean(), ttl: fc.boolean(),
  },
  { requiredKeys: [] },
);

/** A method, its hostile arguments, and the commands it may send at the most. */
interface Attempt {
  readonly method: string;
  readonly args: readonly unknown[];
  readonly verbs: readonly string[];
}

function attempt(method: string, verbs: readonly string[], ...args: fc.Arbitrary<unknown>[]): fc.Arbitrary<Attempt> {
  return fc.tuple(...args).map((values) => ({ method, args: values, verbs }));
}

const keys = fc.oneof({ weight: 5, arbitrary: fc.array(key, { maxLength: 4 }) }, { weight: 1, arbitrary: part });
const entries = fc.oneof(
  fc.array(fc.tuple(key, value), { maxLength: 4 }),
  fc.dictionary(text, value, { maxKeys: 4 }),
  fc.array(part, { maxLength: 3 }),
  other,
);
const attempts = fc.oneof(
  attempt('get', ['get'], key),
  attempt('gets', ['gets'], key),
  attempt('gat', ['gat'], key, expire),
  attempt('gats', ['gats'], key, expire),
  attempt('getMany', ['get'], keys),
  attempt('getsMany', ['gets'], keys),
  ...(['set', 'add', 'replace', 'append', 'prepend'] as const).map((verb) => attempt(verb, [verb], key, value, options)),
  attempt('cas', ['cas'], key, value, cas, options),
  attempt('setMany', ['set'], entries, options),
  attempt('delete', ['delete'], key, options),
  attempt('deleteMany', ['delete'], keys, options),
  attempt('touch', ['touch'], key, expire, options),
  attempt('incr', ['incr'], key, integer, options),
  attempt('decr', ['decr'], key, integer, options),
  attempt('stats', ['stats'], fc.oneof(part.filter((word) => word !== 'reset'), other)),
  attempt('verbosity', ['verbosity'], fc.oneof(part, fc.constantFrom(0, -1, 1.5, NaN))),
  attempt('cacheMemlimit', [], fc.oneof(text, fc.constantFrom(0, -1, 1.5, NaN, null))),
  attempt('flushAll', [], fc.oneof(text, fc.constantFrom(-1, 1.5, NaN, null, '\r\n'))),
  attempt('metaGet', ['mg'], key, metaOptions),
  attempt('metaSet', ['ms'], key, value, metaOptions),
  attempt('metaDelete', ['md'], key, metaOptions),
  attempt('metaArithmetic', ['ma'], key, metaOptions),
  attempt('metaDebug', ['me'], key),
  attempt('raw', [], fc.oneof(fc.tuple(text, attack, text).map((pieces) => pieces.join('\n')), bytes, other), value),
  attempt('executeMeta', ['mg', 'ms', 'md', 'ma', 'me', 'mn'], fc.constantFrom('mg', 'ms', 'md', 'ma', 'me', 'mn'), key, fc.array(metaFlag, { maxLength: 3 }), value),
);

function call(client: Client<Buffer, string | Uint8Array>, { method, args }: Attempt): Promise<unknown> {
  if (method === 'executeMeta') {
    const [code, wireKey, given, block] = args;
    const flags = (given as unknown[]).filter((flag) => typeof flag !== 'string' || !flag.startsWith('q'));
    return client.executeMeta(
      new MetaCommand(illegal(code), illegal(wireKey), illegal(flags), code === 'ms' ? illegal(block) : undefined),
    );
  }
  const methods = client as object as Readonly<Record<string, (...args: unknown[]) => Promise<unknown>>>;
  const run = methods[method];
  if (run === undefined) throw new Error(`no method ${method}`);
  return run.apply(client, [...args]);
}

/** The keys a command names, as they travel. */
function wireKeys({ verb, args }: WireCommand): readonly string[] {
  if (verb === 'get' || verb === 'gets') return args;
  if (verb === 'gat' || verb === 'gats') return args.slice(1);
  return ['stats', 'verbosity', 'mn', 'version'].includes(verb) ? [] : args.slice(0, 1);
}

/** What the given key may become on the wire, in the ways it may be encoded. */
function encodings(given: unknown, prefix: string): string[] {
  const stored = Array.isArray(given) ? (given[1] as Key) : given;
  if (typeof stored !== 'string' && !(stored instanceof Uint8Array)) return [];
  const whole = Buffer.concat([Buffer.from(prefix), typeof stored === 'string' ? Buffer.from(stored) : Buffer.from(stored)]);
  return [whole.toString('latin1'), whole.toString('base64')];
}

const PREFIXES = ['', 'p:', '', 'ü:'];

describeWithMemcached('hostile arguments', () => {
  /** What was rejected with that is no error of ours, by method. */
  const strangers = new Map<string, string>();

  it('put nothing on the wire but the command that was called, for the key that was given', async () => {
    let tried = 0;
    let refused = 0;
    let sent = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(attempts, fc.nat(3)), { minLength: BATCH, maxLength: BATCH, size: 'max' }), async (batch) => {
        const allowed = new Set(['mn', 'version']);
        const expected = new Set<string>();
        const calls: Promise<unknown>[] = [];
        for (const [made, index] of batch) {
          const client = clients[index];
          if (client === undefined) throw new Error('no client');
          tried++;
          for (const verb of made.verbs) allowed.add(verb);
          // A value too large or an oversize entry is deleted.
          collectKeys(made, PREFIXES[index] ?? '', expected);
          let result: Promise<unknown>;
          try {
            result = call(client, made);
          } catch (error) {
            // The constructor of a MetaCommand throws; methods never do.
            if (made.method !== 'executeMeta') throw error;
            expect(error).toBeInstanceOf(MemcacheError);
            refused++;
            continue;
          }
          calls.push(
            result.then(
              () => sent++,
              (error: unknown) => {
                refused++;
                if (!(error instanceof MemcacheError)) strangers.set(made.method, String(error));
                else if (error.code === 'MEMCACHE_TIMEOUT' || error.code === 'MEMCACHE_UNKNOWN') throw error;
              },
            ),
          );
        }
        await Promise.all(calls);
        const violations = tap.takeViolations();
        if (violations.length > 0) throw violations[0];
        for (const command of tap.takeCommands()) {
          if (!allowed.has(command.verb)) throw new Error(`sent ${JSON.stringify(command)}`);
          for (const wireKey of wireKeys(command)) {
            if (!expected.has(wireKey)) throw new Error(`sent the key ${JSON.stringify(wireKey)} in ${JSON.stringify(command)}`);
          }
        }
        expect(await observer.get(CANARY)).toBe('alive');
      }),
      { numRuns: TOTAL / BATCH, endOnFailure: true },
    );
    expect(tried).toBeGreaterThanOrEqual(TOTAL);
    // Both sides of the border were visited.
    expect(refused).toBeGreaterThan(tried / 10);
    expect(sent).toBeGreaterThan(tried / 10);
  });

  it('are refused with errors of ours', () => {
    expect(Object.fromEntries(strangers)).toEqual({});
    report({ goal: 'G07', claim: 'Hostile arguments put no byte outside its place on the wire (strict parser on a tap)', n: TOTAL, value: 0, limit: 0, pass: true });
  });
});

function collectKeys({ method, args: [first, second] }: Attempt, prefix: string, into: Set<string>): void {
  let given: unknown[];
  if (method === 'executeMeta') given = [second];
  else if (method === 'getMany' || method === 'getsMany' || method === 'deleteMany') given = Array.isArray(first) ? first : [];
  else if (method === 'setMany') {
    given = Array.isArray(first)
      ? first.map((pair: unknown) => (Array.isArray(pair) ? (pair[0] as unknown) : undefined))
      : Object.keys(Object(first) as object);
  } else given = [first];
  for (const one of given) for (const encoded of encodings(one, prefix)) into.add(encoded);
}
