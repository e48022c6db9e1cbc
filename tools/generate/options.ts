/** The tables of options in docs/options.md: names, rules and defaults from the code, meanings from its docstrings. */
import { join } from 'node:path';
import { createProgram, displayPartsToString, isInterfaceDeclaration, SymbolFlags, type InterfaceDeclaration, type Program, type Symbol as TsSymbol, type TypeChecker } from 'typescript';
import { KEYV_OPTIONS } from '../../src/adapters/keyv';
import { NEXT_OPTIONS } from '../../src/adapters/next';
import { RATE_LIMIT_OPTIONS } from '../../src/adapters/rate-limit';
import { SESSION_OPTIONS } from '../../src/adapters/session';
import { DRIVER_OPTIONS } from '../../src/adapters/unstorage';
import { CACHE_OPTIONS, CIRCUIT_OPTIONS, ENTRY_OPTIONS, NEAR_OPTIONS } from '../../src/cache/cache-options';
import { CLIENT_OPTIONS, CONNECTION_OPTIONS } from '../../src/client/client-options';
import { FALLBACK_OPTIONS } from '../../src/client/policies/fallback-client';
import { BACKOFF_OPTIONS, RETRY_OPTIONS } from '../../src/client/policies/retrying-client';
import { DNS_OPTIONS, SRV_OPTIONS } from '../../src/hash/discovery/dns';
import { ELASTICACHE_OPTIONS } from '../../src/hash/discovery/elasticache';
import { HASH_OPTIONS } from '../../src/hash/hash-client';
import { KETAMA_OPTIONS } from '../../src/hash/placement/ketama';
import { MODULO_OPTIONS } from '../../src/hash/placement/modulo';
import { RENDEZVOUS_OPTIONS } from '../../src/hash/placement/rendezvous';
import type { AnyOptionTable } from '../../src/options/option';
import { POOL_OPTIONS } from '../../src/pool/connection-pool';
import { COMPRESSED_OPTIONS } from '../../src/serde/compressed-serde';
import { JSON_OPTIONS } from '../../src/serde/json-serde';
import { PYTHON_OPTIONS } from '../../src/serde/python-serde';
import { STORE_OPTIONS } from '../../src/server/engine/options';
import { SERVER_OPTIONS } from '../../src/server/memcached/options';
import { LISTENER_OPTIONS } from '../../src/server/net/options';
import { INSTRUMENT_OPTIONS } from '../../src/telemetry/opentelemetry';
import { PROMETHEUS_OPTIONS, STATS_OPTIONS } from '../../src/telemetry/prometheus';
import { textTable } from '../page';

const ROOT = join(__dirname, '..', '..');

/** A group of options: who takes them, where their type is declared, and the table that checks them. */
interface Group {
  readonly title: string;
  readonly file: string;
  readonly type: string;
  readonly table: AnyOptionTable;
}

function group(title: string, file: string, type: string, table: object): Group {
  return { title, file: join(ROOT, 'src', file), type, table: table as AnyOptionTable };
}

/** The options that none of the other tables has. */
function without(table: object, ...others: readonly object[]): object {
  return Object.fromEntries(Object.entries(table).filter(([name]) => !others.some((other) => name in other)));
}

