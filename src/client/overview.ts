import type { AnyOptionTable } from '../options/option';
import { isObject } from '../options/rule';
import type { ServerMetrics } from './meter';
import { isBytes } from '../protocol/bytes';

/** A client at a glance, for `util.inspect`: at most a screen, and no secrets. */
export function overview(metrics: ReadonlyMap<string, ServerMetrics>, table: object, options: object): object {
  return { servers: serversOf(metrics), options: givenOptions(table, options) };
}

/** At most this many servers are shown. */
const MAX_SHOWN = 12;

function serversOf(metrics: ReadonlyMap<string, ServerMetrics>): object {
  const shown: Record<string, string> = {};
  // Those in trouble first: dead, failing, healthy.
  const inOrder = [...metrics].sort(([, a], [, b]) => a.state.localeCompare(b.state));
  for (const [server, { state, connections, pending, hits, misses, calls, errors }] of inOrder.slice(0, MAX_SHOWN)) {
    // A line each, so that all of them fit a screen.
    shown[server] = `${state}; connections: ${connections}, pending: ${pending}, calls: ${sum(calls)}, hits: ${hits}, misses: ${misses}, errors: ${sum(errors)}`;
  }
  if (metrics.size > MAX_SHOWN) shown['…'] = `${metrics.size - MAX_SHOWN} more`;
  return shown;
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}

/** The options that differ from their default. */
function givenOptions(table: object, options: object): object {
  const given: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    const known = (table as AnyOptionTable)[name];
    if (value !== undefined && value !== known?.default) given[name] = shownOption(name, value);
  }
  return given;
}

/** Credentials and TLS options are hidden, and other objects show only their class. */
function shownOption(name: string, value: unknown): unknown {
  if (name === 'auth' || (name === 'tls' && typeof value === 'object')) return '(not shown)';
  if (isBytes(value)) return `${value.length} bytes`;
  if (typeof value === 'function') return 'a function';
  if (!isObject(value)) return value;
  // One without a prototype has no class.
  const className = (value as { readonly constructor?: { readonly name: string } }).constructor?.name ?? 'Object';
  return className === 'Object' ? Object.keys(value).join(', ') : className;
}
