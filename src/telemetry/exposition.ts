/**
 * The text format in which Prometheus reads metrics.
 *
 *     # HELP <name> <help>
 *     # TYPE <name> counter|gauge|histogram
 *     <name>{<label>="<value>",…} <number>
 *
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */
import { MemcacheIllegalInputError } from '../errors';
import { isIterable, isObject, valueThat } from '../options/rule';

export type Labels = Readonly<Record<string, string>>;

/** One line: the suffix of the family's name, the labels, and the number. */
export interface Sample {
  readonly suffix?: '_bucket' | '_sum' | '_count';
  readonly labels: Labels;
  readonly value: number;
}

/** Samples of one name. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly samples: readonly Sample[];
}

/** The exposition text of the families that have samples; the empty string when none has. */
export function exposition(families: readonly Family[], prefix: string, common: Labels): string {
  const lines: string[] = [];
  for (const { name, help, type, samples } of families) {
    if (samples.length === 0) continue;
    lines.push(`# HELP ${prefix}${name} ${help}`, `# TYPE ${prefix}${name} ${type}`);
    for (const { suffix = '', labels, value } of samples) {
      lines.push(`${prefix}${name}${suffix}${labelList({ ...common, ...labels })} ${number(value)}`);
    }
  }
  return lines.map((line) => `${line}\n`).join('');
}

function labelList(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value.replace(/[\\"\n]/g, (c) => ESCAPED[c] ?? c)}"`);
  return `{${pairs.join(',')}}`;
}

const ESCAPED: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' };

function number(value: number): string {
  return value === Infinity ? '+Inf' : String(value);
}

/** What may begin the name of a metric. */
export const PREFIX = valueThat<string>(
  'a string of letters, digits, "_" and ":" that does not begin with a digit',
  (prefix) => typeof prefix === 'string' && /^(?:[a-zA-Z_:][a-zA-Z0-9_:]*)?$/.test(prefix),
);

/** Labels for every sample, whose names {@link checkLabels} looks at. The entries of a Map are no properties, and would be missed. */
export const LABELS = valueThat<Labels>('an object of strings', (labels) => isObject(labels) && !isIterable(labels));

/**
 * Refuses labels that Prometheus would not read.
 *
 * @param taken - the names of the labels that samples set themselves
 * @throws MemcacheIllegalInputError naming the label that is not legal
 */
export function checkLabels(labels: Labels, taken: readonly string[]): void {
  for (const [name, value] of Object.entries(labels)) {
    const shown = JSON.stringify(name.slice(0, 40));
    if (!/^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)) throw new MemcacheIllegalInputError(`labels: ${shown} cannot be the name of a label`);
    if (taken.includes(name)) throw new MemcacheIllegalInputError(`labels: ${shown} is a label that the metrics have already`);
    if (typeof (value as unknown) !== 'string') throw new MemcacheIllegalInputError(`labels: ${shown} must be a string`);
  }
}