const GROUPS: readonly Group[] = [
  group('Every client: its connection', 'client/client-options.ts', 'ConnectionOptions', CONNECTION_OPTIONS),
  group('Every client: keys, values and errors', 'client/client-options.ts', 'ClientOptions', without(CLIENT_OPTIONS, CONNECTION_OPTIONS)),
  group('PooledClient, and HashClient with `usePooling`', 'pool/connection-pool.ts', 'PoolOptions', POOL_OPTIONS),
  group('HashClient', 'hash/hash-client.ts', 'HashClientOptions', HASH_OPTIONS),
  group('RendezvousHash', 'hash/placement/rendezvous.ts', 'RendezvousHashOptions', RENDEZVOUS_OPTIONS),
  group('KetamaHash', 'hash/placement/ketama.ts', 'KetamaHashOptions', KETAMA_OPTIONS),
  group('ModuloHash', 'hash/placement/modulo.ts', 'ModuloHashOptions', MODULO_OPTIONS),
  group('ElastiCacheClient, and elastiCacheDiscovery', 'hash/discovery/elasticache.ts', 'ElastiCacheOptions', ELASTICACHE_OPTIONS),
  group('RetryingClient', 'client/policies/retrying-client.ts', 'RetryOptions', RETRY_OPTIONS),
  group('backoff', 'client/policies/retrying-client.ts', 'BackoffOptions', BACKOFF_OPTIONS),
  group('FallbackClient', 'client/policies/fallback-client.ts', 'FallbackOptions', FALLBACK_OPTIONS),
  group('dnsDiscovery', 'hash/discovery/dns.ts', 'DnsDiscoveryOptions', DNS_OPTIONS),
  group('srvDiscovery', 'hash/discovery/dns.ts', 'SrvDiscoveryOptions', SRV_OPTIONS),
  group('JsonSerde', 'serde/json-serde.ts', 'JsonSerdeOptions', JSON_OPTIONS),
  group('CompressedSerde', 'serde/compressed-serde.ts', 'CompressedSerdeOptions', COMPRESSED_OPTIONS),
  group('PythonSerde', 'serde/python-serde.ts', 'PythonSerdeOptions', PYTHON_OPTIONS),
  group('KeyvMemcache (`tsmemcache/keyv`)', 'adapters/keyv.ts', 'KeyvMemcacheOptions', KEYV_OPTIONS),
  group('MemcacheSessionStore (`tsmemcache/session`)', 'adapters/session.ts', 'SessionStoreOptions', SESSION_OPTIONS),
  group('MemcacheRateLimitStore (`tsmemcache/rate-limit`)', 'adapters/rate-limit.ts', 'RateLimitStoreOptions', RATE_LIMIT_OPTIONS),
  group('createCacheHandler (`tsmemcache/next`)', 'adapters/next.ts', 'CacheHandlerOptions', NEXT_OPTIONS),
  group('memcacheDriver (`tsmemcache/unstorage`)', 'adapters/unstorage.ts', 'MemcacheDriverOptions', DRIVER_OPTIONS),
  group('instrument (`tsmemcache/opentelemetry`)', 'telemetry/opentelemetry.ts', 'InstrumentOptions', INSTRUMENT_OPTIONS),
  group('toPrometheus (`tsmemcache/prometheus`)', 'telemetry/prometheus.ts', 'PrometheusOptions', PROMETHEUS_OPTIONS),
  group('statsToPrometheus (`tsmemcache/prometheus`)', 'telemetry/prometheus.ts', 'StatsOptions', STATS_OPTIONS),
];

/** Those of `ReadThroughCache`, which has a page of its own. */
export const CACHE_GROUPS: readonly Group[] = [
  group('Per cache and per call', 'cache/cache-options.ts', 'EntryOptions', ENTRY_OPTIONS),
  group('Per cache', 'cache/cache-options.ts', 'CacheOptions', without(CACHE_OPTIONS, ENTRY_OPTIONS)),
  group('`l1`', 'cache/cache-options.ts', 'NearCacheOptions', NEAR_OPTIONS),
  group('`circuit`', 'cache/cache-options.ts', 'CircuitOptions', CIRCUIT_OPTIONS),
];

/** Those of a `MemcachedServer`, on the page of the embedded server. */
export const SERVER_GROUPS: readonly Group[] = [
  group('Where it listens, and limits', 'server/net/options.ts', 'ListenerOptions', LISTENER_OPTIONS),
  group('What clients may do', 'server/memcached/options.ts', 'MemcachedServerOptions', without(SERVER_OPTIONS, LISTENER_OPTIONS, STORE_OPTIONS)),
  group('Its store', 'server/engine/options.ts', 'MemoryStoreOptions', STORE_OPTIONS),
];

/** What the docstring of an option says. */
interface Told {
  readonly meaning: string;
  readonly byDefault: string | undefined;
  /** Whether it may be left out. */
  readonly optional: boolean;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').replaceAll('|', '\\|').trim();
}

function toldOf(property: TsSymbol, checker: TypeChecker): Told {
  const byDefault = property.getJsDocTags(checker).find(({ name }) => name === 'default')?.text;
  return {
    meaning: oneLine(displayPartsToString(property.getDocumentationComment(checker))).replace(/\{@link (\w+)\}/g, '`$1`'),
    byDefault: byDefault === undefined ? undefined : oneLine(displayPartsToString(byDefault)),
    optional: (property.flags & SymbolFlags.Optional) !== 0,
  };
}

