import type { Item } from '../../engine/item';
import { ONE_KEY, command, type Command } from './command';
import type { RedisExchange } from './exchange';
import { MILLISECONDS, SECONDS, UNIX_MILLISECONDS, UNIX_SECONDS, readDeadline, type TimeForm } from './time';

const MISSING = -2;
const FOR_EVER = -1;

/** `TTL key` and `PTTL key` → the time to live in that unit; -2 when there is no such key, -1 when it does not expire. */
function remaining(unit: number): (exchange: RedisExchange) => void {
  return (exchange) => {
    const { store } = exchange;
    const item = store.find(exchange.key(1));
    if (item === undefined) exchange.integer(MISSING);
    else if (item.deadline === 0) exchange.integer(FOR_EVER);
    // As Redis rounds.
    else exchange.integer(Math.floor((item.deadline - store.now() + unit / 2) / unit));
  };
}

/** `EXPIRE key time [NX | XX | GT | LT]` → 1 when the deadline was changed; a time that has passed deletes the key. */
function expiring(name: string, form: TimeForm): (exchange: RedisExchange) => void {
  return (exchange) => {
    const { store } = exchange;
    const conditions = readConditions(exchange);
    if (conditions === undefined) return;
    const deadline = readDeadline(exchange, 2, form, name, undefined);
    if (deadline === undefined) return;
    const key = exchange.key(1);
    const item = store.find(key);
    store.stats.countTouch(item !== undefined);
    if (item === undefined || !conditions.every((holds) => holds(item, deadline))) {
      exchange.flag(false);
      return;
    }
    if (deadline <= store.now()) store.delete(key);
    else store.setDeadline(item, deadline);
    exchange.flag(true);
  };
}

type Condition = (item: Item, deadline: number) => boolean;

const CONDITIONS: ReadonlyMap<string, Condition> = new Map<string, Condition>([
  ['nx', (item) => item.deadline === 0],
  ['xx', (item) => item.deadline !== 0],
  ['gt', (item, deadline) => item.deadline !== 0 && deadline > item.deadline],
  ['lt', (item, deadline) => item.deadline === 0 || deadline < item.deadline],
]);

function readConditions(exchange: RedisExchange): Condition[] | undefined {
  const { request } = exchange;
  const words = new Set<string>();
  const conditions: Condition[] = [];
  for (let index = 3; index < request.count; index++) {
    const condition = CONDITIONS.get(request.word(index));
    if (condition === undefined) {
      exchange.error(`ERR Unsupported option ${request.shown(index)}`);
      return undefined;
    }
    words.add(request.word(index));
    conditions.push(condition);
  }
  if (words.has('nx') && words.size > 1) {
    exchange.error('ERR NX and XX, GT or LT options at the same time are not compatible');
    return undefined;
  }
  if (words.has('gt') && words.has('lt')) {
    exchange.error('ERR GT and LT options at the same time are not compatible');
    return undefined;
  }
  return conditions;
}

/** `PERSIST key` → 1 when it had a deadline, which is now removed. */
function persist(exchange: RedisExchange): void {
  const { store } = exchange;
  const item = store.find(exchange.key(1));
  const expires = item !== undefined && item.deadline !== 0;
  if (expires) store.setDeadline(item, 0);
  exchange.flag(expires);
}

const KEY = { keys: ONE_KEY } as const;

export const EXPIRY_COMMANDS: readonly Command[] = [
  command('ttl', 2, ['readonly', 'fast'], remaining(1000), KEY),
  command('pttl', 2, ['readonly', 'fast'], remaining(1), KEY),
  command('expire', -3, ['write', 'fast'], expiring('expire', SECONDS), KEY),
  command('pexpire', -3, ['write', 'fast'], expiring('pexpire', MILLISECONDS), KEY),
  command('expireat', -3, ['write', 'fast'], expiring('expireat', UNIX_SECONDS), KEY),
  command('pexpireat', -3, ['write', 'fast'], expiring('pexpireat', UNIX_MILLISECONDS), KEY),
  command('persist', 2, ['write', 'fast'], persist, KEY),
];
