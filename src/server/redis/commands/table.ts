import { ADMINISTRATION_COMMANDS } from './administration';
import { CLIENT_COMMANDS } from './clients';
import type { Command } from './command';
import { NameTable } from '../../shared/name-table';
import { COUNTER_COMMANDS } from './counters';
import { EXPIRY_COMMANDS } from './expiry';
import { introspection } from './introspection';
import { KEY_COMMANDS } from './keys';
import { STRING_COMMANDS } from './strings';
import { TRANSACTION_COMMANDS } from './transactions';

const table = new Map<string, Command>();

for (const topic of [
  STRING_COMMANDS,
  COUNTER_COMMANDS,
  EXPIRY_COMMANDS,
  KEY_COMMANDS,
  TRANSACTION_COMMANDS,
  CLIENT_COMMANDS,
  ADMINISTRATION_COMMANDS,
  [introspection(table)],
]) {
  for (const entry of topic) table.set(entry.name, entry);
}

/** Every command by its name in lower case. */
export const COMMANDS: ReadonlyMap<string, Command> = table;

/** The same for the bytes of a request. */
export const BY_NAME = new NameTable<Command>();
for (const [name, entry] of table) BY_NAME.define(name, entry);
