import { messageOf } from '../../../runtime/message-of';
import type { SaveControl } from '../../snapshot/save-control';
import { command, container, type Command } from './command';
import { SYNTAX_ERROR, type RedisExchange } from './exchange';
import { Glob } from './glob';
import { infoText } from './info';

const NO_SAVING = 'ERR saving is not set up: this server keeps its items in memory only';
const SAVING = 'ERR Background save already in progress';

/** `DBSIZE` → how many keys there are, including expired ones that were not removed yet. */
function dbsize(exchange: RedisExchange): void {
  exchange.integer(exchange.store.size);
}

/** `FLUSHALL [ASYNC | SYNC]`, `FLUSHDB [ASYNC | SYNC]` → OK, when everything is removed. */
function flush(exchange: RedisExchange): void {
  const { request, store, context } = exchange;
  if (request.count > 2 || (request.count === 2 && !['async', 'sync'].includes(request.word(1)))) {
    exchange.error(SYNTAX_ERROR);
  } else if (!context.flushEnabled) {
    exchange.error('ERR flushing is not allowed');
  } else {
    store.stats.cmdFlush++;
    store.flushAll();
    exchange.ok();
  }
}

/** `SAVE` → OK when everything is saved; only this client waits. */
function save(exchange: RedisExchange): void | Promise<void> {
  const { saveControl } = exchange.context;
  if (saveControl === undefined) exchange.error(NO_SAVING);
  else if (saveControl.saving) exchange.error(SAVING);
  else return saveNow(exchange, saveControl);
}

async function saveNow(exchange: RedisExchange, saveControl: SaveControl): Promise<void> {
  try {
    await saveControl.save();
    exchange.ok();
  } catch (error) {
    exchange.error(`ERR ${failure(exchange, error)}`);
  }
}

/** `BGSAVE [SCHEDULE]` → a status, as soon as the save has begun. */
function bgsave(exchange: RedisExchange): void {
  const { request, context } = exchange;
  const { saveControl } = context;
  if (request.count > 2 || (request.count === 2 && request.word(1) !== 'schedule')) {
    exchange.error(SYNTAX_ERROR);
  } else if (saveControl === undefined) {
    exchange.error(NO_SAVING);
  } else if (saveControl.saving) {
    exchange.error(SAVING);
  } else {
    saveControl.save().catch((error: unknown) => failure(exchange, error));
    exchange.status('Background saving started');
  }
}

function failure({ context }: RedisExchange, error: unknown): string {
  const reason = `saving failed: ${messageOf(error)}`;
  context.log(reason, 1);
  return reason;
}

/** `LASTSAVE` → Unix seconds of the last save, or of the start. */
function lastsave(exchange: RedisExchange): void {
  const { saveControl, startedAt } = exchange.context;
  exchange.integer(saveControl?.lastSave ?? startedAt);
}

/** `INFO [section …]` → lines of `name:value`. */
function info(exchange: RedisExchange): void {
  const { request, context } = exchange;
  const sections = Array.from({ length: request.count - 1 }, (_, index) => request.word(index + 1));
  exchange.verbatim(infoText(context, sections));
}

/** `CONFIG GET pattern …` → a map of the settings that clients ask for. */
function configGet(exchange: RedisExchange): void {
  const { request, store, context } = exchange;
  const settings: readonly (readonly [string, string])[] = [
    ['appendonly', 'no'],
    ['databases', '1'],
    ['maxclients', String(context.connections.maxConnections)],
    ['maxmemory', String(store.maxBytes)],
    ['maxmemory-policy', store.evict ? 'allkeys-lru' : 'noeviction'],
    ['port', String(context.port)],
    ['proto-max-bulk-len', String(store.maxItemSize)],
    ['save', ''],
  ];
  const patterns = Array.from({ length: Math.min(request.count - 2, settings.length) }, (_, index) => new Glob(request.word(index + 2)));
  exchange.pairs(settings.filter(([name]) => patterns.some((pattern) => pattern.matches(name))));
}

export const ADMINISTRATION_COMMANDS: readonly Command[] = [
  command('dbsize', 1, ['readonly', 'fast'], dbsize),
  command('flushall', -1, ['write'], flush),
  command('flushdb', -1, ['write'], flush),
  command('save', 1, ['admin', 'no_multi'], save),
  command('bgsave', -1, ['admin'], bgsave),
  command('lastsave', 1, ['fast'], lastsave),
  command('info', -1, [], info),
  container('config', -2, [command('config|get', -3, ['admin'], configGet)]),
];