function declarationOf(program: Program, { file, type }: Pick<Group, 'file' | 'type'>): InterfaceDeclaration {
  const found = program.getSourceFile(file)?.statements.find((node) => isInterfaceDeclaration(node) && node.name.text === type);
  if (found === undefined || !isInterfaceDeclaration(found)) throw new Error(`${file} declares no interface ${type}`);
  return found;
}

/** How a default reads in the table: a value as code; what is no plain value in the words of the docstring. */
function defaultCell(name: string, value: unknown, told: Told): string {
  const isPlain = ['number', 'string', 'boolean'].includes(typeof value);
  if (!isPlain) return told.byDefault ?? (told.optional ? 'none' : 'must be given');
  const plain = typeof value === 'string' ? `'${value}'` : String(value);
  // An access mode is octal there.
  if (Number(told.byDefault) === value) return `\`${told.byDefault ?? plain}\``;
  if (told.byDefault !== undefined && told.byDefault !== plain && !told.byDefault.startsWith(plain)) {
    throw new Error(`the docstring of ${name} says @default ${told.byDefault}; the table says ${plain}`);
  }
  return `\`${plain}\``;
}

/** The tables of these groups, as Markdown. */
export function optionTables(groups: readonly Group[] = GROUPS): string {
  const program = createProgram([...new Set(groups.map(({ file }) => file))], { noEmit: true, skipLibCheck: true });
  const checker = program.getTypeChecker();
  return groups.map((entry) => {
    const type = checker.getTypeAtLocation(declarationOf(program, entry));
    const lines = Object.entries(entry.table).map(([name, { rule, default: byDefault }]) => {
      const property = type.getProperty(name);
      if (property === undefined) throw new Error(`${entry.type} has no ${name}`);
      const told = toldOf(property, checker);
      if (told.meaning === '') throw new Error(`${entry.type}.${name} has no docstring`);
      return [`\`${name}\``, defaultCell(name, byDefault, told), oneLine(rule.is) + (rule.unit === 'bytes' ? ' (bytes)' : ''), told.meaning];
    });
    return `### ${entry.title}\n\n${textTable(['option', 'default', 'must be', 'meaning'], lines)}`;
  }).join('\n\n');
}

/** The options of the typed meta commands, and what they return. */
const META_GROUPS = [
  ['metaGet', 'meta-options.ts', 'MetaGetOptions'],
  ['metaSet', 'meta-options.ts', 'MetaSetOptions'],
  ['metaDelete', 'meta-options.ts', 'MetaDeleteOptions'],
  ['metaArithmetic', 'meta-options.ts', 'MetaArithmeticOptions'],
  ['All four', 'meta-options.ts', 'MetaOptions'],
  ['What metaGet returns', 'meta-results.ts', 'MetaItem'],
  ['What metaSet and metaDelete return', 'meta-results.ts', 'MetaWriteResult'],
  ['What metaArithmetic returns, beside these', 'meta-results.ts', 'MetaCount'],
] as const;

/** The tables of docs/meta.md: the members of each interface, the letter that a docstring ends with, and its words. */
export function metaTables(): string {
  const pathOf = (file: string): string => join(ROOT, 'src', 'client', 'commands', file);
  const program = createProgram(META_GROUPS.map(([, file]) => pathOf(file)), { noEmit: true, skipLibCheck: true });
  const checker = program.getTypeChecker();
  return META_GROUPS.map(([title, file, type]) => {
    const isResult = file === 'meta-results.ts';
    const lines = declarationOf(program, { file: pathOf(file), type }).members.map((member) => {
      const property = member.name && checker.getSymbolAtLocation(member.name);
      if (property === undefined) throw new Error(`${type} has a member without a name`);
      const { meaning, byDefault = '' } = toldOf(property, checker);
      const [brackets = '', letter = ''] = /\((`\w`(?:, `\w`)*)\)/.exec(meaning + byDefault) ?? [];
      const words = (text: string): string => text.replace(brackets, '').trim();
      const name = `\`${property.name}\``;
      return isResult ? [name, words(meaning)] : [name, letter, words(byDefault), words(meaning)];
    });
    return `### ${title}\n\n${textTable(isResult ? ['field', 'meaning'] : ['option', 'flag', 'default', 'meaning'], lines)}`;
  }).join('\n\n');
}
