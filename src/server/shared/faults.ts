import type { Clock } from '../../runtime/clock';
import type { SessionOutput } from '../net/service';
import type { CommandInfo, ExecuteHook, Execution } from './execution';
import type { Replies } from './replies';

/** A command as {@link Faults} sees it, before it is executed. */
export type FaultyCommand = CommandInfo;

/** What goes wrong with a command. Unless {@link Fault.reply} is set it is executed, as where a reply is lost. */
export interface Fault {
  /** Everything waits this long: the answer, or what comes in its place, and later commands of the connection; in milliseconds. */
  readonly delay?: number;
  /** This line is answered, and the command is not executed: `SERVER_ERROR out of memory`, or what no server would say. */
  readonly reply?: string;
  /** The connection stays open, and nothing is answered on it from now on. */
  readonly drop?: boolean;
  /** The connection is closed after this many bytes of the answer, 0 for none. */
  readonly closeAfter?: number;
  /** The connection is reset (RST) in place of an answer. */
  readonly reset?: boolean;
}

/** Decides for each command what goes wrong with it; `undefined` for nothing. */
export type Faults = (command: FaultyCommand) => Fault | undefined;

/** Asks `faults` before each command is executed, and sees to it that what they say goes wrong. */
export function faultHook(faults: Faults, clock: Clock): ExecuteHook {
  return (execution) => {
    const fault = faults(execution.command);
    return fault === undefined ? execution.execute() : executeWith(fault, execution, clock);
  };
}

/** Executes a command, and does to its answer what `fault` says. */
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

/** An answer that has not been sent. */
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

/** An output on which nothing is heard any more. */
function muted(output: SessionOutput): SessionOutput {
  return {
    write() {
      // That is the fault.
    },
    end() {
      output.end();
    },
  };
}
