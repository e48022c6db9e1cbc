import type { Load } from './load';

/** One line of the comparison. Keys have 19 bytes, values 100. */
export interface Row extends Pick<Load, 'command' | 'connections' | 'depth'> {
  readonly name: string;
  readonly title: string;
}

function row(command: Load['command'], connections: number, depth: number): Row {
  const title = `${command} 100 B, ${connections} connections, ${depth} outstanding on each`;
  return { name: `${command}-${connections}x${depth}`, title, command, connections, depth };
}

export const rows: readonly Row[] = [
  row('get', 4, 100),
  row('set', 4, 100),
  row('mg', 4, 100),
  row('ms', 4, 100),
  row('get', 50, 1),
  row('set', 50, 1),
];

/** What we want to reach: requests per second of one of ours, as a share of the yardstick of its protocol. */
export interface Target {
  readonly row: string;
  readonly server: string;
  readonly atLeast: number;
}

export const targets: readonly Target[] = [
  { row: 'get-50x1', server: 'tsmemcache serve', atLeast: 0.95 },
  { row: 'set-50x1', server: 'tsmemcache serve', atLeast: 0.95 },
  { row: 'get-4x100', server: 'tsmemcache serve --redis-port', atLeast: 0.8 },
  { row: 'set-4x100', server: 'tsmemcache serve --redis-port', atLeast: 0.8 },
];
