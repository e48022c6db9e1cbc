import { option, settingsOf, type OptionTable } from '../../options/option';
import { MILLISECONDS, STRING, SWITCH, wholeNumber } from '../../options/rule';
import type { Clock } from '../../runtime/clock';
import { messageOf } from '../../runtime/message-of';
import type { SessionOutput } from '../net/service';
import type { CommandInfo, ExecuteHook, Execution } from './execution';
import type { Replies } from './replies';

/** A command as {@link Faults} sees it, before it is executed. */
export type FaultyCommand = CommandInfo;

/** What goes wrong with a command. It is still executed, as when a reply is lost, unless {@link Fault.reply} is set. */
export interface Fault {
  /** Milliseconds by which the reply, or what comes in its place, is delayed, and with it all later commands of the connection. */
  readonly delay?: number | undefined;
  /** Sends this line as the reply, and does not execute the command: `SERVER_ERROR out of memory`, or a line that no server would send. */
  readonly reply?: string | undefined;
  /** The connection stays open, but nothing is sent on it from now on. */
  readonly drop?: boolean | undefined;
  /** Closes the connection after this many bytes of the reply; 0 for none. */
  readonly closeAfter?: number | undefined;
  /** Resets the connection (RST) in place of a reply; on a unix socket and under TLS it is closed. */
  readonly reset?: boolean | undefined;
}

/** Decides for each command what goes wrong with it; `undefined` for nothing. */
export type Faults = (command: FaultyCommand) => Fault | undefined;

const FAULT = {
  delay: option(MILLISECONDS),
  reply: option(STRING),
  drop: option(SWITCH),
  closeAfter: option(wholeNumber(0, 2 ** 30)),
  reset: option(SWITCH),
} satisfies OptionTable<Fault>;

/** A hook that asks `faults` before each command, and carries out the fault. A fault that is not legal is told in the reply. */
export function faultHook(faults: Faults, clock: Clock): ExecuteHook {
  return (execution) => {
    const fault = faults(execution.command);
    if (fault === undefined) return execution.execute();
    const problem = problemOf(fault);
    return executeWith(problem === undefined ? fault : { reply: `SERVER_ERROR faults: ${problem}` }, execution, clock);
  };
}

/** A fault that is misspelt would let a test pass that tests nothing. */
function problemOf(fault: Fault): string | undefined {
  try {
    settingsOf(FAULT, fault);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** Executes a command, and does to its reply what `fault` says. */
function executeWith(fault: Fault, { replies, noreply, execute }: Execution, clock: Clock): Promise<void> | undefined {
  const answer = new HeldAnswer();
  const output = replies.redirect(answer);
  try {
    if (fault.reply === undefined) void execute();
    else if (!noreply) replies.text(`${fault.reply}\r\n`);
  } finally {
    replies.redirect(fault.drop === true ? muted(output) : output);
  }
  const { delay } = fault;
  if (delay === undefined) {
    deliver(answer, fault, replies, output);
    return undefined;
  }
  return new Promise((resolve) => {
    const timer = clock.setTimeout(() => {
      // The client may have gone meanwhile.
      if (!replies.ended || answer.ended) deliver(answer, fault, replies, output);
      resolve();
    }, delay);
    timer.unref();
  });
}

function deliver(answer: HeldAnswer, fault: Fault, replies: Replies, output: SessionOutput): void {
  if (fault.reset === true) {
    replies.ended = true;
    if (output.reset === undefined) output.end();
    else output.reset();
    return;
  }
  if (fault.drop !== true) {
    const { bytes } = answer;
    output.write(bytes.subarray(0, fault.closeAfter));
  }
  if (fault.closeAfter !== undefined) replies.finish();
  if (answer.ended) output.end();
}

/** Holds back the replies of a command. */
class HeldAnswer implements SessionOutput {
  readonly #parts: Buffer[] = [];
  /** Whether the command ended the session. */
  ended = false;

  get bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }

  write(data: string | Uint8Array): void {
    this.#parts.push(typeof data === 'string' ? Buffer.from(data, 'latin1') : Buffer.from(data));
  }

  end(): void {
    this.ended = true;
  }
}

/** An output that sends nothing any more. */
function muted(output: SessionOutput): SessionOutput {
  return {
    write() {
      // Nothing is sent: that is the fault.
    },
    end() {
      output.end();
    },
  };
}
