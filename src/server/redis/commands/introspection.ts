import { command, container, type Command } from './command';
import type { RedisExchange } from './exchange';

/** `COMMAND` and its subcommands, which describe `table`. */
export function introspection(table: ReadonlyMap<string, Command>): Command {
  return container(
    'command',
    -1,
    [
      command('command|count', 2, [], (exchange) => {
        exchange.integer(table.size);
      }),
      command('command|list', 2, [], (exchange) => {
        exchange.list(Array.from(table.keys()));
      }),
      command('command|info', -2, [], (exchange) => {
        const { request } = exchange;
        if (request.count === 2) {
          describeAll(exchange, table);
          return;
        }
        exchange.array(request.count - 2);
        for (let index = 2; index < request.count; index++) describe(exchange, table.get(request.word(index)));
      }),
    ],
    (exchange) => {
      describeAll(exchange, table);
    },
  );
}

function describeAll(exchange: RedisExchange, table: ReadonlyMap<string, Command>): void {
  exchange.array(table.size);
  for (const entry of table.values()) describe(exchange, entry);
}

/** `[name, arity, [flag …], first key, last key, step]`, the form of Redis before 6. */
function describe(exchange: RedisExchange, entry: Command | undefined): void {
  if (entry === undefined) {
    exchange.bulk(undefined);
    return;
  }
  exchange.array(6);
  exchange.bulk(entry.name);
  exchange.integer(entry.arity);
  exchange.array(entry.flags.length);
  for (const flag of entry.flags) exchange.status(flag);
  for (const place of entry.keys) exchange.integer(place);
}
