/** Reads what Prometheus reads. */
import { spawnSync } from 'node:child_process';

export interface Line {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The samples of an exposition; throws when a line is not one. */
export function samplesOf(text: string): Line[] {
  const lines: Line[] = [];
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('# ')) continue;
    const [, name, list = '', value] = /^([a-zA-Z_:][\w:]*)\{(.*)\} (\S+)$/.exec(line) ?? [];
    if (name === undefined || value === undefined) throw new Error(`no sample: ${line}`);
    const labels = Object.fromEntries([...list.matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"(?:,|$)/g)].map(([, label = '', text = '']) => [label, JSON.parse(`"${text}"`) as string]));
    lines.push({ name, labels, value: value === '+Inf' ? Infinity : Number(value) });
  }
  return lines;
}

/** The value of the only sample with these labels. */
export function valueOf(text: string, name: string, labels: Readonly<Record<string, string>> = {}): number | undefined {
  const found = samplesOf(text).filter((line) => line.name === name && Object.entries(labels).every(([label, value]) => line.labels[label] === value));
  if (found.length > 1) throw new Error(`${found.length} samples of ${name}`);
  return found[0]?.value;
}

/** What Prometheus' own tool has to say about it: undefined when the tool is not there. */
export function lint(text: string): { ok: boolean; said: string } | undefined {
  const { error, status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
  return error === undefined ? { ok: status === 0, said: stdout + stderr } : undefined;
}
