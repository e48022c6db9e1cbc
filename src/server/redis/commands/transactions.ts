import { ALL_KEYS, command, type Command } from './command';
import { MAX_REPLY, REPLY_TOO_LARGE, type RedisExchange } from './exchange';
import { MAX_WATCHED, Transaction } from './transaction';

/** How many items one transaction may look at, in listings and by the size of what it changes: that takes some two seconds. */
const MAX_LOOKED = 4 * 1024 * 1024;
const TAKES_TOO_LONG = 'ERR the transaction takes too long';

/** `MULTI` → OK; the following commands are kept until EXEC. */
function multi(exchange: RedisExchange): void {
  if (exchange.transaction !== undefined) {
    exchange.error('ERR MULTI calls can not be nested');
    return;
  }
  exchange.transaction = new Transaction(exchange.context.keptMemory);
  exchange.ok();
}

/**
 * `EXEC` → an array of the replies; nil when a watched key has changed. No other client's command is executed in between, so the replies
 * cannot wait for the client to take them: when they are too long, or what it does takes too long, the commands that are left are refused one by one.
 */
function exec(exchange: RedisExchange): void {
  const { transaction, watch } = exchange;
  if (transaction === undefined) {
    exchange.error('ERR EXEC without MULTI');
    return;
  }
  exchange.transaction = undefined;
  transaction.end();
  const changed = watch.hasChanged();
  watch.clear();
  if (transaction.failed) {
    exchange.error('EXECABORT Transaction discarded because of previous errors.');
  } else if (changed) {
    exchange.noArray();
  } else {
    const own = exchange.request;
    const { turn } = exchange;
    const most = turn.produced + MAX_REPLY;
    const mostLooked = turn.looked + MAX_LOOKED;
    const { mayDivide } = turn;
    // The replies of one command must be complete before those of the next begin.
    turn.mayDivide = false;
    exchange.array(transaction.queued.length);
    for (const { request, execute } of transaction.queued) {
      exchange.request = request;
      if (turn.produced >= most) exchange.error(REPLY_TOO_LARGE);
      else if (turn.looked >= mostLooked) exchange.error(TAKES_TOO_LONG);
      else execute();
    }
    exchange.request = own;
    turn.mayDivide = mayDivide;
  }
}

/** `DISCARD` → OK; the commands since MULTI are dropped. */
function discard(exchange: RedisExchange): void {
  if (exchange.transaction === undefined) {
    exchange.error('ERR DISCARD without MULTI');
    return;
  }
  exchange.dropTransaction();
  exchange.ok();
}

/** `WATCH key …` → OK; EXEC will do nothing if one of them has changed by then. */
function watch(exchange: RedisExchange): void {
  const { request } = exchange;
  if (exchange.transaction !== undefined) {
    exchange.error('ERR WATCH inside MULTI is not allowed');
    return;
  }
  for (let index = 1; index < request.count; index++) {
    if (exchange.watch.add(request.text(index))) continue;
    exchange.error(`ERR more than ${MAX_WATCHED} keys are watched`);
    return;
  }
  exchange.ok();
}

/** `UNWATCH` → OK. */
function unwatch(exchange: RedisExchange): void {
  exchange.watch.clear();
  exchange.ok();
}

const AT_ONCE = { atOnce: true } as const;

export const TRANSACTION_COMMANDS: readonly Command[] = [
  command('multi', 1, ['fast'], multi, AT_ONCE),
  command('exec', 1, [], exec, AT_ONCE),
  command('discard', 1, ['fast'], discard, AT_ONCE),
  command('watch', -2, ['fast'], watch, { keys: ALL_KEYS, ...AT_ONCE }),
  command('unwatch', 1, ['fast'], unwatch),
];
