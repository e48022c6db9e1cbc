import type { Clock } from '../runtime/clock';
import type { Exchange } from './exchange';
import type { SessionOutput } from './replies';

/** A command as {@link Faults} sees it, before it is executed. */
export interface FaultyCommand {
  /** Its first word as the client wrote it, such as `get`, `ms` or `delete`. */
  readonly verb: string;
  /** Its first key as the client wrote it, one character per byte; `undefined` where the command has none. */
  readonly key: string | undefined;
  /** The whole line without its end, one character per byte. */
  readonly line: string;
  /** The number of the connection: 1 for the first that was made to this server, and so on. */
  readonly connection: number;
}

/** What goes wrong with a command. Unless {@link Fault.reply} is set it is executed, as where a reply is lost. */
export interface Fault {
  /** Everything waits so long: the answer, or what comes in its place, and later commands of the connection; in milliseconds. */
  readonly delay?: number;
  /** This line is answered, and the command is not executed: `SERVER_ERROR out of memory`, or what no server would say. */
  readonly reply?: string;
  /** The connection stays open, and nothing is answered on it from now on. */
  readonly drop?: boolean;
  /** The connection is closed after so many bytes of the answer, 0 for none. */
  readonly closeAfter?: number;
  /** The connection is reset (RST) in place of an answer. */
  readonly reset?: boolean;
}

/** Decides for each command what goes wrong with it; `undefined` for nothing. */
export type Faults = (command: FaultyCommand) => Fault | undefined;

/** Verbs whose key is not the next word. */
const KEY_SECOND = new Set(['gat', 'gats']);
/** Verbs without a key. */
const KEYLESS =
  /^(?:mn|flush_all|version|verbosity|stats|cache_memlimit|shutdown|quit|config|watch|lru|lru_crawler|slabs)$/;

/** What `faults` want to happen to the command that `exchange` is about to execute. */
export function faultOf(faults: Faults, exchange: Exchange, connection: number): Fault | undefined {
  const { line, frame } = exchange;
  const verb = line.text(0);
  const at = KEY_SECOND.has(verb) ? 2 : 1;
  const key = at < line.count && !KEYLESS.test(verb) ? line.text(at) : undefined;
  return faults({ verb, key, line: frame.line(), connection });
}

/**
 * Executes a command, and does to its answer what `fault` says.
 *
 * @returns when it has happened; `undefined` if it already has
 */
export function executeWith(
  fault: Fault,
  exchange: Exchange,
  clock: Clock,
  execute: () => void,
): Promise<void> | undefined {
  const answer = new HeldAnswer();
  const output = exchange.redirect(answer);
  try {
    if (fault.reply === undefined) execute();
    else if (!exchange.line.noreply) exchange.text(`${fault.reply}\r\n`);
  } finally {
    exchange.redirect(fault.drop === true ? muted(output) : output);
  }
  const { delay } = fault;
  if (delay === undefined) {
    deliver(answer, fault, exchange, output);
    return undefined;
  }
  return new Promise((resolve) => {
    const timer = clock.setTimeout(() => {
      // The client may have gone meanwhile.
      if (!exchange.ended || answer.ended) deliver(answer, fault, exchange, output);
      resolve();
    }, delay);
    timer.unref();
  });
}

function deliver(answer: HeldAnswer, fault: Fault, exchange: Exchange, output: SessionOutput): void {
  if (fault.reset === true) {
    exchange.ended = true;
    if (output.reset === undefined) output.end();
    else output.reset();
    return;
  }
  if (fault.drop !== true) {
    const { bytes } = answer;
    output.write(bytes.subarray(0, fault.closeAfter));
  }
  if (fault.closeAfter !== undefined) exchange.finish();
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
