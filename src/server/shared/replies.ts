import { valueText, type StoredValue } from '../engine/item';
import type { SessionOutput, TurnLimits } from '../net/service';
import { Turn } from './turn';

/** Values of at least this many bytes are passed on as Buffers; shorter ones are cheaper as a part of the text. */
const PASS_FROM = 4096;

/** Gathered text of this many bytes is passed on before the turn ends. */
const FLUSH_FROM = 64 * 1024;

/** The replies of one session: gathered as text, they leave together at the end of a turn. */
export class Replies {
  /** What was done since the last time that others had theirs. */
  readonly turn: Turn;
  /** Goes on with the command that has had its share of the turn; undefined when all are done. */
  rest: (() => void) | undefined;
  /** Whether the session is over. */
  ended = false;
  #output: SessionOutput;
  #text = '';

  constructor(output: SessionOutput, limits: TurnLimits) {
    this.#output = output;
    this.turn = new Turn(limits);
  }

  /** Whether some replies of this turn were not sent yet: some commands must be first in a pipeline. */
  get pipelined(): boolean {
    return this.#text !== '';
  }

  /** Adds to the reply. */
  text(text: string): void {
    this.#text += text;
    if (this.#text.length >= FLUSH_FROM) this.flush();
  }

  /** Adds a head, a value and its line end to the reply. */
  block(head: string, value: StoredValue): void {
    if (typeof value === 'string' || value.length < PASS_FROM) {
      this.text(head + valueText(value) + '\r\n');
      return;
    }
    this.#text += head;
    this.flush();
    this.turn.produced += value.length;
    this.#output.write(value);
    this.#text = '\r\n';
  }

  /** Passes on what was gathered. */
  flush(): void {
    if (this.#text === '') return;
    const text = this.#text;
    this.#text = '';
    this.turn.produced += text.length;
    this.#output.write(text);
  }

  /**
   * Sends the following replies to another output.
   *
   * @returns the output so far
   */
  redirect(output: SessionOutput): SessionOutput {
    this.flush();
    const previous = this.#output;
    this.#output = output;
    return previous;
  }

  /** Ends the session after the replies. */
  finish(): void {
    if (this.ended) return;
    this.ended = true;
    this.rest = undefined;
    this.flush();
    this.#output.end();
  }
}
