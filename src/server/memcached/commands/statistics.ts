import { cpuUsage, pid } from 'node:process';
import type { ConnectionStats } from '../../net/service';
import type { ServerContext } from './context';
import type { Exchange } from './exchange';
import { BINARY_KEY, sizeOf } from '../../engine/item';
import { LARGEST_CLASS, chunkSize, slabClass } from '../../engine/slab-class';
import type { StoreStats } from '../../engine/stats';
import { COMPATIBLE_VERSION } from './version';
import { SETTINGS } from './settings';

const BAD_LINE = 'CLIENT_ERROR bad command line';
const PAGE_SIZE = 1024 * 1024;
/** The longest answer to `stats cachedump`, in bytes, without its end. */
const MAX_CACHEDUMP = 2 * 1024 * 1024 - 6;

/** A line of a report. */
type Stat = (name: string, value: string | number) => void;

type Report = (exchange: Exchange, stat: Stat) => void;

/** The topics that are answered by `STAT` lines: those that may be abbreviated, in the order in which they are looked for, … */
const ABBREVIATED: readonly (readonly [topic: string, Report])[] = [
  ['conns', connections],
  ['extstore', () => undefined],
];

/** … and those that may not. */
const WHOLE: readonly (readonly [topic: string, Report])[] = [
  ['items', items],
  ['slabs', slabs],
  ['sizes', sizes],
];

/** `stats [topic …]` → `STAT <name> <value>` lines, then `END`. */
export function stats(exchange: Exchange): void {
  const { line, store, context } = exchange;
  if (line.count === 1) {
    answer(exchange, general);
  } else if (line.abbreviates(1, 'reset')) {
    store.stats.reset();
    context.prefixes.clear();
    beforeReset.set(context, frontCounts(context));
    exchange.reply('RESET');
  } else if (line.abbreviates(1, 'detail')) {
    detail(exchange);
  } else if (line.abbreviates(1, 'settings')) {
    answer(exchange, settings);
  } else if (line.abbreviates(1, 'cachedump')) {
    cachedump(exchange);
  } else {
    const [, report] = ABBREVIATED.find(([topic]) => line.abbreviates(1, topic)) ?? WHOLE.find(([topic]) => line.is(1, topic)) ?? [];
    if (report === undefined) exchange.reply('ERROR');
    else answer(exchange, report);
  }
}

function answer(exchange: Exchange, report: Report): void {
  report(exchange, (name, value) => {
    exchange.text(`STAT ${name} ${value}\r\n`);
  });
  exchange.reply('END');
}

/** What is counted beside the store. */
type FrontCounts = Pick<ConnectionStats, 'total' | 'rejected' | 'bytesRead' | 'bytesWritten' | 'yields' | 'idleKicks'> & Pick<ServerContext, 'authCommands' | 'authErrors'>;

/** The same at the last `stats reset` of a server: its metrics go on. */
const beforeReset = new WeakMap<ServerContext, FrontCounts>();

function frontCounts({ connections, authCommands, authErrors }: ServerContext): FrontCounts {
  return { ...connections, authCommands, authErrors };
}

