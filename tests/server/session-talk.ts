/** Something that takes bytes as a server's session does. */
interface Listening {
  push(buffer: Buffer, start: number, end: number): number;
}

/** Where a session writes to. */
interface Output {
  write(data: string | Uint8Array): void;
  end(): void;
}

/** A session without a socket, spoken to in text of one character per byte. */
export abstract class SessionTalk {
  abstract readonly session: Listening;
  /** What was written, one entry for each write. */
  readonly writes: (string | Uint8Array)[] = [];
  ends = 0;

  protected readonly output: Output = {
    write: (data) => this.writes.push(data),
    end: () => this.ends++,
  };

  /** Sends `text` and takes the answer to it. */
  ask(text: string): string {
    this.push(text);
    return this.take();
  }

  /** Sends `text` in memory that is overwritten afterwards. */
  push(text: string): number {
    const bytes = Buffer.from(`##${text}##`, 'latin1');
    const at = this.session.push(bytes, 2, bytes.length - 2) - 2;
    bytes.fill('!');
    return at;
  }

  /** Talks by the contract: what was not taken is sent again. Returns the answers to each push. */
  inTurns(text: string, between: (turn: number) => void = () => undefined): string[] {
    const answers: string[] = [];
    for (let rest = text, turn = 0; rest !== ''; turn++) {
      rest = rest.slice(this.push(rest));
      answers.push(this.take());
      between(turn);
    }
    return answers;
  }

  take(): string {
    return this.writes
      .splice(0)
      .map((data) => (typeof data === 'string' ? data : Buffer.from(data).toString('latin1')))
      .join('');
  }
}
