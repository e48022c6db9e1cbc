import { FAREWELL, PATIENCE, RECOVERY, type CallObservation, type Play } from './observation';
import type { Fault, Right } from './scripts';

/** What a cell is called, from the worst to the best; the worst that was seen is the cell's. */
export const outcomes = {
  crashes: 'the process of the client ended with an uncaught error',
  injection: 'the server executed a part of a key or a value as a command',
  'wrong value': 'a get delivered something that the server did not send as the value of its key',
  hangs: `a call was not settled after ${PATIENCE / 1000} s`,
  'does not end': `after close() the process was still there ${FAREWELL / 1000} s later`,
  'does not recover': `no later get came right within ${RECOVERY / 1000} s, although the server was in order`,
  'next call fails': 'the next get on a server in order did not bring its value; a later one did',
  fails: 'a call was rejected although its reply was right',
  'error swallowed': 'the failure looks like a miss, or like success',
  ok: 'the right value or an error for the call, the right value for the next',
} as const;

export type Outcome = keyof typeof outcomes | 'n/a';

const SEVERITY = Object.keys(outcomes) as (keyof typeof outcomes)[];

export interface Verdict {
  readonly outcome: Outcome;
  /** What was seen, in a few words. */
  readonly detail: string;
}

/** Whether the client was brought to the fault. */
export function isWarm({ observations }: Play): boolean {
  return observations.some(({ step }) => step === 'warm');
}

/** What was seen, as a verdict. */
export function judge(fault: Fault, play: Play): Verdict {
  if (!isWarm(play)) throw new Error(`the client could not be brought to the fault ${fault.name}: ${play.stderr}`);
  const seen = play.observations.filter((observation) => 'came' in observation);
  // In the order in which they were made.
  const calls = fault.calls.flatMap(({ key }) => seen.filter((observation) => observation.step === 'call' && observation.key === key));
  const nexts = seen.filter(({ step }) => step === 'next');
  const found = [
    ...calls.map((call) => judgeCall(call, rightOf(fault, call))),
    judgeNexts(nexts),
    judgeEnd(fault, play, calls.length),
    play.flushed ? 'injection' : 'ok',
  ] as const;
  const outcome = SEVERITY.find((candidate) => found.includes(candidate)) ?? 'ok';
  const parts = [...describeCalls(calls), describeWire(play), play.flushed ? '' : describeNexts(nexts), describeEnd(fault, play, calls.length)];
  return { outcome, detail: parts.filter((part) => part !== '').join('; ') };
}

function rightOf(fault: Fault, { operation, key }: CallObservation): Right {
  const call = fault.calls.find((candidate) => candidate.key === key);
  // What a set that succeeded is read back as.
  return call?.operation === operation ? call.right : 'value or error';
}

function judgeCall({ operation, came }: CallObservation, right: Right): Outcome {
  const isSet = operation === 'set';
  switch (came) {
    case 'pending':
      return 'hangs';
    case 'wrong':
      return 'wrong value';
    case 'error':
      return right === 'value' ? 'fails' : 'ok';
    case 'nothing':
      // A set that is not done says so with false.
      return isSet || right === 'miss or error' ? 'ok' : 'error swallowed';
    case 'right':
      if (right === 'error') return isSet ? 'error swallowed' : 'wrong value';
      return 'ok';
  }
}

function judgeNexts(nexts: readonly CallObservation[]): Outcome {
  if (nexts.some(({ came }) => came === 'wrong')) return 'wrong value';
  if (nexts.length === 0 || nexts.every(({ came }) => came === 'right')) return 'ok';
  return nexts.some(({ came }) => came === 'right') ? 'next call fails' : 'does not recover';
}

function judgeEnd(fault: Fault, { exit, observations }: Play, settled: number): Outcome {
  if (exit.killed) return fault.closes && observations.some(({ step }) => step === 'closing') ? 'does not end' : 'hangs';
  if (exit.code !== 0) return 'crashes';
  return settled < fault.calls.length ? 'hangs' : 'ok';
}

function describe({ operation, came, shown, milliseconds }: CallObservation): string {
  const after = came !== 'pending' && milliseconds >= 600 ? ` after ${(milliseconds / 1000).toFixed(1)} s` : '';
  switch (came) {
    case 'right':
      return (operation === 'get' ? 'right value' : 'told success') + after;
    case 'wrong':
      return `delivers ${shown}${after}`;
    case 'nothing':
      return shown + after;
    case 'error':
      return `error “${stable(shown)}”${after}`;
    case 'pending':
      return 'not settled';
  }
}

/** Without what differs from run to run. */
function stable(message: string): string {
  return message.replaceAll(/127\.0\.0\.1:\d+/g, '<server>').replaceAll(/[\s]+/g, ' ').replaceAll(/ at \S+ \(\S+/g, '');
}

/** The same thing seen several times is told once, with its number. */
function describeCalls(calls: readonly CallObservation[]): string[] {
  const counts = new Map<string, number>();
  for (const call of calls.filter(({ operation }) => operation !== 'noreply set')) {
    const text = `${call.operation}${call.came === 'wrong' && calls.length > 1 ? ` of ${call.key}` : ''}: ${describe(call)}`;
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  return [...counts].map(([text, count]) => (count === 1 ? text : `${count} × ${text}`));
}

function describeWire({ sent, flushed }: Play): string {
  if (flushed) return 'flush_all was executed';
  switch (sent) {
    case 'not at all':
      return 'nothing was sent';
    case 'under another key':
      return 'sent under another key';
    default:
      return '';
  }
}

function describeNexts(nexts: readonly CallObservation[]): string {
  const [first] = nexts;
  if (first === undefined) return '';
  const wrong = nexts.find(({ came }) => came === 'wrong');
  if (wrong !== undefined) return `a next get ${describe(wrong)}`;
  const lost = nexts.find(({ came }) => came !== 'right');
  if (lost === undefined) return 'next: right';
  const later = nexts.some(({ came }) => came === 'right') ? 'a later one right' : 'and so all later ones';
  return `next: ${describe(lost)}, ${later}`;
}

function describeEnd(fault: Fault, play: Play, settled: number): string {
  const outcome = judgeEnd(fault, play, settled);
  switch (outcome) {
    case 'crashes':
      return `uncaught ${stable(/^(?:\w*Error\b.*|.*Error: .*)$/m.exec(play.stderr)?.[0] ?? 'error')}`;
    case 'does not end':
      return 'the process stays';
    case 'hangs':
      return play.exit.killed ? 'the process is stuck' : 'the process ends, the call never settles';
    default:
      return fault.closes ? 'the process ends' : '';
  }
}