/** memcached's list and order. What its threads, slabs, buffers and loggers would report is 0: there are none here. */
function general({ store, context }: Exchange, stat: Stat): void {
  const { connections: sockets } = context;
  const front = frontCounts(context);
  const before = beforeReset.get(context);
  const since = (name: keyof FrontCounts): number => front[name] - (before?.[name] ?? 0);
  const count = (name: CountName): void => {
    stat(name.replace(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`), store.stats[name]);
  };
  const { user, system } = cpuUsage();
  stat('pid', pid);
  stat('uptime', context.uptime);
  stat('time', Math.floor(store.clock.time() / 1000));
  stat('version', COMPATIBLE_VERSION);
  stat('libevent', 'none');
  stat('pointer_size', 64);
  stat('rusage_user', (user / 1e6).toFixed(6));
  stat('rusage_system', (system / 1e6).toFixed(6));
  stat('max_connections', sockets.maxConnections);
  stat('curr_connections', sockets.current);
  stat('total_connections', since('total'));
  stat('rejected_connections', since('rejected'));
  stat('connection_structures', sockets.current);
  for (const name of ABSENT_BUFFERS) stat(name, 0);
  for (const name of COMMAND_COUNTS) count(name);
  // Flushed items are removed at once, so no get meets one.
  stat('get_flushed', 0);
  for (const name of WRITE_COUNTS) count(name);
  stat('auth_cmds', since('authCommands'));
  stat('auth_errors', since('authErrors'));
  if (Number(context.settings.get('idle_timeout') ?? 0) > 0) stat('idle_kicks', since('idleKicks'));
  stat('bytes_read', since('bytesRead'));
  stat('bytes_written', since('bytesWritten'));
  stat('limit_maxbytes', store.maxBytes);
  stat('accepting_conns', sockets.current < sockets.maxConnections ? 1 : 0);
  stat('listen_disabled_num', 0);
  stat('time_in_listen_disabled_us', 0);
  stat('threads', 1);
  stat('conn_yields', since('yields'));
  for (const [name, value] of ABSENT_MACHINERY) stat(name, value);
  stat('bytes', store.bytes);
  stat('curr_items', store.size);
  count('totalItems');
  stat('slab_global_page_pool', 0);
  count('expiredUnfetched');
  count('evictedUnfetched');
  stat('evicted_active', 0);
  count('evictions');
  count('reclaimed');
  for (const name of ABSENT_LRU) stat(name, 0);
}

/** A count of the store. memcached writes these names with underscores: `cmd_get` for `cmdGet`. */
type CountName = Exclude<keyof StoreStats, `count${string}` | 'reset'>;

const COMMAND_COUNTS: readonly CountName[] = ['cmdGet', 'cmdSet', 'cmdFlush', 'cmdTouch', 'cmdMeta', 'getHits', 'getMisses', 'getExpired'];

const WRITE_COUNTS: readonly CountName[] = [
  'deleteMisses', 'deleteHits', 'incrMisses', 'incrHits', 'decrMisses', 'decrHits',
  'casMisses', 'casHits', 'casBadval', 'touchHits', 'touchMisses', 'storeTooLarge', 'storeNoMemory',
];

/** Of memcached's buffers. */
const ABSENT_BUFFERS = [
  'response_obj_oom', 'response_obj_count', 'response_obj_bytes',
  'read_buf_count', 'read_buf_bytes', 'read_buf_bytes_free', 'read_buf_oom', 'reserved_fds',
];

/** Of memcached's hash table, slab mover, crawler and loggers. */
const ABSENT_MACHINERY: readonly (readonly [name: string, value: string | number])[] = [
  ['hash_power_level', 0],
  ['hash_bytes', 0],
  ['hash_is_expanding', 0],
  ['slab_reassign_rescues', 0],
  ['slab_reassign_chunk_rescues', 0],
  ['slab_reassign_inline_reclaim', 0],
  ['slab_reassign_busy_items', 0],
  ['slab_reassign_busy_deletes', 0],
  ['slab_reassign_busy_nomem', 0],
  ['slab_reassign_last_busy_status', 'none'],
  ['slab_reassign_running', 0],
  ['slabs_moved', 0],
  ['lru_crawler_running', 0],
  ['lru_crawler_starts', 0],
  ['lru_maintainer_juggles', 0],
  ['malloc_fails', 0],
  ['log_worker_dropped', 0],
  ['log_worker_written', 0],
  ['log_watcher_skipped', 0],
  ['log_watcher_sent', 0],
  ['log_watchers', 0],
  ['unexpected_napi_ids', 0],
  ['round_robin_fallback', 0],
];

/** Of memcached's segmented LRU and its crawler. */
const ABSENT_LRU = [
  ...['crawler_reclaimed', 'crawler_items_checked', 'lrutail_reflocked', 'moves_to_cold', 'moves_to_warm'],
  ...['moves_within_lru', 'direct_reclaims', 'lru_bumps_dropped'],
];

function settings({ store, context }: Exchange, stat: Stat): void {
  const known = new Map<string, string | number>([
    ...context.settings,
    ['maxbytes', store.maxBytes],
    ['maxconns', context.connections.maxConnections],
    ['verbosity', context.verbosity],
    ['evictions', store.evict ? 'on' : 'off'],
    ['shutdown_command', context.shutdown === undefined ? 'no' : 'yes'],
    ['detail_enabled', context.prefixes.enabled ? 'yes' : 'no'],
    ['cas_enabled', store.cas ? 'yes' : 'no'],
    ['auth_enabled_ascii', context.requiresAuthentication ? 'yes' : 'no'],
    ['item_size_max', store.maxItemSize],
    ['lru_crawler', context.crawlerEnabled ? 'yes' : 'no'],
    ['flush_enabled', context.flushEnabled ? 'yes' : 'no'],
    ['dump_enabled', context.dumpEnabled ? 'yes' : 'no'],
  ]);
  for (const [name, usual] of SETTINGS) stat(name, known.get(name) ?? usual);
}

/** The totals of the items of one class. */
interface ClassTotals {
  number: number;
  bytes: number;
  oldest: number;
}

/** Totals by class, counted for each report, as nothing else needs them. */
function totals(exchange: Exchange): [number: number, totals: ClassTotals][] {
  const { store } = exchange;
  exchange.turn.looked += store.size;
  const classes = new Map<number, ClassTotals>();
  for (const item of store.items()) {
    const size = sizeOf(item, store.cas);
    const number = slabClass(size);
    let sum = classes.get(number);
    if (sum === undefined) classes.set(number, (sum = { number: 0, bytes: 0, oldest: 0 }));
    sum.number++;
    sum.bytes += size;
    sum.oldest = Math.max(sum.oldest, store.secondsIdle(item));
  }
  return Array.from(classes).sort(([left], [right]) => left - right);
}

function items(exchange: Exchange, stat: Stat): void {
  for (const [number, { number: count, bytes, oldest }] of totals(exchange)) {
    stat(`items:${number}:number`, count);
    stat(`items:${number}:age`, oldest);
    stat(`items:${number}:mem_requested`, bytes);
  }
}

function slabs(exchange: Exchange, stat: Stat): void {
  const classes = totals(exchange);
  let pages = 0;
  for (const [number, { number: count }] of classes) {
    const perPage = Math.floor(PAGE_SIZE / chunkSize(number));
    const classPages = Math.ceil(count / perPage);
    pages += classPages;
    stat(`${number}:chunk_size`, chunkSize(number));
    stat(`${number}:chunks_per_page`, perPage);
    stat(`${number}:total_pages`, classPages);
    stat(`${number}:total_chunks`, classPages * perPage);
    stat(`${number}:used_chunks`, count);
    stat(`${number}:free_chunks`, classPages * perPage - count);
  }
  stat('active_slabs', classes.length);
  stat('total_malloced', pages * PAGE_SIZE);
}

function sizes(_exchange: Exchange, stat: Stat): void {
  stat('sizes_status', 'disabled');
}

function connections({ context }: Exchange, stat: Stat): void {
  for (const { id, address, listenAddress, secondsSinceLastCommand } of context.listConnections()) {
    stat(`${id}:addr`, address);
    stat(`${id}:listen_addr`, listenAddress);
    stat(`${id}:state`, 'conn_parse_cmd');
    stat(`${id}:secs_since_last_cmd`, secondsSinceLastCommand);
  }
}

function detail(exchange: Exchange): void {
  const { line, context } = exchange;
  const { prefixes } = context;
  if (!context.dumpEnabled) {
    exchange.reply('CLIENT_ERROR stats detail not allowed');
    return;
  }
  if (line.abbreviates(2, 'on') || line.abbreviates(2, 'off')) {
    prefixes.enabled = line.abbreviates(2, 'on');
    exchange.reply('OK');
  } else if (line.abbreviates(2, 'dump')) {
    for (const text of prefixes.lines()) exchange.reply(text);
    exchange.reply('END');
  } else {
    exchange.reply('CLIENT_ERROR usage: stats detail on|off|dump');
  }
}

/**
 * `stats cachedump <class> <limit>` → `ITEM <key> [<bytes> b; <unix time> s]` lines, of what was used last first; a limit of 0 is none.
 * As in memcached, it ends before it is longer than 2 MiB, and shows no keys that came in base64.
 */
function cachedump(exchange: Exchange): void {
  const { line, store, context } = exchange;
  const number = line.count < 4 ? undefined : line.uint32(2);
  const limit = line.count < 4 ? undefined : line.uint32(3);
  if (!context.dumpEnabled) exchange.reply('CLIENT_ERROR stats cachedump not allowed');
  else if (line.count < 4) exchange.reply(BAD_LINE);
  else if (number === undefined || limit === undefined) exchange.reply(`${BAD_LINE} format`);
  else if (number > LARGEST_CLASS) exchange.reply('CLIENT_ERROR Illegal slab id');
  else {
    exchange.turn.looked += store.size;
    const wallClock = Math.floor(store.clock.time() / 1000);
    let left = limit === 0 ? Infinity : limit;
    let room = MAX_CACHEDUMP;
    for (const item of Array.from(store.items()).reverse()) {
      if ((item.marks & BINARY_KEY) !== 0 || slabClass(sizeOf(item, store.cas)) !== number) continue;
      const expires = item.deadline === 0 ? 0 : wallClock + store.secondsLeft(item);
      const text = `ITEM ${item.key} [${item.value.length} b; ${expires} s]\r\n`;
      room -= text.length;
      if (left-- === 0 || room < 0) break;
      exchange.text(text);
    }
    exchange.reply('END');
  }
}
